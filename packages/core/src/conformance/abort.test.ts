// FastCGI 1.0, section 5.4: ABORT_REQUEST; and a front server that goes away.

import { once } from 'node:events'
import { begin, GET, params, record, TYPES } from '@fcgi-bridge/testing'
import { describe, expect, test } from 'vitest'
import type { Exchange } from '../exchange/exchange.ts'
import { App, abortion, closed, connected, echo, listen, readAll, TRANSPORTS } from '../testing/serving.ts'

const MEGABYTE = 1024 * 1024

/** Counts what tells of an abort. */
function watch(exchange: Exchange): { hook: number; signal: number } {
  const seen = { hook: 0, signal: 0 }
  exchange.onAbort = () => void seen.hook++
  exchange.signal.addEventListener('abort', () => void seen.signal++)
  return seen
}

const ONCE = { hook: 1, signal: 1 }

test.each([
  ['right behind BEGIN_REQUEST', (): Buffer => begin(1, { keepConn: true })],
  [
    'inside of PARAMS',
    (): Buffer => Buffer.concat([begin(1, { keepConn: true }), params(1).subarray(0, -8)]),
  ],
])('36: ABORT_REQUEST %s is answered with END_REQUEST, and the app never called', async (_, before) => {
  const app = new App()
  const { peer, errors } = await connected(app.handler)
  peer.write(before()).abort(1)
  expect(await peer.answer(1)).toEqual({ stdout: '', stderr: '', appStatus: 0, protocolStatus: 0 })
  // What was on its way belongs to nothing.
  peer.forget().params(1).endStdin(1)
  peer.get(3, {}, { keepConn: true })
  ;(await app.next()).end()
  await peer.answer(3)
  expect(peer.recordsOf(1)).toEqual([])
  expect(app.exchanges).toHaveLength(1)
  expect(errors).toEqual([])
})

test('36: ABORT_REQUEST in the same read as the end of PARAMS', async () => {
  const app = new App()
  const { peer } = await connected(app.handler)
  peer.write(begin(1), params(1), record(TYPES.ABORT_REQUEST, 1))
  await peer.answer(1)
  await peer.end()
  expect(app.exchanges).toEqual([])
})

describe('37: ABORT_REQUEST is told once to hook and signal, and answered with one END_REQUEST', () => {
  test('37: inside of STDIN', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.post(1, { CONTENT_LENGTH: '10' }, { keepConn: true }).stdin(1, 'half')
    const exchange = await app.next()
    const seen = watch(exchange)
    const body = expect(readAll(exchange.stdin)).rejects
    peer.abort(1)
    await body.toMatchObject({ name: 'AbortError', code: 'FCGI_ERR_ABORTED' })
    await peer.answer(1)
    expect(seen).toEqual(ONCE)
    expect(exchange.signal.reason).toMatchObject({ name: 'AbortError', code: 'FCGI_ERR_ABORTED' })
    await expectOneEnd(peer)
  })

  test('37: behind STDIN, while the handler waits', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.get(1, {}, { keepConn: true })
    const exchange = await app.next()
    const seen = watch(exchange)
    peer.abort(1)
    await peer.answer(1)
    expect(seen).toEqual(ONCE)
    expect(exchange).toMatchObject({ aborted: true, ended: true })
    await expectOneEnd(peer)
  })

  test('37: after the head was sent', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.get(1, {}, { keepConn: true })
    const exchange = await app.next()
    const seen = watch(exchange)
    exchange.write('begun')
    await peer.stdout(1, 'begun')
    peer.abort(1)
    await peer.answer(1)
    expect(seen).toEqual(ONCE)
    await expectOneEnd(peer)
  })

  test('37: the signal that is asked for later has it too', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.get(1, {}, { keepConn: true })
    const exchange = await app.next()
    peer.abort(1)
    await peer.answer(1)
    expect(exchange.signal.aborted).toBe(true)
    expect(exchange.request.signal.aborted).toBe(true)
  })

  test('37: never after the end of the answer', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.get(1)
    const exchange = await app.next()
    const seen = watch(exchange)
    exchange.end()
    await peer.answer(1)
    peer.destroy()
    await peer.close()
    expect(seen).toEqual({ hook: 0, signal: 0 })
    expect(exchange).toMatchObject({ aborted: false, ended: true })
  })

  async function expectOneEnd(peer: Awaited<ReturnType<typeof connected>>['peer']): Promise<void> {
    peer.write(record(TYPES.GET_VALUES, 0))
    await peer.until(() => peer.records.find(({ type }) => type === TYPES.GET_VALUES_RESULT))
    expect(peer.records.filter(({ type }) => type === TYPES.END_REQUEST)).toHaveLength(1)
  }
})

