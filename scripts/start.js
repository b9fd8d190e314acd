// `npm start`: runs the three examples as FastCGI servers on Unix sockets, the HTTP gateway of @fcgi-bridge/client in front of them, and
// a page that shows them at work. PORT=… chooses the port. Default: 8080, or a free port if that is in use.

import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setInterval } from 'node:timers/promises'
import { main, root, UserError } from './lib/run.js'
import { setup } from './setup.js'
import { startExample } from './start/example.js'

const DEFAULT_PORT = 8080
const EXAMPLES = ['express', 'fetch', 'environ']
const PAGE = readFileSync(new URL('start/page.html', import.meta.url))

await main(async () => {
  setup()
  const folder = mkdtempSync(join(tmpdir(), 'fcgi-bridge-'))
  // Handle signals before the first example starts, so that a signal cannot leave one running.
  const stopping = stopSignal()
  const running = []
  let server
  try {
    for (const name of EXAMPLES) running.push(await startExample(name, join(folder, `${name}.sock`)))
    server = await createFront(running)
    await listen(server)
    console.log(announcement(server.address().port, running))
    await Promise.race([stopping, ...running.map(unexpectedEnd)])
    console.log('\nStopping…')
  } finally {
    server?.close()
    server?.closeAllConnections()
    await Promise.all(running.map((example) => example.stop()))
    rmSync(folder, { recursive: true })
  }
  process.exit()
})

/** Creates the HTTP server. It serves the page at /, and forwards /NAME/ to each example through its own gateway. */
async function createFront(running) {
  // Import it here: setup() has just built it.
  const { createGateway } = await import(`${root}packages/client/dist/index.js`)
  const gateways = new Map(
    running.map(({ name, socket, program }) => {
      // Like a front server that has started the program. The example gets its mount from SCRIPT_FILENAME and SCRIPT_NAME.
      const options = { scriptName: `/${name}`, params: { SCRIPT_FILENAME: program } }
      return [name, createGateway({ path: socket }, options)]
    }),
  )
  const respond = (event) => (request, response) => {
    const [, name, rest] = /^\/(\w+)(.?)/.exec(request.url) ?? []
    const gateway = gateways.get(name)
    if (gateway && rest === '/') return gateway.emit(event, request, response)
    if (gateway) return response.writeHead(308, { Location: `/${name}/` }).end()
    if (request.url === '/') return send(response, 200, 'text/html; charset=utf-8', PAGE)
    if (request.url === '/running.json') {
      const rows = running.map(({ name, socket, pid }) => ({ name, socket, pid }))
      return send(response, 200, 'application/json', JSON.stringify(rows))
    }
    send(response, 404, 'text/plain; charset=utf-8', 'Not found. The page is at /.\n')
  }
  return createServer(respond('request')).on('checkContinue', respond('checkContinue'))
}

function send(response, status, type, body) {
  response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' }).end(body)
}

/** Listens on the loopback address only, because the examples show details of this machine. */
async function listen(server) {
  const given = process.env.PORT
  if (given !== undefined && !(/^\d+$/.test(given) && Number(given) < 65536)) {
    throw new UserError(`PORT is ${JSON.stringify(given)}, which is not a port. Try PORT=8081 npm start.`)
  }
  try {
    await listenOn(server, Number(given ?? DEFAULT_PORT))
  } catch (error) {
    if (error.code === 'EADDRINUSE' && given === undefined) return listenOn(server, 0)
    if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES') throw error
    const reason = error.code === 'EACCES' ? 'cannot be used by this user' : 'is in use'
    throw new UserError(`Port ${given} ${reason}. Choose another port: PORT=8081 npm start.`)
  }
}

async function listenOn(server, port) {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
}

function announcement(port, running) {
  const rows = running.map(({ name, socket, pid }) => `  ${name.padEnd(8)} ${socket} (process ${pid})`)
  return `
The HTTP gateway is running, and forwards requests over FastCGI to:

${rows.join('\n')}

Open http://localhost:${port}/ to see them at work. Ctrl-C stops everything.
`
}

function stopSignal() {
  return Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM'), orphaned()])
}

/** Resolves when npm has exited. When npm is stopped, it ends its shell but not this process. */
async function orphaned() {
  const { ppid } = process
  const byNpm = process.env.npm_lifecycle_event !== undefined
  for await (const _ of setInterval(500)) if (byNpm && process.ppid !== ppid) return
}

async function unexpectedEnd({ name, ended }) {
  throw new UserError(`The ${name} example has exited (${await ended}): see above.`)
}
