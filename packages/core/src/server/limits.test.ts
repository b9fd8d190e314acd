// Tests the limits, and the responses to requests that exceed them.

import { once } from 'node:events'
import { GET, type ParamList, Peer, pairs, record, TYPES } from '@fcgi-bridge/testing'
import { describe, expect, test } from 'vitest'
import { App, closed, connected, echo, listen, readAll, stopClock } from '../testing/serving.ts'

describe('params', () => {
  const size = (list: ParamList): number => pairs(Object.entries(list)).length

  test.each([
    ['maxParamsBytes bytes are accepted', 0, /^Status: 200 /],
    ['one byte more is refused', -1, /^Status: 431 /],
  ])('%s', async (_, change, expected) => {
    const { peer } = await connected(echo, { maxParamsBytes: size(GET) + change })
    peer.get(1)
    expect((await peer.response(1)).stdout).toMatch(expected)
  })

  test('maxParamsBytes applies to the sum of all records, and later PARAMS are not buffered', async () => {
    const app = new App()
    const { peer } = await connected(app.handler, { maxParamsBytes: 100 })
    peer.begin(1, { keepConn: true })
    for (let i = 0; i < 200; i++) peer.write(record(TYPES.PARAMS, 1, 'x'.repeat(1000)))
    peer.write(record(TYPES.PARAMS, 1)).endStdin(1)
    expect((await peer.response(1)).stdout).toMatch(/^Status: 431 /)
    peer.write(record(TYPES.PARAMS, 1, 'x'.repeat(1000)))
    peer.begin(2, { keepConn: true }).params(2, { REQUEST_METHOD: 'GET', REQUEST_URI: '/' })
    await app.next()
    expect(app.exchanges).toHaveLength(1)
  })

  test.each([
    ['maxParamsCount params are accepted', 0, /^Status: 200 /],
    ['one param more is refused', -1, /^Status: 431 /],
  ])('%s', async (_, change, expected) => {
    const { peer } = await connected(echo, { maxParamsCount: Object.keys(GET).length + change })
    peer.get(1)
    expect((await peer.response(1)).stdout).toMatch(expected)
  })
})

describe('maxBodyBytes', () => {
  test('a CONTENT_LENGTH up to the limit is accepted', async () => {
    const { peer } = await connected(echo, { maxBodyBytes: 4 })
    peer.post(1, { CONTENT_LENGTH: '4' }).stdin(1, 'body').endStdin(1)
    expect((await peer.response(1)).stdout).toMatch(/POST \/ body$/)
  })

  test('a larger CONTENT_LENGTH gets a 413 without a call of the app', async () => {
    const app = new App()
    const { peer } = await connected(app.handler, { maxBodyBytes: 4 })
    peer.post(1, { CONTENT_LENGTH: '3000000' })
    peer.stdin(1, Buffer.alloc(3_000_000)).endStdin(1)
    expect((await peer.response(1)).stdout).toMatch(/^Status: 413 /)
    await peer.end()
    expect(peer.error).toBeUndefined()
    expect(app.exchanges).toEqual([])
  })

  test('without CONTENT_LENGTH, reading a larger body fails with an error that has the status 413', async () => {
    const app = new App()
    const { peer } = await connected(app.handler, { maxBodyBytes: 4 })
    peer.post(1, {}, { keepConn: true }).stdin(1, 'more than that')
    const exchange = await app.next()
    await expect(readAll(exchange.stdin)).rejects.toMatchObject({
      code: 'FCGI_ERR_BODY_TOO_LARGE',
      status: 413,
    })
    await expect(exchange.request.text()).rejects.toMatchObject({ status: 413 })
    exchange.fail(exchange.stdin.error)
    peer.endStdin(1)
    expect((await peer.response(1)).stdout).toMatch(/^Status: 413 /)
  })

  test('a response that has begun is truncated', async () => {
    const app = new App()
    const { peer, sockets } = await connected(
      async (exchange) => {
        exchange.write('begun')
        app.handler(exchange)
        exchange.end(await readAll(exchange.stdin))
      },
      { maxBodyBytes: 4 },
    )
    peer.post(1, {}, { keepConn: true })
    await app.next()
    await peer.stdout(1, 'begun')
    peer.stdin(1, 'more than that')
    await peer.end()
    expect(sockets[0]!.destroyed).toBe(true)
    expect(peer.records.some(({ type }) => type === TYPES.END_REQUEST)).toBe(false)
  })
})

