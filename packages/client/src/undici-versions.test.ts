// undici's interceptors and handlers, with Node's own fetch and with undici 7 and 8. Each test runs twice: with a
// FastCgiDispatcher in front of a FastCGI application, and with undici's own Agent in front of node:http. Both must
// give the same response.
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { createServer } from '@fcgi-bridge/core'
import * as undici7 from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { FastCgiDispatcher } from './dispatcher.ts'

type Undici = typeof undici7
type Interceptor = undici7.Dispatcher.DispatcherComposeInterceptor

interface AppResponse {
  status: number
  headers?: Record<string, string | string[]>
  body?: string | Buffer
}

/** `nth` counts the requests from 0. */
type App = (path: string, nth: number, headers: Readonly<Record<string, string>>) => AppResponse

interface Outcome {
  /** The paths that were requested from the application. */
  asked: string[]
  results: unknown[]
}

/** Sends a GET through a dispatcher. Resolves with what the caller gets. */
type Caller = (url: string, dispatcher: undici7.Dispatcher) => Promise<unknown>

const [major, minor] = process.versions.node.split('.').map(Number) as [number, number]
const TEXT = 'some text, '.repeat(100)

/** undici 8 needs Node 22.19. */
const packages: Record<string, Undici> = { 'undici 7': undici7 }
if (major > 22 || (major === 22 && minor >= 19)) {
  packages['undici 8'] = (await import('undici8')) as unknown as Undici
}

interface CallerVersion {
  call: Caller
  /**
   * The undici whose Agent is the reference for this caller: the Agent of undici 8 refuses the handlers that Node's
   * fetch used before Node 26.
   */
  reference: Undici
}

const callers: Record<string, CallerVersion> = {
  "Node's own fetch": {
    call: fetchWith(fetch as unknown as Undici['fetch']),
    reference: major >= 26 ? packages['undici 8']! : undici7,
  },
}
for (const [name, reference] of Object.entries(packages)) {
  callers[`fetch of ${name}`] = { call: fetchWith(reference.fetch), reference }
  callers[`request of ${name}`] = { call: requestWith(reference.request), reference }
}

interface Case {
  interceptor: (all: Undici['interceptors']) => Interceptor
  app: App
  /** The paths to request: one after the other, or all at once with `together`. */
  paths: string[]
  together?: boolean
}

const cases: Record<string, Case> = {
  redirect: {
    interceptor: ({ redirect }) => redirect({ maxRedirections: 2 }),
    app: (path) =>
      path === '/old' ? { status: 302, headers: { location: '/new' } } : { status: 200, body: 'new' },
    paths: ['/old'],
  },
  'retry, after a 503': {
    interceptor: ({ retry }) => retry({ minTimeout: 1 }),
    app: (_, nth) => ({ status: nth < 2 ? 503 : 200, body: 'done' }),
    paths: ['/'],
  },
  cache: {
    interceptor: ({ cache }) => cache(),
    app: () => ({
      status: 200,
      headers: { 'cache-control': 'public, max-age=60', 'x-a': 'b' },
      body: 'kept',
    }),
    paths: ['/kept', '/kept', '/kept'],
  },
  'cache, with a conditional request (If-None-Match)': {
    interceptor: ({ cache }) => cache(),
    app: (_, __, headers) =>
      headers['if-none-match'] === undefined
        ? { status: 200, headers: { 'cache-control': 'public, no-cache', etag: '"one"' }, body: 'kept' }
        : { status: 304, headers: { 'cache-control': 'public, no-cache', etag: '"one"' } },
    paths: ['/kept', '/kept'],
  },
  deduplicate: {
    interceptor: ({ deduplicate }) => deduplicate(),
    app: () => ({ status: 200, headers: { 'set-cookie': ['a=1', 'b=2'] }, body: 'once' }),
    paths: ['/same', '/same'],
    together: true,
  },
  dump: {
    interceptor: ({ dump }) => dump({ maxSize: 10_000 }),
    app: () => ({ status: 200, body: TEXT }),
    paths: ['/'],
  },
  'responseError, of a 200': {
    interceptor: ({ responseError }) => responseError(),
    app: () => ({ status: 200, body: TEXT }),
    paths: ['/'],
  },
  'responseError, of a 404': {
    interceptor: ({ responseError }) => responseError(),
    app: () => ({ status: 404, headers: { 'content-type': 'application/json' }, body: '{"a":1}' }),
    paths: ['/'],
  },
  dns: {
    interceptor: ({ dns }) =>
      dns({
        lookup: (_origin, _options, done) => done(null, [{ address: '127.0.0.1', family: 4, ttl: 1000 }]),
      }),
    app: (path, _, { host }) => ({ status: 200, body: `${path} of ${host?.replace(/:\d+$/, '')}` }),
    paths: ['/one', '/two'],
  },
  'no interceptor': {
    interceptor: () => (dispatch) => (options, handler) => dispatch(options, handler),
    app: () => ({
      status: 203,
      headers: { 'X-Upper': 'a', 'x-twice': ['1', '2'], 'set-cookie': ['a=1', 'b=2'] },
      body: TEXT,
    }),
    paths: ['/'],
  },
}
for (const [encoding, encode] of Object.entries({
  gzip: gzipSync,
  deflate: deflateSync,
  br: brotliCompressSync,
  'deflate, gzip': (text: string) => gzipSync(deflateSync(text)),
})) {
  cases[`decompress, of ${encoding}`] = {
    interceptor: ({ decompress }) => decompress(),
    app: () => ({
      status: 200,
      headers: { 'content-encoding': encoding, 'Content-Type': 'text/plain', 'x-twice': ['1', '2'] },
      body: encode(TEXT),
    }),
    paths: ['/'],
  }
}
cases['decompress, of a body that is not encoded'] = {
  interceptor: ({ decompress }) => decompress(),
  app: () => ({ status: 200, body: TEXT }),
  paths: ['/'],
}

