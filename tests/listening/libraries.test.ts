// What frameworks and tools do with a server from createServer(), behind nginx with kept connections.
import { type EventEmitter, once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { IgnitorFactory } from '@adonisjs/core/factories'
import { ApolloServer } from '@apollo/server'
import { ApolloServerPluginDrainHttpServer } from '@apollo/server/plugin/drainHttpServer'
import { expressMiddleware } from '@as-integrations/express5'
import { FastCgiDispatcher } from '@fcgi-bridge/client'
import { createServer } from '@fcgi-bridge/express-adapter'
import express from 'express'
import Fastify from 'fastify'
import { createHttpTerminator } from 'http-terminator'
import { Server as SocketServer } from 'socket.io'
import { io } from 'socket.io-client'
import stoppable from 'stoppable'
import { request } from 'undici'
import { expect, test } from 'vitest'
import { startNginx } from '../support/fronts/nginx.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'

let site: Site

siteForEachTest((each) => {
  site = each
})

function socketPath(): string {
  return site.path('app.sock')
}

/** Starts nginx for the app on {@link socketPath}; gives the origin of its URLs. */
async function nginx(app = `unix:${socketPath()}`): Promise<string> {
  const [port] = await startNginx(
    site,
    1,
    ([port]) => `
      upstream app { server ${app}; keepalive 8; }
      server {
        listen 127.0.0.1:${port};
        location / {
          include /etc/nginx/fastcgi_params;
          fastcgi_param HTTP_HOST $http_host;
          fastcgi_pass app;
          fastcgi_keep_conn on;
          fastcgi_buffering off;
        }
      }`,
  )
  return `http://127.0.0.1:${port}`
}

async function listen(server: Server): Promise<void> {
  // nginx runs as another user.
  server.listen({ path: socketPath(), mode: 0o666 } as never)
  await once(server, 'listening')
}

async function text(url: string, init?: RequestInit): Promise<string> {
  const response = await fetch(url, init)
  expect(response.status).toBe(200)
  return await response.text()
}

test('Fastify, as its serverFactory', async () => {
  const fastify = Fastify({ serverFactory: (handler, options) => createServer(options, handler) })
  fastify.get('/', async (request) => ({ ip: request.ip, host: request.hostname }))
  fastify.post('/echo', async (request) => request.body)
  const printed = await fastify.listen({ path: socketPath(), writableAll: true, readableAll: true })
  expect(printed).toBe(socketPath())
  const origin = await nginx()
  expect(JSON.parse(await text(`${origin}/`))).toEqual({ ip: '127.0.0.1', host: '127.0.0.1' })
  const body = JSON.stringify({ a: 1 })
  const headers = { 'content-type': 'application/json' }
  expect(await text(`${origin}/echo`, { method: 'POST', headers, body })).toBe(body)
  await fastify.close()
  expect(fastify.server.listening).toBe(false)
})

test('Fastify on localhost makes a second server for the other address family', async () => {
  const servers: Server[] = []
  const fastify = Fastify({
    serverFactory: (handler, options) => {
      const server = createServer(options, handler)
      servers.push(server)
      return server
    },
  })
  await fastify.listen({ port: 0, host: 'localhost' })
  for (const server of servers) {
    if (server.listening) expect(server.address()).toMatchObject({ port: expect.any(Number) })
  }
  await fastify.close()
  await expect.poll(() => servers.some((server) => server.listening)).toBe(false)
})

test('AdonisJS', async () => {
  Object.assign(process.env, { HOST: '127.0.0.1', PORT: '0' })
  let server: Server | undefined
  let stop = async (): Promise<void> => {}
  const ignitor = new IgnitorFactory()
    .withCoreConfig()
    .withCoreProviders()
    .create(pathToFileURL(`${site.folder}/app/`), { importer: (path) => import(path) })
    .tap((app) => {
      stop = () => app.terminate()
      app.booted(async () => {
        const router = await app.container.make('router')
        router.get('/', ({ request }) => `Adonis sees ${request.ip()} at ${request.url()}`)
      })
    })
  await ignitor.httpServer().start((handler) => {
    server = createServer(handler)
    return server
  })
  const { port } = server!.address() as AddressInfo
  const origin = await nginx(`127.0.0.1:${port}`)
  expect(await text(`${origin}/`)).toBe('Adonis sees 127.0.0.1 at /')
  await stop()
  expect(server!.listening).toBe(false)
})

test('socket.io, by polling', async () => {
  const server = createServer()
  const sockets = new SocketServer(server, { transports: ['polling'] })
  sockets.on('connection', (socket) => {
    socket.emit('welcome', socket.handshake.address)
    socket.on('question', (text, reply) => reply(`you asked ${text}`))
  })
  await listen(server)
  const client = io(await nginx(), { transports: ['polling'], reconnection: false })
  const [address] = await new Promise<unknown[]>((resolve) => {
    client.on('welcome', (...values) => resolve(values))
  })
  expect(address).toBe('127.0.0.1')
  expect(await client.emitWithAck('question', 'why')).toBe('you asked why')
  const left = once(client as unknown as EventEmitter, 'disconnect')
  await sockets.close()
  await left
  expect(server.listening).toBe(false)
})

test("Apollo's drain plugin lets a query finish", async () => {
  const app = express()
  const server = createServer(app)
  const { arrived, respond, waiting } = heldRequest()
  const apollo = new ApolloServer({
    typeDefs: 'type Query { slow: String, quick: String }',
    resolvers: {
      Query: {
        quick: () => 'quick',
        slow: async () => {
          arrived()
          await waiting
          return 'slow'
        },
      },
    },
    plugins: [ApolloServerPluginDrainHttpServer({ httpServer: server })],
  })
  await apollo.start()
  app.use('/graphql', express.json(), expressMiddleware(apollo))
  await listen(server)
  const origin = await nginx()
  const query = (field: string): Promise<string> =>
    text(`${origin}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: `{ ${field} }` }),
    })
  expect(JSON.parse(await query('quick'))).toEqual({ data: { quick: 'quick' } })
  const slow = query('slow')
  await respond.ready
  const stopped = apollo.stop()
  respond()
  expect(JSON.parse(await slow)).toEqual({ data: { slow: 'slow' } })
  await stopped
  expect(server.listening).toBe(false)
})

test.each([
  ['stoppable', (server: Server) => stopWith(stoppable(server, 10_000))],
  ['http-terminator', (server: Server) => createHttpTerminator({ server }).terminate],
  ['close() of the server', (server: Server) => () => promisify(server.close.bind(server))()],
])('%s lets a request finish, also on a connection that others share', async (_, prepare) => {
  const held = heldRequest()
  const server = createServer(async (request, response) => {
    if (request.url === '/slow') {
      response.write('half')
      held.arrived()
      await held.waiting
    }
    response.end(' whole')
  })
  const stop = prepare(server)
  await listen(server)
  const origin = await nginx()
  for (let round = 0; round < 3; round++) expect(await text(`${origin}/`)).toBe(' whole')
  const slow = text(`${origin}/slow`)
  await held.respond.ready
  const stopped = stop()
  held.respond()
  expect(await slow).toBe('half whole')
  await stopped
  expect(server.listening).toBe(false)
})

test('http-terminator and stoppable abort what outlasts their time', async () => {
  const stops = [
    (server: Server) => stopWith(stoppable(server, 100)),
    (server: Server) => createHttpTerminator({ server, gracefulTerminationTimeout: 100 }).terminate,
  ]
  for (const prepare of stops) {
    const server = createServer(() => {})
    const stop = prepare(server)
    server.listen(0)
    await once(server, 'listening')
    const dispatcher = new FastCgiDispatcher({ port: (server.address() as AddressInfo).port })
    const response = request('http://test/', { dispatcher }).catch(() => undefined)
    const [incoming] = await once(server, 'request')
    const aborted = new Promise((resolve) => incoming.on('error', () => {}).on('close', resolve))
    await stop()
    await aborted
    await response
    await dispatcher.close()
  }
})

test('@godaddy/terminus: health checks, and a shutdown that lets a request finish', async () => {
  const program = site.start(process.execPath, [site.write('terminus.mjs', TERMINUS_APP)], {
    env: { ...process.env, SOCKET: socketPath() },
  })
  await program.printed(/listening/)
  const origin = await nginx()
  expect(JSON.parse(await text(`${origin}/health`))).toMatchObject({ status: 'ok' })
  const slow = text(`${origin}/slow`)
  await program.printed(/arrived/)
  program.child.kill('SIGTERM')
  expect(await slow).toBe('slow')
  await program.printed(/cleaned up/)
  expect(await program.exited).toEqual({ code: null, signal: 'SIGTERM' })
})

const resolveHere = (name: string): string => JSON.stringify(import.meta.resolve(name))

const TERMINUS_APP = `
import { createServer } from ${resolveHere('@fcgi-bridge/express-adapter')}
import { createTerminus } from ${resolveHere('@godaddy/terminus')}
const server = createServer((request, response) => {
  if (request.url !== '/slow') return response.end('quick')
  console.log('arrived')
  process.once('SIGTERM', () => setImmediate(() => response.end('slow')))
})
createTerminus(server, {
  signal: 'SIGTERM',
  healthChecks: { '/health': async () => {} },
  onSignal: async () => console.log('cleaned up'),
})
server.listen({ path: process.env.SOCKET, mode: 0o666 }, () => console.log('listening'))
`

function stopWith(server: stoppable.StoppableServer): () => Promise<unknown> {
  return () => new Promise((resolve) => server.stop(resolve))
}

/** A request that is held until the test lets it go. */
function heldRequest(): {
  arrived: () => void
  waiting: Promise<void>
  respond: (() => void) & { ready: Promise<void> }
} {
  let arrived = (): void => {}
  let go = (): void => {}
  const ready = new Promise<void>((resolve) => {
    arrived = resolve
  })
  const waiting = new Promise<void>((resolve) => {
    go = resolve
  })
  return { arrived, waiting, respond: Object.assign(go, { ready }) }
}
