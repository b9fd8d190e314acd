// FastCGI 1.0, section 5.4: ABORT_REQUEST, and front servers that close the connection.

import { once } from 'node:events'
import { begin, GET, params, record, TYPES } from '@fcgi-bridge/testing'
import { describe, expect, test } from 'vitest'
import type { Exchange } from '../exchange/exchange.ts'
import { App, abortion, closed, connected, echo, listen, readAll, TRANSPORTS } from '../testing/serving.ts'

const MEGABYTE = 1024 * 1024

/** Counts the calls of onAbort and of the signal's listeners. */
function watch(exchange: Exchange): { hook: number; signal: number } {
  const counts = { hook: 0, signal: 0 }
  exchange.onAbort = () => void counts.hook++
  exchange.signal.addEventListener('abort', () => void counts.signal++)
  return counts
}

const ONCE = { hook: 1, signal: 1 }

test.each([
  ['right after BEGIN_REQUEST', (): Buffer => begin(1, { keepConn: true })],
  [
    'in the middle of PARAMS',
    (): Buffer => Buffer.concat([begin(1, { keepConn: true }), params(1).subarray(0, -8)]),
  ],
])('36: ABORT_REQUEST %s causes END_REQUEST, and the app is never called', async (_, before) => {
  const app = new App()
  const { peer, errors } = await connected(app.handler)
  peer.write(before()).abort(1)
  expect(await peer.response(1)).toEqual({ stdout: '', stderr: '', appStatus: 0, protocolStatus: 0 })
  // Records of the aborted request that arrive later are ignored.
  peer.forget().params(1).endStdin(1)
  peer.get(3, {}, { keepConn: true })
  ;(await app.next()).end()
  await peer.response(3)
  expect(peer.recordsOf(1)).toEqual([])
  expect(app.exchanges).toHaveLength(1)
  expect(errors).toEqual([])
})

test('36: ABORT_REQUEST in the same read as the end of PARAMS prevents the call of the app', async () => {
  const app = new App()
  const { peer } = await connected(app.handler)
  peer.write(begin(1), params(1), record(TYPES.ABORT_REQUEST, 1))
  await peer.response(1)
  await peer.end()
  expect(app.exchanges).toEqual([])
})

describe('37: ABORT_REQUEST calls the hook and the signal once, and causes one END_REQUEST', () => {
  test('37: in the middle of STDIN', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.post(1, { CONTENT_LENGTH: '10' }, { keepConn: true }).stdin(1, 'half')
    const exchange = await app.next()
    const counts = watch(exchange)
    const body = expect(readAll(exchange.stdin)).rejects
    peer.abort(1)
    await body.toMatchObject({ name: 'AbortError', code: 'FCGI_ERR_ABORTED' })
    await peer.response(1)
    expect(counts).toEqual(ONCE)
    expect(exchange.signal.reason).toMatchObject({ name: 'AbortError', code: 'FCGI_ERR_ABORTED' })
    await expectOneEnd(peer)
  })

  test('37: after STDIN, while the handler waits', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.get(1, {}, { keepConn: true })
    const exchange = await app.next()
    const counts = watch(exchange)
    peer.abort(1)
    await peer.response(1)
    expect(counts).toEqual(ONCE)
    expect(exchange).toMatchObject({ aborted: true, ended: true })
    await expectOneEnd(peer)
  })

  test('37: after the head was sent', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.get(1, {}, { keepConn: true })
    const exchange = await app.next()
    const counts = watch(exchange)
    exchange.write('begun')
    await peer.stdout(1, 'begun')
    peer.abort(1)
    await peer.response(1)
    expect(counts).toEqual(ONCE)
    await expectOneEnd(peer)
  })

  test('37: a signal that is read after the abort is aborted, too', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.get(1, {}, { keepConn: true })
    const exchange = await app.next()
    peer.abort(1)
    await peer.response(1)
    expect(exchange.signal.aborted).toBe(true)
    expect(exchange.request.signal.aborted).toBe(true)
  })

  test('37: but not after the end of the response', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.get(1)
    const exchange = await app.next()
    const counts = watch(exchange)
    exchange.end()
    await peer.response(1)
    peer.destroy()
    await peer.close()
    expect(counts).toEqual({ hook: 0, signal: 0 })
    expect(exchange).toMatchObject({ aborted: false, ended: true })
  })

  async function expectOneEnd(peer: Awaited<ReturnType<typeof connected>>['peer']): Promise<void> {
    peer.write(record(TYPES.GET_VALUES, 0))
    await peer.until(() => peer.records.find(({ type }) => type === TYPES.GET_VALUES_RESULT))
    expect(peer.records.filter(({ type }) => type === TYPES.END_REQUEST)).toHaveLength(1)
  }
})

