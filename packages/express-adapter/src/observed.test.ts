import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import {
  createServer as createHttpServer,
  type IncomingMessage,
  Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { PerformanceObserver } from 'node:perf_hooks'
import express from 'express'
import { afterEach, describe, expect, test } from 'vitest'
import type { RequestListener } from './index.ts'
import { createHttpClient } from './testing/http-client.ts'
import { serveForTest } from './testing/served.ts'

interface Message {
  request: IncomingMessage
  response: ServerResponse
  socket?: unknown
  server?: Server
}

const cleanUps: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp()
})

function listenTo(name: string, listener: (message: Message) => void): void {
  const subscriber = listener as (message: unknown) => void
  subscribe(name, subscriber)
  cleanUps.push(() => unsubscribe(name, subscriber))
}

/** Replaces `emit` of all http.Servers, as OpenTelemetry, Datadog, Elastic and New Relic do. */
function patchEmit(wrap: (emit: () => boolean, args: unknown[], server: Server) => boolean): void {
  const { emit } = Server.prototype
  Server.prototype.emit = function (this: Server, ...args: unknown[]): boolean {
    return wrap(() => Reflect.apply(emit, this, args) as boolean, args, this)
  } as Server['emit']
  cleanUps.push(() => {
    delete (Server.prototype as Partial<Server>).emit
  })
}

async function overHttp(listener: RequestListener) {
  const server = createHttpServer(listener as never).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = createHttpClient((server.address() as AddressInfo).port)
  cleanUps.push(async () => {
    await client.close()
    server.close()
    await once(server, 'close')
  })
  return client
}

async function overFastCgi(listener: RequestListener) {
  return (await serveForTest(listener)).client
}

const CHANNELS = ['http.server.request.start', 'http.server.response.created', 'http.server.response.finish']
const ways = { 'node:http': overHttp, FastCGI: overFastCgi }

/** Sends POST /items?a=1 to `app` and returns everything that a monitoring tool can observe, in order. */
async function traceOf(way: keyof typeof ways, app: RequestListener): Promise<unknown[]> {
  const trace: unknown[] = []
  let first: Message | undefined
  for (const name of CHANNELS) {
    listenTo(name, (message) => {
      first ??= message
      trace.push([
        name,
        Object.keys(message),
        message.request === first.request && message.response === first.response,
        message.request.url,
        message.request.httpVersion,
        message.request.socket === (message.socket ?? message.request.socket),
        message.response.socket === null ? 'no socket' : 'a socket',
        message.response.statusCode,
        message.response.listenerCount('finish'),
        message.server instanceof Server || message.server,
      ])
    })
  }
  patchEmit((emit, [name, request, response], server) => {
    if (name !== 'request') return emit()
    trace.push(['emit', request === first?.request, (response as ServerResponse).socket !== null])
    expect(server).toBeInstanceOf(Server)
    const result = emit()
    trace.push(['emitted', result])
    return result
  })
  const client = await ways[way]((request, response) => {
    trace.push('listener')
    for (const name of ['prefinish', 'finish', 'close']) response.on(name, () => trace.push(name))
    return app(request, response)
  })
  const entries = new Promise<unknown>((resolve) => {
    const observer = new PerformanceObserver((list) => {
      const entry = list.getEntries().find(({ name }) => name === 'HttpRequest')
      if (entry === undefined) return
      const { req, res } = (entry as unknown as { detail: Record<'req' | 'res', Record<string, unknown>> })
        .detail
      resolve([
        list.getEntries().filter(({ name }) => name === 'HttpRequest').length,
        entry.entryType,
        req.method,
        req.url,
        Object.keys(req),
        res.statusCode,
        res.statusMessage,
        Object.keys(res),
      ])
      observer.disconnect()
    })
    observer.observe({ entryTypes: ['http'] })
  })
  const { status } = await client.send({ method: 'POST', path: '/items?a=1', body: 'x' }).response
  trace.push(status, await entries)
  await expect.poll(() => trace.includes('close')).toBe(true)
  for (const cleanUp of cleanUps.splice(0)) await cleanUp()
  return trace
}

describe('monitoring tools see the same as on node:http', () => {
  const apps: Record<string, () => RequestListener> = {
    'a bare listener': () => (request, response) => {
      request.resume().on('end', () => response.writeHead(201, { 'X-A': '1' }).end('made'))
    },
    'an Express app': () =>
      express().post('/items', (request, response) => {
        request.resume().on('end', () => response.status(201).send('made'))
      }),
    'an app that streams': () => (request, response) => {
      request.resume().on('end', () => {
        response.write('one')
        setImmediate(() => response.end('two'))
      })
    },
  }
  for (const [name, makeApp] of Object.entries(apps)) {
    test(`channels, 'request', listeners and performance entries, in order, once each: ${name}`, async () => {
      const reference = await traceOf('node:http', makeApp())
      expect(reference.filter((step) => (step as unknown[])[0] === 'emit')).toHaveLength(1)
      expect(await traceOf('FastCGI', makeApp())).toEqual(reference)
    })
  }
})

