// Runs the fuzzed apps in a separate process. process.js starts it and receives the addresses of the apps. The process replies to
// each message except 'close' with a measurement of itself.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createServer } from '@fcgi-bridge/core'
import { toHandler as listenerToHandler } from '@fcgi-bridge/express-adapter'
import { toHandler as fetchToHandler, toAuthorizer } from '@fcgi-bridge/fetch-adapter'
import { app, authorize, fetch, respond } from './apps.js'
import { MAX_REQUESTS } from './limits.js'

const folder = process.argv[2]
const counts = { connections: 0, protocolErrors: 0, requests: 0, rejections: 0 }
/** Exchanges passed to the apps that may still be running. @type {Set<import('@fcgi-bridge/core').Exchange>} */
const exchanges = new Set()

process.on('unhandledRejection', (error) => {
  counts.rejections++
  console.error('unhandledRejection', error)
})

const bare = counted(respond)
const handlers = {
  core: { responder: bare, authorizer: bare, filter: bare },
  'core over TCP': { responder: bare, filter: bare },
  fetch: fetchHandlers(),
  Express: { responder: counted(listenerToHandler(app)) },
}

const at = {}
const servers = []
for (const [name, app] of Object.entries(handlers)) {
  const server = createServer(app, {
    maxRequests: MAX_REQUESTS,
    maxRequestsPerConnection: Number.POSITIVE_INFINITY,
    onError: () => {},
    allowedServers: ['127.0.0.1'],
  })
  server.on('protocolError', () => counts.protocolErrors++)
  server.on('connection', (socket) => {
    counts.connections++
    socket.on('close', () => counts.connections--)
  })
  await server.listen(name.endsWith('TCP') ? { port: 0, host: '127.0.0.1' } : { path: join(folder, name) })
  at[name] = server.address()
  servers.push(server)
}
process.send?.({ at })

// The parent process is gone. Otherwise this process must exit by itself when nothing is left, which the fuzzer checks.
const onOrphaned = () => process.exit(1)
process.on('disconnect', onOrphaned)

process.on('message', async (message) => {
  if (message === 'close') {
    process.off('disconnect', onOrphaned)
    await Promise.all(servers.map((server) => server.close()))
    process.disconnect()
    return
  }
  forgetEnded()
  const { gc } = globalThis
  if (gc === undefined) throw new Error('Start this program with --expose-gc.')
  // Collect twice: objects that the first collection finalizes become garbage only then.
  for (let i = 0; i < 2; i++) {
    gc()
    await new Promise(setImmediate)
  }
  const { heapUsed, external, rss } = process.memoryUsage()
  process.send?.({
    ...counts,
    running: exchanges.size,
    heap: heapUsed + external,
    rss,
    handles: process.getActiveResourcesInfo().filter((name) => !/^(?:Immediate|TickObject)$/.test(name))
      .length,
    descriptors: readdirSync('/proc/self/fd').length,
  })
})

function fetchHandlers() {
  const responder = counted(fetchToHandler(fetch))
  return { responder, filter: responder, authorizer: counted(toAuthorizer(authorize)) }
}

function counted(handler) {
  return (exchange) => {
    counts.requests++
    exchanges.add(exchange)
    if (exchanges.size % 1000 === 0) forgetEnded()
    return handler(exchange)
  }
}

function forgetEnded() {
  for (const exchange of exchanges) if (exchange.ended) exchanges.delete(exchange)
}