test('38: a second ABORT_REQUEST, one with content, and one for an id that has ended are tolerated', async () => {
  const app = new App()
  const { peer, errors, protocolErrors } = await connected(app.handler)
  peer.get(1, {}, { keepConn: true })
  const counts = watch(await app.next())
  peer.abort(1, 'with content').abort(1).abort(1, 'again')
  await peer.response(1)
  peer.get(3, {}, { keepConn: true })
  ;(await app.next()).end()
  await peer.response(3)
  peer.abort(3).abort(3, 'x'.repeat(65535))
  peer.get(5, {}, { keepConn: true })
  ;(await app.next()).end()
  await peer.response(5)
  expect(counts).toEqual(ONCE)
  expect(peer.records.filter(({ type }) => type === TYPES.END_REQUEST).map(({ id }) => id)).toEqual([1, 3, 5])
  expect([...errors, ...protocolErrors]).toEqual([])
})

test('38: ABORT_REQUEST makes the server send a pending END_REQUEST', async () => {
  const app = new App()
  const { peer } = await connected(app.handler)
  peer.post(1, { CONTENT_LENGTH: '10' }, { keepConn: true })
  const exchange = await app.next()
  const counts = watch(exchange)
  exchange.appStatus = 7
  exchange.end('early')
  await peer.stdout(1, 'early')
  peer.abort(1)
  expect(await peer.response(1)).toMatchObject({ appStatus: 7, protocolStatus: 0 })
  expect(counts).toEqual({ hook: 0, signal: 0 })
})

test('38: ABORT_REQUEST of one of two requests does not affect the other', async () => {
  const app = new App()
  const { peer } = await connected(app.handler)
  peer.post(1, { CONTENT_LENGTH: '8' }, { keepConn: true }).get(2, {}, { keepConn: true })
  const [one, two] = [await app.next(), await app.next()]
  const [first, second] = [watch(one), watch(two)]
  const body = readAll(one.stdin)
  peer.stdin(1, 'half').abort(2)
  await peer.response(2)
  expect(second).toEqual(ONCE)
  peer.stdin(1, 'half').endStdin(1)
  one.end(await body)
  expect((await peer.response(1)).stdout).toMatch(/\r\n\r\nhalfhalf$/)
  expect(first).toEqual({ hook: 0, signal: 0 })
})

describe('39: while reading is paused because the app does not read', () => {
  test.each([256 * 1024, 900 * 1024])(
    '39: ABORT_REQUEST is detected after %i bytes of unread input',
    async (size) => {
      const app = new App()
      const { peer } = await connected(app.handler)
      peer.post(1, { CONTENT_LENGTH: String(100 * MEGABYTE) }, { keepConn: true })
      const aborted = abortion(await app.next())
      peer.stdin(1, Buffer.alloc(size)).abort(1)
      expect(await aborted).toMatchObject({ code: 'FCGI_ERR_ABORTED' })
      await peer.response(1)
    },
  )

  test.each(TRANSPORTS.flatMap((transport) => [1, 4, 64].map((size) => [transport, size] as const)))(
    '39: a close is detected, over %s, with %i MiB of input in transit',
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

describe.each(TRANSPORTS)('40: when the peer closes the socket, over %s', (transport) => {
  test('40: every request on it is aborted', async () => {
    const app = new App()
    const { peer, errors } = await connected(app.handler, {}, transport)
    peer.begin(1, { keepConn: true }).get(2, {}, { keepConn: true }).get(3, {}, { keepConn: true })
    peer.post(4, { CONTENT_LENGTH: '10' }, { keepConn: true })
    const exchanges = [await app.next(), await app.next(), await app.next()]
    exchanges[0]!.write('begun')
    await peer.stdout(2, 'begun')
    const counts = exchanges.map(watch)
    const aborted = exchanges.map((exchange) => once(exchange.signal, 'abort'))
    peer.destroy()
    await Promise.all(aborted)
    expect(counts).toEqual([ONCE, ONCE, ONCE])
    for (const { signal } of exchanges)
      expect(signal.reason).toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
    expect(errors).toEqual([])
  })

  test('40: a request is aborted although its handler only waits', async () => {
    const app = new App()
    const { peer } = await connected(app.handler, {}, transport)
    // nginx sends the whole request without KEEP_CONN, and closes the connection when its client disconnects.
    peer.get(1)
    const aborted = abortion(await app.next())
    peer.destroy()
    expect(await aborted).toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
  })

  test('40: a request is aborted although the peer had closed its write side before', async () => {
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

  test('40: a request is aborted although its response is buffered for a peer that does not read', async () => {
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

test('40: requests of closed connections no longer count towards maxRequests and maxConnections', async () => {
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
  expect((await peer.response(1)).stdout).toMatch(/served$/)
})

test('40: a closed connection does not affect other connections', async () => {
  const serving = await listen(echo)
  const [one, two] = [await serving.connect(), await serving.connect()]
  one.post(1, { CONTENT_LENGTH: '10' })
  two.post(1, { CONTENT_LENGTH: '4' }).stdin(1, 'bo')
  one.destroy()
  await one.close()
  two.stdin(1, 'dy').endStdin(1)
  expect((await two.response(1)).stdout).toMatch(/POST \/ body$/)
})
