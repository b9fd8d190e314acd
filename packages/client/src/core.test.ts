// The client and the gateway together with the server of @fcgi-bridge/core.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { createServer, type Exchange, type FastCgiServer, type ServerOptions } from '@fcgi-bridge/core'
import { fetch, request } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { FastCgiDispatcher, type FastCgiDispatcherOptions } from './dispatcher.ts'
import { createGateway } from './gateway/gateway.ts'
import { hash, pieces } from './testing/bytes.ts'
import { deferred } from './testing/setup.ts'

const SIZE = 64 * 1024 * 1024
const PLAIN = ['content-type', 'text/plain']

async function* stdinOf(exchange: Exchange): AsyncGenerator<Buffer> {
  const { stdin } = exchange
  for (;;) {
    for (let chunk = stdin.read(); chunk !== null; chunk = stdin.read()) yield chunk
    if (stdin.error !== undefined) throw stdin.error
    if (stdin.ended) return
    await new Promise<void>((resolve) => {
      stdin.onReadable = resolve
    })
  }
}

async function send(
  exchange: Exchange,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  for await (const chunk of chunks) {
    if (exchange.write(chunk)) continue
    await new Promise<void>((resolve) => {
      exchange.onDrain = resolve
    })
  }
  exchange.end()
}

const routes: Record<string, (exchange: Exchange) => void | Promise<void>> = {
  '/hello': (exchange) => {
    exchange.writeHead(200, PLAIN)
    exchange.end(`${exchange.method} ${exchange.url}`)
  },
  '/echo': (exchange) => send(exchange, stdinOf(exchange)),
  '/hash': async (exchange) => exchange.end(await hash(stdinOf(exchange))),
  '/pieces': (exchange) => send(exchange, pieces(SIZE)),
  '/unread': (exchange) => {
    exchange.writeHead(413, PLAIN)
    exchange.end('too large')
  },
  '/throw': () => {
    throw new Error('a bug')
  },
  '/half': (exchange) => {
    exchange.write('half')
    exchange.fail(new Error('a bug'))
  },
}

interface Site {
  readonly app: FastCgiServer
  readonly dispatcher: FastCgiDispatcher
  readonly url: string
  /** Connections that the server has accepted. */
  readonly connections: () => number
}