test('38: ABORT_REQUEST twice, with a body, for an id that has ended', async () => {
  const app = new App()
  const { peer, errors, protocolErrors } = await connected(app.handler)
  peer.get(1, {}, { keepConn: true })
  const seen = watch(await app.next())
  peer.abort(1, 'with a body').abort(1).abort(1, 'again')
  await peer.answer(1)
  peer.get(3, {}, { keepConn: true })
  ;(await app.next()).end()
  await peer.answer(3)
  peer.abort(3).abort(3, 'x'.repeat(65535))
  peer.get(5, {}, { keepConn: true })
  ;(await app.next()).end()
  await peer.answer(5)
  expect(seen).toEqual(ONCE)
  expect(peer.records.filter(({ type }) => type === TYPES.END_REQUEST).map(({ id }) => id)).toEqual([1, 3, 5])
  expect([...errors, ...protocolErrors]).toEqual([])
})

test('38: ABORT_REQUEST for an answer that has ended and waits for the end of STDIN ends it', async () => {
  const app = new App()
  const { peer } = await connected(app.handler)
  peer.post(1, { CONTENT_LENGTH: '10' }, { keepConn: true })
  const exchange = await app.next()
  const seen = watch(exchange)
  exchange.appStatus = 7
  exchange.end('early')
  await peer.stdout(1, 'early')
  peer.abort(1)
  expect(await peer.answer(1)).toMatchObject({ appStatus: 7, protocolStatus: 0 })
  expect(seen).toEqual({ hook: 0, signal: 0 })
})

test('38: ABORT_REQUEST of one of two requests leaves the other unharmed', async () => {
  const app = new App()
  const { peer } = await connected(app.handler)
  peer.post(1, { CONTENT_LENGTH: '8' }, { keepConn: true }).get(2, {}, { keepConn: true })
  const [one, two] = [await app.next(), await app.next()]
  const [first, second] = [watch(one), watch(two)]
  const body = readAll(one.stdin)
  peer.stdin(1, 'half').abort(2)
  await peer.answer(2)
  expect(second).toEqual(ONCE)
  peer.stdin(1, 'half').endStdin(1)
  one.end(await body)
  expect((await peer.answer(1)).stdout).toMatch(/\r\n\r\nhalfhalf$/)
  expect(first).toEqual({ hook: 0, signal: 0 })
})

describe('39: while input is paused because the app does not read', () => {
  test.each([
    ['before', 256 * 1024],
    ['long before', 900 * 1024],
  ])('39: ABORT_REQUEST is noticed, %s the window of a shared connection is full', async (_, size) => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.post(1, { CONTENT_LENGTH: String(100 * MEGABYTE) }, { keepConn: true })
    const aborted = abortion(await app.next())
    peer.stdin(1, Buffer.alloc(size)).abort(1)
    expect(await aborted).toMatchObject({ code: 'FCGI_ERR_ABORTED' })
    await peer.answer(1)
  })

  test.each(TRANSPORTS.flatMap((transport) => [1, 4, 64].map((size) => [transport, size] as const)))(
    '39: a close is noticed, over %s, with %i MiB on the way',
    async (transport, size) => {
      const app = new App()
      const { peer } = await connected(app.handler, {}, transport)
      peer.post(1, { CONTENT_LENGTH: String(100 * MEGABYTE) }, { keepConn: true })
      const exchange = await app.next()
      const aborted = abortion(exchange)
      const body = Buffer.alloc(size * MEGABYTE)
      peer.stdin(1, body)
      await peer.paused()
      peer.destroy()
      expect(await aborted).toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
      expect(exchange.stdin.error).toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
    },
  )
})