describe.each(Object.keys(callers))(`Node ${process.versions.node}, %s`, (caller) => {
  describe.each(Object.keys(packages))('interceptors of %s', (interceptors) => {
    test.each(Object.keys(cases))('%s', async (name) => {
      const { call, reference } = callers[caller]!
      const { interceptor, app, ...asks } = cases[name]!
      const add = interceptor(packages[interceptors]!.interceptors)
      const addOther = interceptor(packages[interceptors]!.interceptors)
      const expected = await throughAgent(reference, addOther, app, call, asks)
      const { asked, results } = await throughFastCgi(add, app, call, asks)
      expect({ asked, results }).toEqual(expected)
      expect(results).toHaveLength(asks.paths.length)
    })
  })
})

describe.each(Object.keys(packages))('a handler gets the same as from the Agent of %s', (name) => {
  test('rawHeaders and rawTrailers are null, then one array; both can be replaced', async () => {
    const app: App = () => ({ status: 200, headers: { 'X-A': '1', 'x-b': ['2', '3'] }, body: 'text' })
    const reference = await throughAgent(packages[name]!, (dispatch) => dispatch, app, handle, {
      paths: ['/'],
    })
    const ours = await throughFastCgi((dispatch) => dispatch, app, handle, { paths: ['/'] })
    expect(ours).toEqual(reference)
    expect(ours.results).toEqual([
      {
        start: { rawHeaders: null, rawTrailers: null, aborted: false, paused: false, reason: null },
        response: {
          isArray: true,
          same: true,
          names: ['X-A', 'x-b', 'x-b'],
          edited: 'edited',
          replaced: true,
        },
        end: { rawTrailers: true, replaced: true, trailers: {} },
      },
    ])
  })
})

describe.each([
  ['no body', (): unknown => null, ['onRequestSent']],
  ['a string', (): unknown => 'body', ['onBodySent body', 'onRequestSent']],
  ['an empty string', (): unknown => '', ['onRequestSent']],
  ['a long string', (): unknown => 'x'.repeat(20_000), [`onBodySent ${'x'.repeat(20_000)}`, 'onRequestSent']],
  [
    'a stream',
    (): unknown => Readable.from(['one', 'two']),
    ['onBodySent one', 'onBodySent two', 'onRequestSent'],
  ],
] as const)('the calls of a handler for %s', (_, body, sent) => {
  const all = [
    'onRequestStart',
    ...sent,
    'onResponseStarted',
    'onResponseStart',
    'onResponseData',
    'onResponseEnd',
  ]
  const app: App = () => ({ status: 200, body: 'text' })
  const call: Caller = (url, dispatcher) => callsOf(url, dispatcher, body())

  test('are the expected ones', async () => {
    expect((await throughFastCgi((dispatch) => dispatch, app, call, { paths: ['/'] })).results).toEqual([all])
  })

  // undici 7 does not call the request hooks on handlers of the newer interface.
  test.each(Object.keys(packages).filter((name) => name !== 'undici 7'))(
    'are the same as those of %s',
    async (name) => {
      const reference = await throughAgent(packages[name]!, (dispatch) => dispatch, app, call, {
        paths: ['/'],
      })
      expect(reference.results).toEqual([all])
    },
  )
})

/** Returns the names of the methods that are called on a handler of the newer interface, in order. */
function callsOf(url: string, dispatcher: undici7.Dispatcher, body: unknown): Promise<string[]> {
  const { origin, pathname } = new URL(url)
  const calls: string[] = []
  return new Promise((resolve, reject) => {
    const handler = {
      onRequestStart: () => {
        calls.push('onRequestStart')
      },
      onBodySent: (chunk: Uint8Array) => {
        calls.push(`onBodySent ${Buffer.from(chunk)}`)
      },
      onRequestSent: () => {
        calls.push('onRequestSent')
      },
      onResponseStarted: () => {
        calls.push('onResponseStarted')
      },
      onResponseStart: () => {
        calls.push('onResponseStart')
      },
      onResponseData: () => {
        calls.push('onResponseData')
      },
      onResponseEnd() {
        calls.push('onResponseEnd')
        resolve(calls)
      },
      onResponseError: (_: unknown, error: Error) => reject(error),
    }
    dispatcher.dispatch({ origin, path: pathname, method: 'POST', body: body as string }, handler as object)
  })
}

