import { AsyncLocalStorage } from 'node:async_hooks'
import { channel, tracingChannel } from 'node:diagnostics_channel'
import { begin, bytes, get, POST, params, record, TYPES } from '@fcgi-bridge/testing'
import { expect, onTestFinished, test } from 'vitest'
import { EXCHANGE_CHANNEL, type ExchangeMessage } from '../index.ts'
import { App, connected, echo } from '../testing/serving.ts'

const EVENTS = ['start', 'head', 'error', 'end'] as const

type Event = (typeof EVENTS)[number]

interface Published {
  event: Event
  /** A copy of the message at that time. */
  state: ExchangeMessage
  message: ExchangeMessage
}

/** Collects the messages that are published from now on, until the test ends. */
function observe(...events: Event[]): Published[] {
  const published: Published[] = []
  for (const event of events.length > 0 ? events : EVENTS) {
    const name = `tracing:fcgi-bridge.exchange:${event}`
    const listener = (message: unknown): void => {
      published.push({
        event,
        message: message as ExchangeMessage,
        state: { ...(message as ExchangeMessage) },
      })
    }
    channel(name).subscribe(listener)
    onTestFinished(() => void channel(name).unsubscribe(listener))
  }
  return published
}

function eventsOf(published: readonly Published[]): Event[] {
  return published.map(({ event }) => event)
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise(setImmediate)
}

test('an exchange is published from its start to its end, as one message', async () => {
  const published = observe()
  const before = performance.now()
  const { peer } = await connected(echo)
  peer.post(7, { REQUEST_URI: '/a?b', CONTENT_LENGTH: '4' }).stdin(7, 'body').endStdin(7)
  await peer.response(7)
  expect(eventsOf(published)).toEqual(['start', 'head', 'end'])
  const [start, head, end] = published as [Published, Published, Published]
  expect(new Set(published.map(({ message }) => message)).size).toBe(1)
  expect(start.state).toMatchObject({
    role: 'responder',
    requestId: 7,
    method: 'POST',
    target: '/a?b',
    status: undefined,
    headTime: undefined,
    endTime: undefined,
  })
  expect(start.state.exchange.remoteAddress).toBe('192.0.2.7')
  expect(head.state).toMatchObject({ status: 200, endTime: undefined })
  expect(end.state).toMatchObject({ status: 200, bytesIn: 4, bytesOut: 'POST /a?b body'.length })
  expect('error' in end.state).toBe(false)
  const { startTime, headTime, endTime } = end.state
  expect(before <= startTime && startTime <= headTime! && headTime! <= endTime!).toBe(true)
})

test('bytesOut counts the bytes of the response body, whether written as strings or buffers', async () => {
  const published = observe('end')
  const { peer } = await connected((exchange) => {
    exchange.write('ä')
    exchange.write(Buffer.from('bc'))
    exchange.write('d')
    exchange.end('€')
  })
  await peer.get(1, {}, { keepConn: true }).response(1)
  await peer.get(2, { REQUEST_METHOD: 'HEAD' }, { keepConn: true }).response(2)
  expect(published.map(({ state }) => state.bytesOut)).toEqual([8, 0])
})

test('a streamed response publishes head when the head is sent, and end when the response ends', async () => {
  const published = observe()
  const app = new App()
  const { peer } = await connected(app.handler)
  peer.get(1)
  const exchange = await app.next()
  exchange.writeHead(202)
  expect(eventsOf(published)).toEqual(['start'])
  exchange.flush()
  expect(eventsOf(published)).toEqual(['start', 'head'])
  exchange.write('piece')
  exchange.end()
  expect(eventsOf(published)).toEqual(['start', 'head', 'end'])
  exchange.fail(new Error('too late'))
  expect(published).toHaveLength(3)
  expect(published.at(-1)!.state).toMatchObject({ status: 202, bytesOut: 5 })
})

test('if the handler fails before the head is sent, the published status is that of the error response', async () => {
  const published = observe()
  const error = new Error('oops')
  const { peer } = await connected((exchange) => {
    exchange.writeHead(201)
    throw error
  })
  await peer.get(1).response(1)
  expect(eventsOf(published)).toEqual(['start', 'error', 'head', 'end'])
  expect(published.at(-1)!.state).toMatchObject({ error, status: 500 })
})

test('if the handler fails after the head was sent, error comes before end', async () => {
  const published = observe()
  const { peer } = await connected((exchange) => {
    exchange.write('beginning')
    throw new Error('oops')
  })
  await peer.get(1).end()
  expect(eventsOf(published)).toEqual(['start', 'head', 'error', 'end'])
  expect(published.at(-1)!.state).toMatchObject({ status: 200, bytesOut: 9, error: new Error('oops') })
})