test('maxRequests counts the running requests of all connections, however they end', async () => {
  const app = new App()
  const serving = await listen(app.handler, { maxRequests: 3 })
  const ends: ((exchange: Awaited<ReturnType<App['next']>>) => void)[] = [
    (exchange) => exchange.end(),
    (exchange) => exchange.fail(new Error('before the head')),
    (exchange) => {
      exchange.write('begun')
      exchange.fail(new Error('after the head'))
    },
    (exchange) => {
      exchange.end()
      exchange.end()
      exchange.fail(new Error('after the end'))
    },
  ]
  for (let round = 0; round < 3; round++) {
    for (const end of ends) {
      const peer = await serving.connect()
      peer.get(1, {}, { keepConn: true }).get(2, {}, { keepConn: true }).get(3, {}, { keepConn: true })
      const exchanges = [await app.next(), await app.next(), await app.next()]
      peer.get(4, {}, { keepConn: true })
      expect((await peer.response(4)).protocolStatus).toBe(2)
      end(exchanges[0]!)
      peer.abort(2)
      await peer.response(2)
      peer.destroy()
      const socket = serving.sockets.at(-1)!
      await closed(socket)
    }
  }
  const peer = await serving.connect()
  for (const id of [1, 2, 3]) peer.get(id, {}, { keepConn: true })
  for (let i = 0; i < 3; i++) (await app.next()).end('accepted')
  for (const id of [1, 2, 3]) expect((await peer.response(id)).stdout).toMatch(/accepted$/)
})

test('a connection beyond maxConnections is closed at once, and another is accepted when one has closed', async () => {
  const serving = await listen(echo, { maxConnections: 2 })
  const [one] = [await serving.connect(), await serving.connect()]
  const address = serving.server.address() as { port: number }
  const third = await Peer.connect(address)
  await third.end()
  expect(third.records).toEqual([])
  third.destroy()
  one.destroy()
  await closed(serving.sockets[0]!)
  const fourth = await serving.connect()
  fourth.get(1)
  await fourth.response(1)
})

describe('maxHeaderBytes', () => {
  test.each([
    ['a header with maxHeaderBytes bytes is accepted', 0, /^Status: 200 /],
    ['one byte more is refused', 1, /^Status: 431 /],
  ])('%s', async (_, more, expected) => {
    const { peer, errors } = await connected(echo, { maxHeaderBytes: 100 })
    peer.get(1, { HTTP_COOKIE: 'c'.repeat(100 - 'HTTP_COOKIE'.length + more), OTHER: 'x'.repeat(200) })
    expect((await peer.response(1)).stdout).toMatch(expected)
    expect(errors).toMatchObject(more > 0 ? [{ status: 431, code: 'FCGI_ERR_HEADER_LENGTH' }] : [])
  })
})

describe('maxRequestsPerConnection', () => {
  test('one request more is refused at once, and another is accepted when one has ended', async () => {
    const app = new App()
    const serving = await connected(app.handler, { maxRequestsPerConnection: 2 })
    const { peer } = serving
    for (const id of [1, 2]) peer.get(id, {}, { keepConn: true })
    const first = await app.next()
    await app.next()
    peer.post(3, {}, { keepConn: true }).stdin(3, 'a body')
    expect(await peer.response(3)).toMatchObject({
      stdout: expect.stringMatching(/^Status: 503 /),
      protocolStatus: 2,
    })
    const other = await serving.connect()
    other.get(3)
    ;(await app.next()).end('another connection')
    expect((await other.response(3)).stdout).toMatch(/another connection$/)
    first.end('first')
    await peer.response(1)
    peer.endStdin(3).get(4, {}, { keepConn: true })
    ;(await app.next()).end('accepted')
    expect((await peer.response(4)).stdout).toMatch(/accepted$/)
  })

  test('a peer that never stops opening requests gets a response to each, and refused ones use no memory', async () => {
    const app = new App()
    const { peer, server } = await connected(app.handler, { maxRequestsPerConnection: 2, maxRequests: 10 })
    for (let id = 1; id <= 20_000; id++) peer.begin(id, { keepConn: true })
    expect((await peer.response(20_000)).protocolStatus).toBe(2)
    expect(peer.records.filter(({ type }) => type === TYPES.END_REQUEST)).toHaveLength(19_998)
    // The refused requests do not count towards maxRequests, so another connection can use it.
    const other = await Peer.connect(server.address() as { port: number })
    for (const id of [1, 2]) other.get(id, {}, { keepConn: true })
    ;(await app.next()).end('accepted')
    await other.response(1)
    other.destroy()
  })

  test.each([
    ['the server is full', { maxRequests: 1 }, 1],
    ['the role has no handler', {}, 3],
  ])('the same applies to requests that would be refused anyway: %s', async (_, limits, role) => {
    stopClock('setTimeout')
    const app = new App()
    const serving = await connected(app.handler, { maxRequestsPerConnection: 2, ...limits })
    serving.peer.get(1, {}, { keepConn: true })
    const running = await app.next()
    const peer = await serving.connect()
    // The two requests within the limit have a pending END_REQUEST.
    for (let id = 1; id <= 20_000; id++) peer.begin(id, { role, keepConn: true })
    await peer.response(20_000)
    expect(peer.recordsOf(1).map(({ type }) => type)).not.toContain(TYPES.END_REQUEST)
    expect(peer.records.filter(({ type }) => type === TYPES.END_REQUEST)).toHaveLength(19_998)
    running.end()
  })
})

