// A minimal core app, for tests of the process and its sockets.
import { serve } from '@fcgi-bridge/core'
import { CONTROL_VARIABLE, Control } from './control.js'
import { serveOptions } from './options.js'

/** The environment variable with further options of `serve`, as JSON. */
const OPTIONS_VARIABLE = 'FCGI_BRIDGE_TEST_OPTIONS'

const control = process.env[CONTROL_VARIABLE] && new Control()

async function respond(exchange) {
  const { pathname, searchParams } = new URL(exchange.url)
  if (pathname === '/log') {
    console.log('a line for stdout')
    console.error('a line for stderr')
  }
  if (pathname === '/hold') {
    const id = searchParams.get('id')
    const reportSignal = () => control.send(id, 'SIGTERM')
    process.once('SIGTERM', reportSignal).once('SIGUSR1', reportSignal)
    control.send(id, 'held')
    await control.waitFor(id, 'continue')
  }
  exchange.writeHead(200, ['content-type', 'text/plain'])
  exchange.end(
    `pid ${process.pid}, ${exchange.method} ${exchange.target}, ${await countBody(exchange.stdin)} bytes\n`,
  )
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

await serve(respond, { ...serveOptions, ...JSON.parse(process.env[OPTIONS_VARIABLE] ?? '{}') })