describe('a tool', () => {
  test('that patches emit of the server when a request starts (as Sentry does) already sees this request', async () => {
    for (const way of Object.values(ways)) {
      const storage = new AsyncLocalStorage<string>()
      const seen = new WeakSet<Server>()
      listenTo('http.server.request.start', ({ server }) => {
        if (seen.has(server!)) return
        seen.add(server!)
        const { emit } = server!
        server!.emit = new Proxy(emit, {
          apply: (target, self, args) =>
            args[0] === 'request'
              ? storage.run(args[1].url, () => Reflect.apply(target, self, args))
              : Reflect.apply(target, self, args),
        })
      })
      const client = await way(async (request, response) => {
        await new Promise(setImmediate)
        response.end(`${request.url} ${storage.getStore()}`)
      })
      const bodies = await Promise.all(
        ['/a', '/b', '/c'].map(async (path) => (await client.send({ path }).response).body.toString()),
      )
      expect(bodies).toEqual(['/a /a', '/b /b', '/c /c'])
      for (const cleanUp of cleanUps.splice(0)) await cleanUp()
    }
  })

  test('that has unsubscribed keeps its changes to the server, and the listener that it added is called', async () => {
    const seen: string[] = []
    const subscriber = ({ server }: Message) => {
      server!.on('request', (request) => seen.push(`second ${request.url}`))
    }
    listenTo('http.server.request.start', subscriber)
    const { client } = await serveForTest((request, response) => {
      seen.push(`first ${request.url}`)
      response.end()
    })
    await client.send({ path: '/a' }).response
    cleanUps.splice(0).map((cleanUp) => cleanUp())
    await client.send({ path: '/b' }).response
    expect(seen).toEqual(['first /a', 'second /a', 'first /b', 'second /b'])
  })

  test('that patches emit after the first request sees the next one, and none after it has unpatched emit', async () => {
    const { client } = await serveForTest((_request, response) => void response.end())
    await client.send({ path: '/a' }).response
    const seen: unknown[] = []
    patchEmit((emit, [name, request]) => {
      seen.push([name, (request as IncomingMessage).url])
      return emit()
    })
    await client.send({ path: '/b' }).response
    cleanUps.splice(0).map((cleanUp) => cleanUp())
    await client.send({ path: '/c' }).response
    expect(seen).toEqual([['request', '/b']])
  })

  test('sees the whole target under a mount, and the app sees the path below the mount', async () => {
    const seen: unknown[] = []
    listenTo('http.server.request.start', ({ request }) => seen.push(request.url))
    listenTo('http.server.response.created', ({ request }) => seen.push(request.url))
    patchEmit((emit, [, request]) => {
      seen.push((request as IncomingMessage).url)
      return emit()
    })
    const { client } = await serveForTest(
      (request, response) => void response.end(`${request.url} ${(request as { baseUrl?: string }).baseUrl}`),
      { mount: '/shop' },
    )
    expect((await client.send({ path: '/shop/cart?x=1' }).response).body.toString()).toBe('/cart?x=1 /shop')
    expect(new Set(seen)).toEqual(new Set(['/shop/cart?x=1']))
  })

  test('sees the HTTP version of the client, which does not affect the body', async () => {
    const seen: unknown[] = []
    listenTo('http.server.response.created', ({ request }) => seen.push(request.httpVersion))
    listenTo('http.server.request.start', ({ request }) => seen.push(request.httpVersion))
    const { client } = await serveForTest(
      (request, response) => {
        response.write(request.httpVersion)
        response.end()
      },
      { front: { params: { SERVER_PROTOCOL: 'HTTP/2.0' } } },
    )
    const { status, body } = await client.send().response
    expect([status, body.toString()]).toEqual([200, '2.0'])
    expect(new Set(seen)).toEqual(new Set(['2.0']))
  })

  test('can respond itself and never call the app (as Datadog does to block a request)', async () => {
    patchEmit((_emit, [, , response]) => {
      ;(response as ServerResponse).writeHead(403, { 'X-By': 'tool' }).end('blocked')
      return true
    })
    const { client, errors } = await serveForTest(() => {
      throw new Error('called')
    })
    const { status, headers, body } = await client.send().response
    expect([status, body.toString(), errors]).toEqual([403, 'blocked', []])
    expect(headers).toContainEqual(['x-by', 'tool'])
  })

  test('sees the error that the listener throws; that error, or a rejection, fails the exchange', async () => {
    const seen: unknown[] = []
    patchEmit((emit) => {
      try {
        return emit()
      } catch (error) {
        seen.push((error as Error).message)
        throw error
      }
    })
    const { client, errors } = await serveForTest((request) => {
      if (request.url === '/throws') throw new Error('thrown')
      return Promise.reject(new Error('rejected'))
    })
    expect((await client.send({ path: '/throws' }).response).status).toBe(500)
    expect((await client.send({ path: '/rejects' }).response).status).toBe(500)
    expect(seen).toEqual(['thrown'])
    expect(errors.map((error) => (error as Error).message)).toEqual(['thrown', 'rejected'])
  })
})
