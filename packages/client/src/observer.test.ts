import {
  encodeRecord,
  FCGI_ABORT_REQUEST,
  FCGI_BEGIN_REQUEST,
  FCGI_END_REQUEST,
  FCGI_PARAMS,
  FCGI_STDERR,
  FCGI_STDIN,
  FCGI_STDOUT,
} from '@fcgi-bridge/core'
import { Responder, type ResponderRequest } from '@fcgi-bridge/testing'
import supertest from 'supertest'
import { fetch, request } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { FastCgiDispatcher } from './dispatcher.ts'
import { createGateway } from './gateway/gateway.ts'
import type { ExchangeObserver } from './observer.ts'
import { deferred, respondWith, setup } from './testing/setup.ts'

const URL_ = 'http://example.test/'

type ObservedEvent = { on: string; id: number; time?: number } & Record<string, unknown>

/** Creates an observer that keeps all events in order. `ended` resolves at the first onEnd. */
function watch(): { observer: ExchangeObserver; events: ObservedEvent[]; ended: Promise<void> } {
  const events: ObservedEvent[] = []
  const { promise: ended, resolve } = deferred()
  const keep = (on: string) => (event: { id: number }) => void events.push({ on, ...event })
  const onEnd = (event: { id: number }): void => {
    keep('end')(event)
    resolve()
  }
  const observer = {
    onBegin: keep('begin'),
    onRecord: keep('record'),
    onStderr: keep('stderr'),
    onHead: keep('head'),
    onEnd,
  }
  return { observer, events, ended }
}

/** Formats records as `sent 4 100+4`: direction, type, content and padding length. */
function recordsOf(events: ObservedEvent[]): string[] {
  return events
    .filter(({ on }) => on === 'record')
    .map((r) => `${r.direction} ${r.type} ${r.contentLength}+${r.paddingLength}`)
}

test('a request from begin to end: params, records, stderr, head', async () => {
  const { observer, events, ended } = watch()
  const { dispatcher } = await setup(
    async (r) => {
      await r.stdinEnded
      r.stderr('careful')
      r.respond('Status: 201 Made\r\nX-A: 1\r\nX-A: 2\r\n\r\nhello')
    },
    { observer },
  )
  const response = await request(`${URL_}a%20b?x=1`, { dispatcher, method: 'POST', body: 'four' })
  expect(await response.body.text()).toBe('hello')
  await ended

  const [begin] = events
  expect(begin).toMatchObject({
    on: 'begin',
    method: 'POST',
    target: '/a%20b?x=1',
    requestId: 1,
    connection: 1,
  })
  expect(begin!.params).toEqual(
    expect.arrayContaining([
      ['REQUEST_URI', '/a%20b?x=1'],
      ['CONTENT_LENGTH', '4'],
    ]),
  )
  const records = recordsOf(events)
  expect(records.map((line) => line.replace(/ \d+\+\d+$/, ''))).toEqual([
    `sent ${FCGI_BEGIN_REQUEST}`,
    `sent ${FCGI_PARAMS}`,
    `sent ${FCGI_PARAMS}`,
    `sent ${FCGI_STDIN}`,
    `sent ${FCGI_STDIN}`,
    `received ${FCGI_STDERR}`,
    `received ${FCGI_STDOUT}`,
    `received ${FCGI_STDOUT}`,
    `received ${FCGI_END_REQUEST}`,
  ])
  expect(records).toContain(`sent ${FCGI_STDIN} 4+4`)
  expect(records).toContain(`received ${FCGI_STDERR} 7+1`)
  expect(events.find(({ on }) => on === 'stderr')).toMatchObject({ chunk: Buffer.from('careful') })
  expect(events.find(({ on }) => on === 'head')).toMatchObject({
    status: 201,
    headers: ['X-A', '1', 'X-A', '2'],
  })
  expect(events.at(-1)).toMatchObject({ on: 'end', appStatus: 0, protocolStatus: 0 })
  expect(events.at(-1)).not.toHaveProperty('error')
  expect(new Set(events.map(({ id }) => id)).size).toBe(1)
  const times = events.slice(1).map(({ time }) => time!)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
})

test('each request has its own id, and a reused connection has the same number', async () => {
  const { observer, events } = watch()
  const { dispatcher } = await setup(respondWith('\r\nhello'), { observer })
  for (let i = 0; i < 2; i++) await (await fetch(URL_, { dispatcher })).text()
  const begun = events.filter(({ on }) => on === 'begin')
  expect(begun.map(({ connection }) => connection)).toEqual([1, 1])
  expect(begun[0]!.id).not.toBe(begun[1]!.id)
})

