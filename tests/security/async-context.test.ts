// The async context of a request is not visible to other requests, in both adapters. Tested on keep-alive and multiplexed connections,
// over raw bytes, and with HAProxy, which shares connections among clients.

import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import {
  Agent,
  createServer as createHttpServer,
  get,
  request as httpRequest,
  type IncomingHttpHeaders,
} from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import {
  createServer,
  encodeBeginRequest,
  encodeNameValues,
  encodeRecord,
  type FastCgiServer,
  FCGI_END_REQUEST,
  FCGI_KEEP_CONN,
  FCGI_PARAMS,
  FCGI_RESPONDER,
  FCGI_STDIN,
  type Handler,
  RecordDecoder,
} from '@fcgi-bridge/core'
import { toHandler as fromListener, type RequestListener } from '@fcgi-bridge/express-adapter'
import { toHandler as fromFetch } from '@fcgi-bridge/fetch-adapter'
import rTracer from 'cls-rtracer'
import express from 'express'
import httpContext from 'express-http-context'
import { Hono } from 'hono'
import { describe, expect, onTestFinished, test } from 'vitest'
import { nestClsApp } from '../support/apps/nest-cls.ts'
import { required } from '../support/fronts/programs.ts'
import { Site } from '../support/fronts/site.ts'

/** Records the context that each callback of each request sees. */
class ContextLog {
  readonly store = new AsyncLocalStorage<string>()
  readonly entries: { target: string; where: string; store: string | undefined }[] = []

  note(target: string, where: string): void {
    this.entries.push({ target, where, store: this.store.getStore() })
  }

  /** Records the visible value, and replaces it with this request's own. */
  enter(target: string, where: string): void {
    this.note(target, where)
    this.store.enterWith(target)
  }

  has(where: string): boolean {
    return this.entries.some((entry) => entry.where === where)
  }

  get leaks(): unknown[] {
    return this.entries.filter(({ target, store }) => store !== undefined && store !== target)
  }

  /** The values that were visible at the start of each handler. */
  get first(): (string | undefined)[] {
    return this.entries.filter(({ where }) => where === 'handler').map(({ store }) => store)
  }

  of(target: string): Record<string, string | undefined> {
    return Object.fromEntries(
      this.entries.filter((entry) => entry.target === target).map(({ where, store }) => [where, store]),
    )
  }
}

function listenerOf(log: ContextLog): RequestListener {
  return (req, res) => {
    const target = req.url!
    log.enter(target, 'handler')
    setTimeout(() => log.enter(target, 'timer'))
    process.nextTick(() => log.enter(target, 'tick'))
    Promise.resolve().then(() => log.enter(target, 'promise'))
    req.on('data', (chunk) => log.enter(target, `data ${chunk}`))
    req.on('end', () => {
      log.enter(target, 'end')
      res.write('x'.repeat(300_000), () => log.enter(target, 'write'))
      res.end('done', () => log.enter(target, 'ended'))
    })
    req.on('close', () => log.enter(target, 'request close'))
    req.on('aborted', () => log.enter(target, 'aborted'))
    res.on('drain', () => log.enter(target, 'drain'))
    res.on('finish', () => log.enter(target, 'finish'))
    res.on('close', () => log.enter(target, 'close'))
  }
}

function fetchOf(log: ContextLog): (request: Request) => Promise<Response> {
  return async (request) => {
    const target = new URL(request.url).pathname
    log.enter(target, 'handler')
    request.signal.addEventListener('abort', () => log.enter(target, 'abort'))
    const reader = request.body?.getReader()
    for (let i = 0; reader !== undefined; i++) {
      const { done } = await reader.read()
      log.enter(target, `read ${i}`)
      if (done) break
    }
    let pulls = 0
    const body = new ReadableStream({
      async pull(controller) {
        log.enter(target, `pull ${pulls}`)
        // The first chunk is available at once and exceeds the socket's buffer. The rest is pulled after 'drain'.
        if (pulls > 0) await new Promise(setImmediate)
        if (++pulls > 20) controller.close()
        else controller.enqueue(new Uint8Array(pulls === 1 ? 2_000_000 : 100_000))
      },
      cancel() {
        log.enter(target, 'cancel')
      },
    })
    return new Response(body)
  }
}

