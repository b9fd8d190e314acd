import { once } from 'node:events'
import type { ResponderRequest } from '@fcgi-bridge/testing'
import { errors, fetch, request } from 'undici'
import { expect, test } from 'vitest'
import { deferred, respondWith, setup } from './testing/setup.ts'

const URL_ = 'http://example.test/'
const HELLO = 'Content-Type: text/plain\r\n\r\nhello'

/** A responder that passes the first request to the test and responds to the others. */
function first(): { handler: (request: ResponderRequest) => void; promise: Promise<ResponderRequest> } {
  const { promise, resolve } = deferred<ResponderRequest>()
  let requests = 0
  return { promise, handler: (r) => (requests++ === 0 ? resolve(r) : r.respond(HELLO)) }
}

test('before the head: sends FCGI_ABORT_REQUEST, and reuses the connection', async () => {
  const app = first()
  const { dispatcher, responder } = await setup(app.handler, { maxConnections: 1 })
  const controller = new AbortController()
  const aborted = expect(fetch(URL_, { dispatcher, signal: controller.signal })).rejects.toThrow('enough')
  const r = await app.promise
  controller.abort(new Error('enough'))
  await aborted
  await r.aborted
  r.stdout('Status: 500\r\n\r\nlate')
  r.end()
  expect(await (await fetch(URL_, { dispatcher })).text()).toBe('hello')
  expect(responder.sockets).toHaveLength(1)
})

test('closes the connection of an application that does not end an aborted request', async () => {
  const app = first()
  const { dispatcher, responder } = await setup(app.handler, { maxConnections: 1 })
  const controller = new AbortController()
  const aborted = expect(request(URL_, { dispatcher, signal: controller.signal })).rejects.toThrow()
  const r = await app.promise
  controller.abort()
  await aborted
  // This request waits for the only connection that is allowed.
  expect(await (await fetch(URL_, { dispatcher })).text()).toBe('hello')
  expect(responder.sockets).toHaveLength(2)
  if (!r.socket.closed) await once(r.socket, 'close')
})

test('during the response body, by cancelling the stream', async () => {
  const app = first()
  const { dispatcher } = await setup(app.handler)
  const response = fetch(URL_, { dispatcher })
  const r = await app.promise
  r.stdout('\r\nhello')
  await (await response).body!.cancel()
  await r.aborted
})

test('during the request body: sends no more STDIN, and stops the source of the body', async () => {
  const app = first()
  const { dispatcher } = await setup(app.handler)
  const controller = new AbortController()
  const stopped = deferred()
  const sent = deferred()
  const body = async function* () {
    try {
      yield 'one'
      sent.resolve()
      for (let i = 0; i < 100_000; i++) {
        yield 'more'
        await new Promise((resolve) => setImmediate(resolve))
      }
    } finally {
      stopped.resolve()
    }
  }
  const options = { dispatcher, signal: controller.signal, method: 'POST' as const, body: body() as never }
  const aborted = expect(request(URL_, options)).rejects.toThrow()
  const r = await app.promise
  await sent.promise
  controller.abort()
  await aborted
  await r.aborted
  const before = r.stdinChunks.length
  await stopped.promise
  r.end()
  expect(await (await fetch(URL_, { dispatcher })).text()).toBe('hello')
  expect(r.stdinChunks).toHaveLength(before)
})

test('while the request waits for a connection: the application gets no part of it', async () => {
  const app = first()
  const paths: string[] = []
  const { dispatcher } = await setup(
    (r) => {
      paths.push(r.params.PATH_INFO!)
      app.handler(r)
    },
    { maxConnections: 1 },
  )
  const running = request(URL_, { dispatcher })
  const r = await app.promise
  const controller = new AbortController()
  const waiting = expect(
    request(`${URL_}waiting`, { dispatcher, signal: controller.signal }),
  ).rejects.toThrow()
  controller.abort()
  await waiting
  r.respond(HELLO)
  await (await running).body.text()
  await (await fetch(`${URL_}next`, { dispatcher })).text()
  expect(paths).toEqual(['/', '/next'])
})

test('before the connection is open: the next request uses the connection', async () => {
  const { dispatcher, responder } = await setup(respondWith(HELLO))
  const controller = new AbortController()
  const aborted = expect(request(URL_, { dispatcher, signal: controller.signal })).rejects.toThrow()
  const connected = once(dispatcher, 'connect')
  controller.abort()
  await aborted
  await connected
  expect(await (await fetch(URL_, { dispatcher })).text()).toBe('hello')
  expect(responder.sockets).toHaveLength(1)
})

test('a signal that was aborted before', async () => {
  const { dispatcher, responder } = await setup(respondWith(HELLO))
  const signal = AbortSignal.abort(new Error('no'))
  await expect(request(URL_, { dispatcher, signal })).rejects.toThrow('no')
  expect(responder.sockets).toHaveLength(0)
})

test('a request body that fails aborts the request with its error', async () => {
  const app = first()
  const { dispatcher } = await setup(app.handler)
  const body = async function* () {
    yield 'one'
    await app.promise
    throw new Error('disk full')
  }
  await expect(request(URL_, { dispatcher, method: 'POST', body: body() as never })).rejects.toThrow(
    'disk full',
  )
  await (await app.promise).aborted
})

test.each([
  ['longer', 'hello!'],
  ['shorter', 'hell'],
])('a request body that is %s than its Content-Length', async (_, text) => {
  const app = first()
  const { dispatcher } = await setup(app.handler)
  const body = async function* () {
    await app.promise
    yield text
  }
  const options = { dispatcher, method: 'POST', headers: { 'content-length': '5' } } as const
  await expect(request(URL_, { ...options, body: body() as never })).rejects.toThrow(
    errors.RequestContentLengthMismatchError,
  )
  await (await app.promise).aborted
  // If the whole body is in memory, nothing is sent at all.
  await expect(request(URL_, { ...options, body: text })).rejects.toThrow(
    errors.RequestContentLengthMismatchError,
  )
})

test.each([
  ['fast', 100_000, 1000],
  ['slow', 1, 100_000],
])(
  'a response before the end of a %s request is complete, and the rest of the request is not sent',
  async (_, size, count) => {
    const { dispatcher, responder } = await setup((r) => {
      r.stdout('Status: 413\r\n\r\ntoo large')
      r.end()
    })
    const stopped = deferred()
    const body = async function* () {
      try {
        for (let i = 0; i < count; i++) {
          yield Buffer.alloc(size)
          await new Promise((resolve) => setImmediate(resolve))
        }
      } finally {
        stopped.resolve()
      }
    }
    const response = await request(URL_, { dispatcher, method: 'POST', body: body() as never })
    expect(response.statusCode).toBe(413)
    expect(await response.body.text()).toBe('too large')
    await stopped.promise
    // The rest of the old request must not be read as part of the next one, so the connection is not reused.
    await (await fetch(URL_, { dispatcher })).text()
    expect(responder.sockets).toHaveLength(2)
  },
)