describe('the server stops reading from a connection when its unread input reaches', () => {
  const MEGABYTE = 1024 * 1024
  const FAR_MORE = 64 * MEGABYTE

  test('maxBufferedPerRequest', async () => {
    const app = new App()
    const { peer, sockets } = await connected(app.handler, { maxBufferedPerRequest: 256 * 1024 })
    peer.post(1, { CONTENT_LENGTH: `${FAR_MORE}` }).stdin(1, Buffer.alloc(FAR_MORE))
    const exchange = await app.next()
    await peer.paused()
    // The server reads pieces of 64 KiB.
    expect(sockets[0]!.bytesRead).toBeLessThan((256 + 2 * 64) * 1024)
    const body = readAll(exchange.stdin)
    peer.endStdin(1)
    expect(await body).toHaveLength(FAR_MORE)
  })

  test('maxBufferedPerConnection', async () => {
    const app = new App()
    const { peer, sockets } = await connected(app.handler, { maxBufferedPerConnection: MEGABYTE })
    const ids = Array.from({ length: 100 }, (_, i) => i + 1)
    for (const id of ids) peer.post(id, {}, { keepConn: true })
    // No request reaches its own limit.
    const piece = Buffer.alloc(16 * 1024)
    for (let round = 0; round < 4; round++) for (const id of ids) peer.stdin(id, piece)
    const exchanges: Awaited<ReturnType<App['next']>>[] = []
    for (const _ of ids) exchanges.push(await app.next())
    await peer.paused()
    expect(sockets[0]!.bytesRead).toBeLessThan(MEGABYTE + 2 * 64 * 1024 + 100 * 1024)
    const bodies = Promise.all(exchanges.map(({ stdin }) => readAll(stdin)))
    for (const id of ids) peer.endStdin(id)
    for (const body of await bodies) expect(body).toHaveLength(4 * piece.length)
  })

  test('maxBufferedPerConnection with params: instead, a request beyond it is refused', async () => {
    const app = new App()
    const { peer } = await connected(app.handler, { maxBufferedPerConnection: MEGABYTE })
    const large = { ...GET, X: 'x'.repeat(300_000) }
    for (const id of [1, 2, 3, 4]) peer.begin(id, { keepConn: true }).params(id, large).endStdin(id)
    expect(await peer.response(4)).toMatchObject({
      stdout: expect.stringMatching(/^Status: 503 /),
      protocolStatus: 2,
    })
    for (const id of [1, 2, 3]) {
      ;(await app.next()).end('response')
      expect((await peer.response(id)).stdout).toMatch(/response$/)
    }
    peer.begin(5, { keepConn: true }).params(5, large).endStdin(5)
    ;(await app.next()).end('accepted')
    expect((await peer.response(5)).stdout).toMatch(/accepted$/)
  })

  test('maxBufferedPerConnection with the params of a single request: only maxParamsBytes applies', async () => {
    const { peer } = await connected(echo, { maxBufferedPerConnection: 100_000 })
    peer.get(1, { X: 'x'.repeat(300_000) })
    expect((await peer.response(1)).stdout).toMatch(/^Status: 200 /)
  })

  test('maxBufferedPerConnection with bodies that begin one after another', async () => {
    const app = new App()
    const { peer, sockets } = await connected(app.handler, { maxBufferedPerConnection: MEGABYTE })
    // Each request sends less than its share of the limit at that time.
    for (let id = 1; id <= 64; id++) {
      const share = Math.min(128 * 1024, MEGABYTE / id)
      peer.post(id, {}, { keepConn: true }).stdin(id, Buffer.alloc(Math.floor(share * 0.9)))
    }
    if (!sockets[0]!.isPaused()) await once(sockets[0]!, 'pause')
    expect(sockets[0]!.bytesRead).toBeLessThan(MEGABYTE + 2 * 64 * 1024)
  })
})

describe('maxStderrBytes', () => {
  test('output beyond it is dropped with a notice, and the request continues', async () => {
    const app = new App()
    const { peer } = await connected(app.handler, { maxStderrBytes: 10 })
    peer.get(1)
    const exchange = await app.next()
    exchange.stderr.write('12345')
    exchange.stderr.write('67890abc')
    await new Promise<void>((resolve) => exchange.stderr.write('and more', () => resolve()))
    exchange.stderr.end('to the end')
    exchange.end('response')
    const { stdout, stderr } = await peer.response(1)
    expect(stdout).toMatch(/response$/)
    expect(Buffer.from(stderr, 'latin1').toString()).toMatch(/^1234567890… .*maxStderrBytes.*dropped\.\n$/)
  })

  test('limits the memory if the app ignores back-pressure and the peer does not read', async () => {
    const app = new App()
    const { peer, sockets } = await connected(app.handler, { maxStderrBytes: 1024 * 1024 })
    peer.socket.pause()
    peer.get(1)
    const { stderr } = await app.next()
    const drained = new Promise((resolve) => stderr.once('drain', resolve))
    for (let i = 0; i < 10_000; i++) stderr.write('an error message '.repeat(1000))
    expect(stderr.writableLength + sockets[0]!.writableLength).toBeLessThan(1.5 * 1024 * 1024)
    peer.socket.resume()
    await drained
  })
})