function begin(id: number, target: string, length?: number): Buffer {
  const params: [string, string][] = [
    ['REQUEST_METHOD', length === undefined ? 'GET' : 'POST'],
    ['REQUEST_URI', target],
    ['SERVER_PROTOCOL', 'HTTP/1.1'],
    ['HTTP_HOST', 'front.test'],
    ...(length === undefined ? [] : [['CONTENT_LENGTH', String(length)] satisfies [string, string]]),
  ]
  return Buffer.concat([
    encodeBeginRequest(id, FCGI_RESPONDER, FCGI_KEEP_CONN),
    encodeRecord(FCGI_PARAMS, id, encodeNameValues(params)),
    encodeRecord(FCGI_PARAMS, id, Buffer.alloc(0)),
  ])
}

function stdin(id: number, content = ''): Buffer {
  return encodeRecord(FCGI_STDIN, id, Buffer.from(content))
}

/** A front server's connection that counts the responses it received. */
class Front {
  readonly socket: Socket
  #ended = 0

  constructor(socket: Socket) {
    this.socket = socket
    const decoder = new RecordDecoder({
      onStream() {},
      onDiscrete: (type) => {
        if (type === FCGI_END_REQUEST) this.#ended++
      },
    })
    socket.on('data', (chunk) => decoder.push(chunk))
  }

  static async to(server: FastCgiServer): Promise<Front> {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    await once(socket, 'connect')
    onTestFinished(() => void socket.destroy())
    return new Front(socket)
  }