test('a long body is reported record by record, and a record that arrives in pieces once', async () => {
  const { observer, events, ended } = watch()
  const { dispatcher } = await setup(
    async (r) => {
      await r.stdinEnded
      for (const byte of encodeRecord(FCGI_STDOUT, r.requestId, Buffer.from('\r\nhello'))) {
        await new Promise((resolve) => r.socket.write(Uint8Array.of(byte), resolve))
      }
      r.end()
    },
    { observer },
  )
  await (await fetch(URL_, { dispatcher, method: 'POST', body: new Uint8Array(150_001) })).text()
  await ended
  expect(recordsOf(events).slice(-6)).toEqual([
    'sent 5 65528+0',
    'sent 5 65528+0',
    'sent 5 18945+7',
    'sent 5 0+0',
    'received 6 7+1',
    'received 3 8+0',
  ])
})

describe('how a request ends', () => {
  test('the application ends it without a response', async () => {
    const { observer, events, ended } = watch()
    const { dispatcher } = await setup((r) => r.end(7, 2), { observer })
    await expect(request(URL_, { dispatcher })).rejects.toThrow()
    await ended
    expect(events.at(-1)).toMatchObject({
      appStatus: 7,
      protocolStatus: 2,
      error: { code: 'FCGI_ERR_OVERLOADED' },
    })
  })

  test('the connection closes', async () => {
    const { observer, events, ended } = watch()
    const { dispatcher } = await setup((r) => void r.socket.end(), { observer })
    await expect(request(URL_, { dispatcher })).rejects.toThrow()
    await ended
    expect(events.at(-1)).toMatchObject({ on: 'end', error: { code: 'FCGI_ERR_CONNECTION_CLOSED' } })
    expect(events.at(-1)).not.toHaveProperty('appStatus')
  })

  test('the connection fails', async () => {
    const { observer, events, ended } = watch()
    const dispatcher = new FastCgiDispatcher('/nowhere/app.sock', { observer })
    await expect(request(URL_, { dispatcher })).rejects.toThrow()
    await ended
    expect(events).toMatchObject([{ on: 'begin' }, { on: 'end', error: { code: 'ENOENT' } }])
  })

  test('its client aborts it: later records are reported, then the end', async () => {
    const { observer, events, ended } = watch()
    const app = deferred<ResponderRequest>()
    const { dispatcher } = await setup(app.resolve, { observer })
    const controller = new AbortController()
    const aborted = expect(request(URL_, { dispatcher, signal: controller.signal })).rejects.toThrow()
    const r = await app.promise
    controller.abort()
    await aborted
    await r.aborted
    r.end()
    await ended
    expect(recordsOf(events).slice(-2)).toEqual([`sent ${FCGI_ABORT_REQUEST} 0+0`, 'received 3 8+0'])
    expect(events.at(-1)).toMatchObject({ on: 'end', appStatus: 0, error: { name: 'AbortError' } })
  })
})

test('all methods are optional', async () => {
  const { promise, resolve } = deferred<number | undefined>()
  const observer: ExchangeObserver = { onEnd: ({ appStatus }) => resolve(appStatus) }
  const { dispatcher } = await setup((r) => r.stderr('x') && r.respond('\r\nhello'), { observer })
  expect(await (await fetch(URL_, { dispatcher })).text()).toBe('hello')
  expect(await promise).toBe(0)
})

test('an error in an observer does not fail the request', async () => {
  const thrown = deferred<Error>()
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.once('uncaughtException', thrown.resolve)
  onTestFinished(() => {
    for (const listener of listeners) process.on('uncaughtException', listener)
  })
  const observer: ExchangeObserver = {
    onHead: () => {
      throw new Error('a bug')
    },
  }
  const { dispatcher } = await setup(respondWith('\r\nhello'), { observer })
  expect(await (await fetch(URL_, { dispatcher })).text()).toBe('hello')
  expect(await thrown.promise).toMatchObject({ message: 'a bug' })
})

test('the gateway accepts an observer, too', async () => {
  const { observer, events, ended } = watch()
  const responder = await Responder.listen(respondWith('\r\nhello'))
  onTestFinished(() => responder.close())
  await supertest(createGateway(responder.address, { observer })).get('/x').expect(200)
  await ended
  expect(events[0]).toMatchObject({ on: 'begin', target: '/x' })
})
