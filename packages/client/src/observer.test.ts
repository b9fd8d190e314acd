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
import { answers, deferred, setup } from './testing/setup.ts'

const URL_ = 'http://example.test/'

type Told = { on: string; id: number; time?: number } & Record<string, unknown>

/** An observer that keeps all that it is told, in order. `ended` settles at the first onEnd. */
function watch(): { observer: ExchangeObserver; told: Told[]; ended: Promise<void> } {
  const told: Told[] = []
  const { promise: ended, resolve } = deferred()
  const keep = (on: string) => (event: { id: number }) => void told.push({ on, ...event })
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
  return { observer, told, ended }
}

/** Records as `sent 4 100+4`. */
function recordsOf(told: Told[]): string[] {
  return told
    .filter(({ on }) => on === 'record')
    .map((r) => `${r.direction} ${r.type} ${r.contentLength}+${r.paddingLength}`)
}

test('a request from begin to end: params, records, stderr, head', async () => {
  const { observer, told, ended } = watch()
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

  const [begin] = told
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
  const records = recordsOf(told)
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
  expect(told.find(({ on }) => on === 'stderr')).toMatchObject({ chunk: Buffer.from('careful') })
  expect(told.find(({ on }) => on === 'head')).toMatchObject({
    status: 201,
    headers: ['X-A', '1', 'X-A', '2'],
  })
  expect(told.at(-1)).toMatchObject({ on: 'end', appStatus: 0, protocolStatus: 0 })
  expect(told.at(-1)).not.toHaveProperty('error')
  expect(new Set(told.map(({ id }) => id)).size).toBe(1)
  const times = told.slice(1).map(({ time }) => time!)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
})

test('requests have ids of their own; kept connections are seen to be the same one', async () => {
  const { observer, told } = watch()
  const { dispatcher } = await setup(answers('\r\nhello'), { observer })
  for (let i = 0; i < 2; i++) await (await fetch(URL_, { dispatcher })).text()
  const begun = told.filter(({ on }) => on === 'begin')
  expect(begun.map(({ connection }) => connection)).toEqual([1, 1])
  expect(begun[0]!.id).not.toBe(begun[1]!.id)
})

test('a long body is told record by record, and records that come in pieces once each', async () => {
  const { observer, told, ended } = watch()
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
  expect(recordsOf(told).slice(-6)).toEqual([
    'sent 5 65528+0',
    'sent 5 65528+0',
    'sent 5 18945+7',
    'sent 5 0+0',
    'received 6 7+1',
    'received 3 8+0',
  ])
})

describe('how a request ends', () => {
  test('the application ends it without an answer', async () => {
    const { observer, told, ended } = watch()
    const { dispatcher } = await setup((r) => r.end(7, 2), { observer })
    await expect(request(URL_, { dispatcher })).rejects.toThrow()
    await ended
    expect(told.at(-1)).toMatchObject({
      appStatus: 7,
      protocolStatus: 2,
      error: { code: 'FCGI_ERR_OVERLOADED' },
    })
  })

  test('the connection ends', async () => {
    const { observer, told, ended } = watch()
    const { dispatcher } = await setup((r) => void r.socket.end(), { observer })
    await expect(request(URL_, { dispatcher })).rejects.toThrow()
    await ended
    expect(told.at(-1)).toMatchObject({ on: 'end', error: { code: 'FCGI_ERR_CONNECTION_CLOSED' } })
    expect(told.at(-1)).not.toHaveProperty('appStatus')
  })

  test('no connection comes up', async () => {
    const { observer, told, ended } = watch()
    const dispatcher = new FastCgiDispatcher('/nowhere/app.sock', { observer })
    await expect(request(URL_, { dispatcher })).rejects.toThrow()
    await ended
    expect(told).toMatchObject([{ on: 'begin' }, { on: 'end', error: { code: 'ENOENT' } }])
  })

  test('its client gives up: what the application still sends is told, and then the end', async () => {
    const { observer, told, ended } = watch()
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
    expect(recordsOf(told).slice(-2)).toEqual([`sent ${FCGI_ABORT_REQUEST} 0+0`, 'received 3 8+0'])
    expect(told.at(-1)).toMatchObject({ on: 'end', appStatus: 0, error: { name: 'AbortError' } })
  })
})

test('methods that are not there are not missed', async () => {
  const { promise, resolve } = deferred<number | undefined>()
  const observer: ExchangeObserver = { onEnd: ({ appStatus }) => resolve(appStatus) }
  const { dispatcher } = await setup((r) => r.stderr('x') && r.respond('\r\nhello'), { observer })
  expect(await (await fetch(URL_, { dispatcher })).text()).toBe('hello')
  expect(await promise).toBe(0)
})

test("an observer's own error is not the request's", async () => {
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
  const { dispatcher } = await setup(answers('\r\nhello'), { observer })
  expect(await (await fetch(URL_, { dispatcher })).text()).toBe('hello')
  expect(await thrown.promise).toMatchObject({ message: 'a bug' })
})

test('the gateway takes one too', async () => {
  const { observer, told, ended } = watch()
  const responder = await Responder.listen(answers('\r\nhello'))
  onTestFinished(() => responder.close())
  await supertest(createGateway(responder.address, { observer })).get('/x').expect(200)
  await ended
  expect(told[0]).toMatchObject({ on: 'begin', target: '/x' })
})