  async ended(count: number): Promise<void> {
    while (this.#ended < count) await once(this.socket, 'data')
  }
}

async function listen(handler: Handler): Promise<FastCgiServer> {
  const server = createServer(handler, { drainTimeout: 0, onError() {} })
  await server.listen({ port: 0 })
  onTestFinished(() => server.close())
  return server
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise(setImmediate)
}

function expressApp(listener: RequestListener): RequestListener {
  const app = express()
  app.use(listener)
  return app
}

const APPS: Record<string, (log: ContextLog) => Handler> = {
  'a request listener': (log) => fromListener(listenerOf(log)),
  'an Express app': (log) => fromListener(expressApp(listenerOf(log))),
  'a fetch handler': (log) => fromFetch(fetchOf(log)),
}

describe.each(Object.keys(APPS))('%s', (name) => {
  test('requests that arrive in one read', async () => {
    const log = new ContextLog()
    const front = await Front.to(await listen(APPS[name]!(log)))
    const ids = [1, 2, 3, 4]
    front.socket.write(
      Buffer.concat(ids.flatMap((id) => [begin(id, `/${id}`, 4), stdin(id, 'body'), stdin(id)])),
    )
    await front.ended(4)
    expect(log.first).toEqual([undefined, undefined, undefined, undefined])
    expect(log.leaks).toEqual([])
  })

  test('interleaved bodies', async () => {
    const log = new ContextLog()
    const front = await Front.to(await listen(APPS[name]!(log)))
    const ids = [1, 2, 3]
    front.socket.write(Buffer.concat(ids.map((id) => begin(id, `/${id}`, 6))))
    await until(() => log.first.length === ids.length)
    for (const piece of ['ab', 'cd', 'ef']) {
      const before = log.entries.length
      front.socket.write(Buffer.concat(ids.map((id) => stdin(id, piece))))
      await until(() => log.entries.length >= before + ids.length)
    }
    front.socket.write(Buffer.concat([...ids.map((id) => stdin(id)), begin(4, '/4', 0), stdin(4)]))
    await front.ended(4)
    expect(log.first).toEqual([undefined, undefined, undefined, undefined])
    expect(log.leaks).toEqual([])
  })

  test('sequential requests on one keep-alive connection', async () => {
    const log = new ContextLog()
    const front = await Front.to(await listen(APPS[name]!(log)))
    for (let i = 1; i <= 3; i++) {
      front.socket.write(Buffer.concat([begin(1, `/${i}`, 4), stdin(1, 'ab')]))
      await until(() => log.first.length === i)
      front.socket.write(Buffer.concat([stdin(1, 'cd'), stdin(1)]))
      await front.ended(i)
    }
    expect(log.first).toEqual([undefined, undefined, undefined])
    expect(log.leaks).toEqual([])
  })

  test('requests that are aborted together', async () => {
    const log = new ContextLog()
    const front = await Front.to(await listen(APPS[name]!(log)))
    const ids = [1, 2, 3]
    front.socket.write(Buffer.concat(ids.map((id) => begin(id, `/${id}`, 4))))
    await until(() => log.first.length === ids.length)
    const sign = name === 'a fetch handler' ? 'abort' : 'close'
    front.socket.destroy()
    await until(() => log.entries.filter(({ where }) => where === sign).length === ids.length)
    expect(log.leaks).toEqual([])
  })
})

test('each callback of a request sees the context that it sees with node:http', async () => {
  const expected = new ContextLog()
  const http = createHttpServer(listenerOf(expected)).listen(0, '127.0.0.1')
  await once(http, 'listening')
  const { port } = http.address() as AddressInfo
  const upload = httpRequest({
    port,
    host: '127.0.0.1',
    path: '/1',
    method: 'POST',
    headers: { 'content-length': 4 },
  })
  upload.flushHeaders()
  await until(() => expected.first.length === 1)
  upload.write('ab')
  await until(() => expected.has('data ab'))
  upload.end('cd')
  const [response] = await once(upload, 'response')
  await text(response)
  await until(() => expected.has('close') && expected.has('timer'))
  http.close()

  const log = new ContextLog()
  const front = await Front.to(await listen(fromListener(listenerOf(log))))
  front.socket.write(begin(1, '/1', 4))
  await until(() => log.first.length === 1)
  front.socket.write(stdin(1, 'ab'))
  await until(() => log.has('data ab'))
  front.socket.write(Buffer.concat([stdin(1, 'cd'), stdin(1)]))
  await front.ended(1)
  await until(() => log.has('close') && log.has('timer'))
  // On Node 24 and 26 the HTTP parser restores the context between the last chunk of a body and its end. Here both are one callback.
  const ours = log.of('/1')
  for (const [where, store] of Object.entries(expected.of('/1'))) {
    if (store === undefined) expect([undefined, '/1'], where).toContain(ours[where])
    else expect(ours[where], where).toBe(store)
  }
  expect(Object.keys(ours).sort()).toEqual(Object.keys(expected.of('/1')).sort())
})

describe('with HAProxy, which shares connections among clients, each client gets its own identity', () => {
  const user = new AsyncLocalStorage<string>()
  const running = new AsyncLocalStorage<string>()

  function expressSite(): Handler {
    const app = express()
    app.use(rTracer.expressMiddleware({ useHeader: true, headerName: 'x-visit' }))
    app.use(httpContext.middleware)
    app.use((req, _res, next) => {
      const name = req.get('x-user')
      if (name === undefined) return next()
      user.enterWith(name)
      httpContext.set('user', name)
      running.run(name, next)
    })
    app.use((req, res) => {
      req.resume().on('end', async () => {
        const now = [user.getStore(), running.getStore()]
        await new Promise((resolve) => setTimeout(resolve, 1))
        res.json({ visit: req.get('x-visit'), names: [...now, user.getStore()] })
      })
    })
    // Read the context outside the app, before its middleware sets a new one.
    return fromListener((req, res) => {
      const before = [user.getStore(), running.getStore(), httpContext.get('user'), rTracer.id()]
      res.setHeader('x-before', JSON.stringify(before.map((value) => value ?? null)))
      app(req, res)
    })
  }

  function honoSite(): Handler {
    const app = new Hono()
    app.use(async (c, next) => {
      c.header('x-before', JSON.stringify([user.getStore() ?? null, running.getStore() ?? null]))
      const name = c.req.header('x-user')
      if (name === undefined) return next()
      user.enterWith(name)
      return running.run(name, next)
    })
    app.all('*', async (c) => {
      await c.req.text()
      const now = [user.getStore(), running.getStore()]
      await new Promise((resolve) => setTimeout(resolve, 1))
      return c.json({ visit: c.req.header('x-visit'), names: [...now, user.getStore()] })
    })
    return fromFetch(app.fetch)
  }

  async function nestSite(useEnterWith: boolean): Promise<Handler> {
    const { app, before, close } = await nestClsApp(useEnterWith)
    onTestFinished(close)
    return fromListener((req, res) => {
      res.setHeader('x-before', JSON.stringify([before()]))
      app(req as express.Request, res as express.Response, () => {})
    })
  }

  test.each(
    Object.entries<() => Handler | Promise<Handler>>({
      'Express with cls-rtracer and express-http-context': expressSite,
      Hono: honoSite,
      'Nest with nestjs-cls': () => nestSite(false),
      'Nest with nestjs-cls and enterWith': () => nestSite(true),
    }),
  )('%s', async (app, site) => {
    const handler = await site()
    let multiplexed = 0
    const server = await listen((exchange) => {
      // HAProxy numbers the requests of a connection from 1, and reuses the ids of finished ones.
      if (exchange.requestId > 1) multiplexed++
      return handler(exchange)
    })
    const address = server.address() as AddressInfo
    const port = await startHaproxy(address.port)
    let anonymous = 0
    const visit = async (client: Agent, index: number): Promise<void> => {
      const name = index % 3 === 0 ? undefined : `user${index}`
      const method = index % 2 === 0 ? 'POST' : 'GET'
      const visitId = `visit${index}`
      const { headers, body } = await ask({ port, client, method, name, visit: visitId })
      expect(JSON.parse(headers['x-before'] as string).filter((value: unknown) => value !== null)).toEqual([])
      const { visit, names } = JSON.parse(body)
      expect(visit).toBe(visitId)
      // As with node:http, a body event may run outside the context, but never in that of another request.
      for (const stored of names) {
        if (app.startsWith('Express')) expect([name ?? null, null]).toContain(stored)
        else expect(stored).toBe(name ?? null)
      }
      if (name === undefined) anonymous++
    }
    const clients = Array.from({ length: 24 }, () => new Agent({ keepAlive: true, maxSockets: 1 }))
    await Promise.all(
      clients.map(async (client, c) => {
        for (let i = 0; i < 20; i++) await visit(client, c * 20 + i)
        client.destroy()
      }),
    )
    expect(anonymous).toBe(160)
    expect(multiplexed).toBeGreaterThan(0)
  })
})

interface Visit {
  port: number
  client: Agent
  method: string
  name: string | undefined
  visit: string
}

async function ask({ port, client, method, name, visit }: Visit) {
  const headers = { 'x-visit': visit, ...(name !== undefined && { 'x-user': name }) }
  const request = (method === 'GET' ? get : httpRequest)({
    port,
    host: '127.0.0.1',
    agent: client,
    method,
    headers,
  })
  if (method !== 'GET') request.end('a body')
  const [response] = await once(request, 'response')
  return { headers: response.headers as IncomingHttpHeaders, body: await text(response) }
}

async function startHaproxy(appPort: number): Promise<number> {
  const site = new Site()
  onTestFinished(() => site.stop())
  const { ports } = await site.startServer(1, ([port]) => {
    const config = site.write(
      'haproxy.cfg',
      `
global
  nbthread 1
  log stderr format raw daemon

defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s

fcgi-app app
  docroot /srv
  option mpxs-conns
  option max-reqs 8

listen front
  bind 127.0.0.1:${port}
  http-reuse aggressive
  use-fcgi-app app
  server app 127.0.0.1:${appPort} proto fcgi
`,
    )
    return { file: required('haproxy'), args: ['-db', '-f', config] }
  })
  return ports[0]!
}
