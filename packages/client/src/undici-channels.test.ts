import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Dispatcher, Pool, request } from 'undici'
import { expect, onTestFinished, test } from 'vitest'
import { deferred, setup } from './testing/setup.ts'

interface Message {
  request: {
    origin: string
    method: string
    path: string
    headers: string[]
    completed: boolean
    aborted: boolean
    addHeader(name: string, value: string): unknown
  }
  response?: { statusCode: number; headers: Buffer[]; statusText: string }
  trailers?: unknown[]
  error?: Error
}

const CHANNELS = ['create', 'headers', 'trailers', 'error'].map((name) => `undici:request:${name}`)

function listenTo(listener: (name: string, message: Message) => void): void {
  for (const name of CHANNELS) {
    const subscriber = (message: unknown) => listener(name, message as Message)
    subscribe(name, subscriber)
    onTestFinished(() => void unsubscribe(name, subscriber))
  }
}

async function traceOf(dispatcher: Dispatcher, seen: unknown[], path: string, signal?: AbortSignal) {
  seen.length = 0
  const options = {
    dispatcher,
    method: 'PUT' as const,
    headers: { 'x-a': '1' },
    body: 'body',
    ...(signal && { signal }),
  }
  await request(`http://app.test${path}`, options).then(
    ({ body }) => body.dump(),
    () => {},
  )
  return [...seen]
}

test('publishes the channels of undici, as a Pool does, and sends the headers that subscribers add', async () => {
  const traceparents: unknown[] = []
  const http = createServer((request, response) => {
    traceparents.push(request.headers.traceparent)
    if (request.url === '/cut') response.destroy()
    else response.writeHead(201, 'Made', { 'x-b': '2' }).end('made')
  }).listen(0, '127.0.0.1')
  await once(http, 'listening')
  const pool = new Pool(`http://127.0.0.1:${(http.address() as AddressInfo).port}`)
  onTestFinished(async () => {
    await pool.close()
    http.close()
  })
  const { dispatcher } = await setup((r) => {
    traceparents.push(r.params.HTTP_TRACEPARENT)
    r.respond('Status: 201 Made\r\nX-B: 2\r\n\r\nmade')
  })

  const seen: unknown[] = []
  let first: Message['request'] | undefined
  listenTo((name, { request, response, trailers, error, ...rest }) => {
    if (name === 'undici:request:create') {
      first = request
      request.addHeader('traceparent', 'abc')
    }
    seen.push([
      name,
      request === first,
      request.method,
      request.path,
      request.headers.slice(0, 2),
      response?.statusCode,
      response?.statusText,
      response?.headers.map(String).join().toLowerCase().includes('x-b,2'),
      trailers,
      error?.name,
      Object.keys(rest),
    ])
  })
  const reference = await traceOf(pool, seen, '/items?a=1')
  expect(reference).toHaveLength(3)
  expect(await traceOf(dispatcher, seen, '/items?a=1')).toEqual(reference)
  expect(traceparents).toEqual(['abc', 'abc'])
})

test('publishes the error of a request that failed, once', async () => {
  const called = deferred()
  const { dispatcher } = await setup(() => called.resolve())
  const seen: unknown[] = []
  listenTo((name, { error }) => seen.push([name, error?.name]))
  const controller = new AbortController()
  void called.promise.then(() => controller.abort())
  expect(await traceOf(dispatcher, seen, '/', controller.signal)).toEqual([
    ['undici:request:create', undefined],
    ['undici:request:error', 'AbortError'],
  ])
})
