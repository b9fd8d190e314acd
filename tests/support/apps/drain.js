// A bare core app for the tests of draining. The query of a request says what it does:
// `busy=MS` blocks the event loop, `wait=MS` delays the response, `exit=PID` ends that process, and `spawn=1` runs a child process.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { CONTROL_VARIABLE, Control } from './control.js'

/** The environment variable with the milliseconds that this program takes to load. */
const LOADING_VARIABLE = 'FCGI_BRIDGE_TEST_LOADING'
/** The environment variable that carries options of `serve`, as JSON. */
const OPTIONS_VARIABLE = 'FCGI_BRIDGE_TEST_OPTIONS'

const control = process.env[CONTROL_VARIABLE] && new Control()

const { serve } = await import('@fcgi-bridge/core')
control?.send(String(process.pid), 'loading')
const loading = Number(process.env[LOADING_VARIABLE] ?? 0)
if (loading > 0) await setTimeout(loading)

async function respond(exchange) {
  const { searchParams } = new URL(exchange.url)
  const length = await countBody(exchange.stdin)
  if (searchParams.get('exit') === String(process.pid)) process.exit(1)
  const busy = Number(searchParams.get('busy') ?? 0)
  if (busy > 0) {
    control?.send(String(process.pid), 'busy')
    const end = performance.now() + busy
    while (performance.now() < end);
  }
  if (searchParams.has('spawn')) await once(spawn(process.execPath, ['--version'], { stdio: 'pipe' }), 'exit')
  const wait = Number(searchParams.get('wait') ?? 0)
  if (wait > 0) await setTimeout(wait)
  exchange.writeHead(200, ['content-type', 'text/plain'])
  exchange.end(`pid ${process.pid}, ${exchange.method}, ${length} bytes\n`)
}

function countBody(stdin) {
  return new Promise((resolve, reject) => {
    let length = 0
    const read = () => {
      for (let chunk = stdin.read(); chunk !== null; chunk = stdin.read()) length += chunk.length
      if (stdin.error) reject(stdin.error)
      else if (stdin.ended) resolve(length)
    }
    stdin.onReadable = read
    read()
  })
}

await serve(respond, {
  onListen: (address) => console.log(`listening on ${JSON.stringify(address)}`),
  ...JSON.parse(process.env[OPTIONS_VARIABLE] ?? '{}'),
})