async function open(
  more: typeof routes = {},
  serverOptions: ServerOptions = {},
  options: FastCgiDispatcherOptions = {},
): Promise<Site> {
  let connections = 0
  const app = createServer((exchange) => ({ ...routes, ...more })[exchange.target]!(exchange), serverOptions)
  app.on('connection', () => connections++)
  const path = join(tmpdir(), `fcgi-client-${process.pid}-${Math.random().toString(36).slice(2)}.sock`)
  await app.listen({ path })
  const dispatcher = new FastCgiDispatcher({ path }, options)
  const gateway = createGateway({ path }, { onError() {}, onStderr() {}, ...options }).listen(0, '127.0.0.1')
  await once(gateway, 'listening')
  onTestFinished(async () => {
    gateway.closeAllConnections()
    gateway.close()
    await dispatcher.destroy()
    await app.close()
  })
  const url = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`
  return { app, dispatcher, url, connections: () => connections }
}

describe.each(['dispatcher', 'gateway'])('through the %s', (way) => {
  const through = (site: Site): { dispatcher?: FastCgiDispatcher; base: string } =>
    way === 'dispatcher' ? { dispatcher: site.dispatcher, base: 'http://example.test' } : { base: site.url }

  test('GET and POST, over one kept connection', async () => {
    const site = await open()
    const { base, ...options } = through(site)
    for (let i = 0; i < 3; i++) {
      const get = await fetch(`${base}/hello`, options)
      expect(get.headers.get('content-type')).toBe('text/plain')
      expect(await get.text()).toBe(`GET ${base}/hello`)
      const post = await fetch(`${base}/echo`, { ...options, method: 'POST', body: `body ${i}` })
      expect(await post.text()).toBe(`body ${i}`)
    }
    expect(site.connections()).toBe(1)
  })

  test('64 MiB up, down, and both at once', async () => {
    const site = await open()
    const { base, ...options } = through(site)
    const expected = await hash(pieces(SIZE))
    const up = await request(`${base}/hash`, {
      ...options,
      method: 'POST',
      body: Readable.from(pieces(SIZE)),
    })
    expect(await up.body.text()).toBe(expected)
    expect(await hash((await request(`${base}/pieces`, options)).body)).toBe(expected)
    const upload = {
      method: 'POST',
      body: ReadableStream.from(pieces(SIZE)) as never,
      duplex: 'half',
    } as const
    expect(await hash((await fetch(`${base}/echo`, { ...options, ...upload })).body!)).toBe(expected)
    expect(site.connections()).toBe(1)
  })

  test('server-sent events, until the client disconnects', async () => {
    const left = deferred<Error>()
    const site = await open({
      '/events': (exchange) => {
        exchange.writeHead(200, ['content-type', 'text/event-stream'])
        exchange.flush()
        exchange.write('data: 1\n\n')
        exchange.onAbort = left.resolve
      },
    })
    const { base, ...options } = through(site)
    const response = await fetch(`${base}/events`, options)
    const reader = response.body!.getReader()
    expect(Buffer.from((await reader.read()).value!).toString()).toBe('data: 1\n\n')
    await reader.cancel()
    await left.promise
  })

  test('an abort before the head', async () => {
    const began = deferred<Exchange>()
    const left = deferred<Error>()
    const wait = (exchange: Exchange): void => {
      exchange.onAbort = left.resolve
      began.resolve(exchange)
    }
    const site = await open({ '/wait': wait }, {}, { maxConnections: 1 })
    const { base, ...options } = through(site)
    const controller = new AbortController()
    const aborted = expect(fetch(`${base}/wait`, { ...options, signal: controller.signal })).rejects.toThrow()
    await began.promise
    controller.abort()
    await aborted
    await left.promise
    expect(await (await fetch(`${base}/hello`, options)).text()).toBe(`GET ${base}/hello`)
    expect(site.connections()).toBe(1)
  })

  test('fifty concurrent requests', async () => {
    const site = await open()
    const { base, ...options } = through(site)
    const bodies = Array.from({ length: 50 }, (_, i) => `body ${i}`)
    const echoes = bodies.map(async (body) => {
      return (await fetch(`${base}/echo`, { ...options, method: 'POST', body })).text()
    })
    expect(await Promise.all(echoes)).toEqual(bodies)
  })

  test('an error of the app before and after the response head', async () => {
    const site = await open()
    const { base, ...options } = through(site)
    expect((await fetch(`${base}/throw`, options)).status).toBe(500)
    await expect(fetch(`${base}/half`, options).then((response) => response.text())).rejects.toThrow()
    expect((await fetch(`${base}/hello`, options)).status).toBe(200)
  })

  test('the response to an upload that the app does not read', async () => {
    const site = await open()
    const { base, ...options } = through(site)
    const body = Buffer.concat([...pieces(8 * 1024 * 1024)])
    const response = await request(`${base}/unread`, { ...options, method: 'POST', body })
    expect(response.statusCode).toBe(413)
    expect(await response.body.text()).toBe('too large')
    expect((await fetch(`${base}/hello`, options)).status).toBe(200)
  })
})

test('a server at its limit responds with 503, and the connection is reused', async () => {
  const began = deferred<Exchange>()
  const site = await open({ '/wait': began.resolve }, { maxRequests: 1 })
  const waiting = fetch('http://example.test/wait', { dispatcher: site.dispatcher })
  const exchange = await began.promise
  expect((await fetch('http://example.test/hello', { dispatcher: site.dispatcher })).status).toBe(503)
  exchange.end('done')
  expect(await (await waiting).text()).toBe('done')
})

test('onStderr gets what the app writes to its error stream', async () => {
  const heard = deferred<string>()
  const site = await open(
    {
      '/log': (exchange) => {
        exchange.stderr.write('oops')
        exchange.end()
      },
    },
    {},
    { onStderr: (chunk) => heard.resolve(String(chunk)) },
  )
  await (await fetch('http://example.test/log', { dispatcher: site.dispatcher })).text()
  expect(await heard.promise).toBe('oops')
})

test('a server that closes also closes kept connections, and no request fails', async () => {
  const site = await open()
  await (await fetch('http://example.test/hello', { dispatcher: site.dispatcher })).text()
  const gone = once(site.dispatcher, 'disconnect')
  await site.app.close()
  await gone
  await expect(request('http://example.test/hello', { dispatcher: site.dispatcher })).rejects.toMatchObject({
    code: 'ENOENT',
  })
})