describe.each(TRANSPORTS)('40: a socket that is closed, over %s', (transport) => {
  test('40: aborts every request on it', async () => {
    const app = new App()
    const { peer, errors } = await connected(app.handler, {}, transport)
    peer.begin(1, { keepConn: true }).get(2, {}, { keepConn: true }).get(3, {}, { keepConn: true })
    peer.post(4, { CONTENT_LENGTH: '10' }, { keepConn: true })
    const exchanges = [await app.next(), await app.next(), await app.next()]
    exchanges[0]!.write('begun')
    await peer.stdout(2, 'begun')
    const seen = exchanges.map(watch)
    const aborted = exchanges.map((exchange) => once(exchange.signal, 'abort'))
    peer.destroy()
    await Promise.all(aborted)
    expect(seen).toEqual([ONCE, ONCE, ONCE])
    for (const { signal } of exchanges)
      expect(signal.reason).toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
    expect(errors).toEqual([])
  })

  test('40: is noticed although the handler only waits', async () => {
    const app = new App()
    const { peer } = await connected(app.handler, {}, transport)
    // nginx: KEEP_CONN off, the whole request sent, and gone when its client is.
    peer.get(1)
    const aborted = abortion(await app.next())
    peer.destroy()
    expect(await aborted).toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
  })

  test('40: by a peer that half-closed first and waited for its answer', async () => {
    const app = new App()
    const { peer, sockets } = await connected(app.handler, {}, transport)
    peer.get(1).halfClose()
    const exchange = await app.next()
    const aborted = abortion(exchange)
    if (!sockets[0]!.readableEnded) await once(sockets[0]!, 'end')
    exchange.write('event')
    await peer.stdout(1, 'event')
    peer.destroy()
    expect(await aborted).toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
  })

  test('40: while the answer waits for a peer that does not read', async () => {
    const app = new App()
    const { peer } = await connected(app.handler, {}, transport)
    peer.socket.pause()
    peer.get(1)
    const exchange = await app.next()
    const aborted = abortion(exchange)
    const written = new Promise<Error | null | undefined>((resolve) => {
      exchange.write(Buffer.alloc(16 * MEGABYTE), resolve)
    })
    peer.destroy()
    expect(await aborted).toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
    expect(await written).toBeInstanceOf(Error)
  })
})

test('40: its places are free again', async () => {
  const app = new App()
  const serving = await listen(app.handler, { maxRequests: 2, maxConnections: 2 })
  for (let i = 0; i < 5; i++) {
    const peer = await serving.connect()
    peer.write(begin(1, { keepConn: true }), begin(2, { keepConn: true }), params(2, GET))
    const aborted = abortion(await app.next())
    peer.destroy()
    await aborted
    await closed(serving.sockets[i]!)
  }
  const peer = await serving.connect()
  peer.get(1)
  ;(await app.next()).end('served')
  expect((await peer.answer(1)).stdout).toMatch(/served$/)
})

test('40: one connection is no matter of the others', async () => {
  const serving = await listen(echo)
  const [one, two] = [await serving.connect(), await serving.connect()]
  one.post(1, { CONTENT_LENGTH: '10' })
  two.post(1, { CONTENT_LENGTH: '4' }).stdin(1, 'bo')
  one.destroy()
  await one.close()
  two.stdin(1, 'dy').endStdin(1)
  expect((await two.answer(1)).stdout).toMatch(/POST \/ body$/)
})