test('an abort publishes error and end', async () => {
  const published = observe()
  const app = new App()
  const { peer } = await connected(app.handler)
  peer.post(1, { CONTENT_LENGTH: '10' }, { keepConn: true }).stdin(1, 'abc')
  await app.next()
  await peer.abort(1).response(1)
  expect(eventsOf(published)).toEqual(['start', 'error', 'end'])
  const { state } = published.at(-1)!
  expect(state).toMatchObject({ status: undefined, bytesIn: 3, error: { code: 'FCGI_ERR_ABORTED' } })
  expect(state.exchange.aborted).toBe(true)
})

test('a connection that closes before the end of PARAMS publishes start, error and end', async () => {
  const published = observe()
  const { peer } = await connected(echo)
  peer.write(begin(1), record(TYPES.PARAMS, 1, '\x0e\x03REQUEST'))
  await peer.flushed()
  peer.destroy()
  await until(() => published.length === 3)
  expect(eventsOf(published)).toEqual(['start', 'error', 'end'])
  const { state } = published.at(-1)!
  expect(state).toMatchObject({ method: undefined, target: undefined, status: undefined })
  expect(state.exchange.param('REQUEST_METHOD')).toBeUndefined()
})

test.each([
  { refused: 'a request with an invalid method', list: { REQUEST_METHOD: 'NO METHOD' }, status: 400 },
  { refused: 'params that are too large', list: { X: 'x'.repeat(2000) }, status: 431 },
  { refused: 'a body that is too large', list: { CONTENT_LENGTH: '2000' }, status: 413 },
])('$refused is published although no handler is called', async ({ list, status }) => {
  const published = observe()
  const { peer } = await connected(echo, { maxParamsBytes: 1000, maxBodyBytes: 1000 })
  peer.write(begin(1), params(1, { ...POST, ...list }), record(TYPES.STDIN, 1))
  await peer.response(1)
  expect(eventsOf(published)).toEqual(['start', 'error', 'head', 'end'])
  expect(published.at(-1)!.state.status).toBe(status)
})

test('a request beyond maxRequests is published with status 503', async () => {
  const published = observe()
  const app = new App()
  const { peer } = await connected(app.handler, { maxRequests: 1 })
  peer.write(get(1, {}, { keepConn: true }), get(2, {}, { keepConn: true }))
  await peer.response(2)
  const exchange = await app.next()
  exchange.end()
  await peer.response(1)
  const ends = published.filter(({ event }) => event === 'end')
  expect(ends.map(({ state }) => [state.requestId, state.status, state.method])).toEqual([
    [2, 503, undefined],
    [1, 200, 'GET'],
  ])
})

test('authorizers and filters are published', async () => {
  const published = observe('end')
  const { peer } = await connected({
    authorizer: (exchange) => exchange.end(),
    filter: (exchange) => {
      const readData = (): void => {
        while (exchange.data.read() !== null);
        if (exchange.data.ended) exchange.end('filtered')
      }
      exchange.data.onReadable = readData
      readData()
    },
  })
  peer.write(bytes(begin(1, { role: 2, keepConn: true }), params(1)))
  await peer.response(1)
  peer.write(
    begin(2, { role: 3, keepConn: true }),
    params(2, { ...POST, CONTENT_LENGTH: '2', FCGI_DATA_LENGTH: '4' }),
  )
  peer.stdin(2, 'ab').endStdin(2).data(2, 'data').endData(2)
  await peer.response(2)
  expect(published.map(({ state }) => [state.role, state.bytesIn, state.bytesOut])).toEqual([
    ['authorizer', 0, 0],
    ['filter', 6, 8],
  ])
})

test('a store bound to the channel of `start` reaches only the handler of its own request', async () => {
  const store = new AsyncLocalStorage<number>()
  const start = channel('tracing:fcgi-bridge.exchange:start')
  start.bindStore(store, (message) => (message as ExchangeMessage).requestId)
  onTestFinished(() => void start.unbindStore(store))
  const { peer } = await connected(async (exchange) => {
    const before = store.getStore()
    await new Promise(setImmediate)
    exchange.end(`${before} ${store.getStore()}`)
  })
  peer.write(get(3, {}, { keepConn: true }), get(5, {}, { keepConn: true }))
  expect((await peer.response(3)).stdout).toMatch(/3 3$/)
  expect((await peer.response(5)).stdout).toMatch(/5 5$/)
})

test('the channels are the ones of tracingChannel', async () => {
  const received: unknown[] = []
  const subscribers = {
    start: () => received.push('start'),
    end: (message: object) => received.push((message as ExchangeMessage).status),
    asyncStart() {},
    asyncEnd() {},
    error() {},
  }
  tracingChannel(EXCHANGE_CHANNEL).subscribe(subscribers as never)
  onTestFinished(() => tracingChannel(EXCHANGE_CHANNEL).unsubscribe(subscribers as never))
  const { peer } = await connected((exchange) => exchange.end())
  await peer.get(1).response(1)
  expect(received).toEqual(['start', 200])
})

test('an exchange that began before the first subscription is not published', async () => {
  const app = new App()
  const { peer } = await connected(app.handler)
  peer.get(1)
  const exchange = await app.next()
  const published = observe()
  exchange.end()
  await peer.response(1)
  expect(published).toEqual([])
})