/** Records what undici's newer handler interface provides. */
function handle(url: string, dispatcher: undici7.Dispatcher): Promise<unknown> {
  const { origin, pathname } = new URL(url)
  const seen: Record<string, unknown> = {}
  return new Promise((resolve, reject) => {
    dispatcher.dispatch(
      { origin, path: pathname, method: 'GET' },
      {
        onRequestStart({ rawHeaders, rawTrailers, aborted, paused, reason }) {
          seen.start = { rawHeaders, rawTrailers, aborted, paused, reason }
        },
        onResponseStart(controller) {
          const raw = controller.rawHeaders as (Buffer | string)[]
          const isArray = Array.isArray(raw)
          const same = controller.rawHeaders === raw
          const names = raw.filter((_, i) => i % 2 === 0).map(String)
          raw[1] = 'edited'
          const edited = (controller.rawHeaders as string[])[1]
          const other = ['x', 'y']
          controller.rawHeaders = other
          const replaced = controller.rawHeaders === other
          seen.response = { isArray, same, names: names.filter((one) => /^x-/i.test(one)), edited, replaced }
        },
        onResponseData() {},
        onResponseEnd(controller, trailers) {
          const rawTrailers = Array.isArray(controller.rawTrailers)
          const other = ['x', 'y']
          controller.rawTrailers = other
          seen.end = { rawTrailers, replaced: controller.rawTrailers === other, trailers: { ...trailers } }
          resolve(seen)
        },
        onResponseError: (_, error) => reject(error),
      },
    )
  })
}

type Asks = Pick<Case, 'paths' | 'together'>

async function ask({ paths, together }: Asks, one: (path: string) => Promise<unknown>): Promise<unknown[]> {
  if (together) return Promise.all(paths.map(one))
  const results: unknown[] = []
  for (const path of paths) results.push(await one(path))
  return results
}

async function throughAgent(
  { Agent }: Undici,
  interceptor: Interceptor,
  app: App,
  call: Caller,
  asks: Asks,
): Promise<Outcome> {
  const asked: string[] = []
  const server = createHttpServer((request, response) => {
    const { status, headers, body } = app(
      request.url!,
      asked.push(request.url!) - 1,
      request.headers as Record<string, string>,
    )
    response.sendDate = false
    response.writeHead(status, headers)
    response.end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const agent = new Agent()
  onTestFinished(async () => {
    await agent.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const dispatcher = agent.compose(interceptor)
  return { asked, results: await ask(asks, (path) => call(`http://localhost:${port}${path}`, dispatcher)) }
}

async function throughFastCgi(
  interceptor: Interceptor,
  app: App,
  call: Caller,
  asks: Asks,
): Promise<Outcome> {
  const asked: string[] = []
  const server = createServer((exchange) => {
    const headers = Object.fromEntries(
      Object.entries(exchange.params)
        .filter(([name]) => name.startsWith('HTTP_'))
        .map(([name, value]) => [name.slice(5).toLowerCase().replaceAll('_', '-'), String(value)]),
    )
    const response = app(exchange.target, asked.push(exchange.target) - 1, headers)
    const list = Object.entries(response.headers ?? {}).flatMap(([name, value]) =>
      [value].flat().flatMap((one) => [name, one]),
    )
    exchange.writeHead(response.status, list)
    exchange.end(response.body ?? '')
  })
  await server.listen({ host: '127.0.0.1', port: 0 })
  const { port } = server.address() as AddressInfo
  const fastCgi = new FastCgiDispatcher({ port })
  onTestFinished(async () => {
    await fastCgi.destroy()
    await server.close()
  })
  const dispatcher = fastCgi.compose(interceptor)
  return { asked, results: await ask(asks, (path) => call(`http://localhost${path}`, dispatcher)) }
}

function fetchWith(call: Undici['fetch']): Caller {
  return async (url, dispatcher) => {
    try {
      const response = await call(url, { dispatcher })
      const { status, statusText, redirected, headers } = response
      return { status, statusText, redirected, headers: ofResponse(headers), text: await response.text() }
    } catch (error) {
      return errorOf(error)
    }
  }
}

function requestWith(call: Undici['request']): Caller {
  return async (url, dispatcher) => {
    try {
      const { statusCode, headers, body } = await call(url, { dispatcher })
      return { statusCode, headers: ofResponse(Object.entries(headers)), text: await body.text() }
    } catch (error) {
      return errorOf(error)
    }
  }
}

/**
 * Without hop-by-hop headers, the length, which node:http adds, and headers of the cache interceptor that depend on
 * time.
 */
function ofResponse(headers: Iterable<[string, unknown]>): Record<string, unknown> {
  const all: [string, unknown][] = []
  for (const [name, value] of headers) {
    if (!/^(?:connection|keep-alive|transfer-encoding|content-length|age|warning)$/.test(name))
      all.push([name, value])
  }
  return Object.fromEntries(all.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function errorOf(error: unknown): unknown {
  const { name, message, code, statusCode, body, cause } = error as Record<string, unknown>
  return { name, message, code, statusCode, body, ...(cause !== undefined && { cause: errorOf(cause) }) }
}
