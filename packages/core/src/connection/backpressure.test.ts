// Tests back-pressure in both directions on real sockets: memory is bounded, nothing blocks forever, and closed connections are detected.

import { once } from 'node:events'
import type { Socket } from 'node:net'
import { get, pairs, record, TYPES } from '@fcgi-bridge/testing'
import { describe, expect, test, vi } from 'vitest'
import { App, abortion, closed, connected, readAll, stopClock, TRANSPORTS } from '../testing/serving.ts'

const KILOBYTE = 1024
const MEGABYTE = 1024 * 1024

/** Advances the fake clock by ten seconds, and lets the server read meanwhile. */
async function passTenSeconds(): Promise<void> {
  for (let i = 0; i < 100; i++) {
    vi.advanceTimersByTime(100)
    for (let ticks = 0; ticks < 3; ticks++) await new Promise(setImmediate)
  }
}

/** Waits until the server has paused reading. */
async function paused(socket: Socket): Promise<void> {
  if (!socket.isPaused()) await once(socket, 'pause')
}

describe.each(TRANSPORTS)('over %s', (transport) => {
  test('if the app does not read, the socket is paused within maxBufferedPerRequest', async () => {
    stopClock('setTimeout')
    const app = new App()
    const { peer, sockets } = await connected(app.handler, {}, transport)
    peer.post(1, { CONTENT_LENGTH: String(200 * MEGABYTE) }, { keepConn: true })
    const exchange = await app.next()
    // More than the largest socket buffers of the operating system (tcp_rmem and tcp_wmem: 36 MiB).
    const count = 2000
    peer.socket.write(Buffer.concat(Array(count).fill(record(TYPES.STDIN, 1, Buffer.alloc(32 * KILOBYTE)))))
    await paused(sockets[0]!)
    expect(sockets[0]!.bytesRead).toBeLessThan(256 * KILOBYTE)
    await passTenSeconds()
    // The input that is read while paused is bounded, too.
    expect(sockets[0]!.bytesRead).toBeLessThan(1.5 * MEGABYTE)
    expect(peer.socket.writableLength).toBeGreaterThan(0)
    // When the app reads, it receives the whole body.
    const aborted = abortion(exchange)
    let received = 0
    exchange.stdin.onReadable = () => {
      for (let chunk = exchange.stdin.read(); chunk !== null; chunk = exchange.stdin.read()) {
        received += chunk.length
      }
    }
    exchange.stdin.onReadable()
    if (peer.socket.writableLength > 0) await once(peer.socket, 'drain')
    peer.abort(1)
    await aborted
    expect(received).toBe(count * 32 * KILOBYTE)
  })

  test('an app that reads slowly receives the whole body', async () => {
    const app = new App()
    const { peer } = await connected(app.handler, {}, transport)
    const size = 8 * MEGABYTE
    const body = Buffer.alloc(size, '0123456789')
    peer
      .post(1, { CONTENT_LENGTH: String(size) })
      .stdin(1, body)
      .endStdin(1)
    const { stdin, ...exchange } = await app
      .next()
      .then((e) => ({ stdin: e.stdin, end: (s: string) => e.end(s) }))
    const chunks: Buffer[] = []
    while (!stdin.ended) {
      const chunk = stdin.read()
      if (chunk !== null) chunks.push(chunk)
      else await new Promise<void>((resolve) => (stdin.onReadable = resolve))
      await new Promise(setImmediate)
    }
    expect(Buffer.concat(chunks).equals(body)).toBe(true)
    exchange.end('read')
    expect((await peer.response(1)).stdout).toMatch(/read$/)
  })

  test('a front server that reads slowly slows down the app, and receives the whole response', async () => {
    const app = new App()
    const { peer, sockets } = await connected(app.handler, {}, transport)
    peer.socket.pause()
    peer.get(1)
    const exchange = await app.next()
    const piece = Buffer.alloc(64 * KILOBYTE, 'piece of the body ')
    const total = 32 * MEGABYTE
    let left = total
    let most = 0
    const write = (): void => {
      while (left > 0) {
        left -= piece.length
        const more = exchange.write(piece)
        most = Math.max(most, sockets[0]!.writableLength)
        if (!more) return
      }
      exchange.end()
    }
    exchange.onDrain = write
    write()
    peer.socket.resume()
    const { stdout } = await peer.response(1)
    expect(stdout).toHaveLength(total + 'Status: 200 OK\r\n\r\n'.length)
    expect(most).toBeLessThan(256 * KILOBYTE)
  })

  test('chunks of one tick share one write, and the third chunk of 64 KiB asks the app to wait', async () => {
    const app = new App()
    const { peer, sockets } = await connected(app.handler, {}, transport)
    peer.socket.pause()
    peer.get(1)
    const exchange = await app.next()
    const writev = vi.spyOn(sockets[0]!, '_writev')
    const piece = Buffer.alloc(64 * KILOBYTE, 'piece of the body ')
    const drained = new Promise<void>((resolve) => (exchange.onDrain = resolve))
    expect([exchange.write(piece), exchange.write(piece), exchange.write(piece)]).toEqual([true, true, false])
    expect(exchange.writableNeedDrain).toBe(true)
    peer.socket.resume()
    await drained
    expect(writev).toHaveBeenCalledOnce()
    exchange.end()
    const { stdout } = await peer.response(1)
    expect(stdout).toHaveLength(3 * piece.length + 'Status: 200 OK\r\n\r\n'.length)
  })

  test('if a peer sends requests without reading, the server stops reading, and sends all responses when the peer reads', async () => {
    const body = Buffer.alloc(100_000, 'a')
    const { peer, sockets } = await connected((exchange) => exchange.end(body), {}, transport)
    peer.socket.pause()
    const count = 2000
    for (let i = 0; i < count; i++) peer.socket.write(get(i + 1, {}, { keepConn: true }))
    await paused(sockets[0]!)
    await peer.paused()
    // One read of 64 KiB contains some 200 requests. Only their responses are buffered.
    expect(sockets[0]!.bytesRead).toBeLessThan(1.5 * MEGABYTE)
    expect(sockets[0]!.writableLength).toBeLessThan(40 * MEGABYTE)
    let ended = 0
    peer.socket.resume()
    await peer.until(() => {
      ended += peer.records.filter(({ type }) => type === TYPES.END_REQUEST).length
      peer.forget()
      return ended === count
    })
  })

  test('if a peer floods the server with GET_VALUES without reading, the server stops reading', {
    timeout: 60_000,
  }, async () => {
    stopClock('setTimeout')
    const { peer, sockets } = await connected(() => {}, {}, transport)
    peer.socket.pause()
    // The replies, of 72 bytes each, are far more than the operating system's socket buffers hold.
    const count = 250_000
    const names = ['FCGI_MAX_CONNS', 'FCGI_MAX_REQS', 'FCGI_MPXS_CONNS']
    const query = record(TYPES.GET_VALUES, 0, pairs(names.map((name) => [name, ''])))
    peer.socket.write(Buffer.concat(Array(count).fill(query)))
    await paused(sockets[0]!)
    await passTenSeconds()
    expect(sockets[0]!.writableLength).toBeLessThan(MEGABYTE)
    let replies = 0
    peer.socket.resume()
    await peer.until(() => {
      replies += peer.discardRecords()
      return replies === count
    })
  })
})

test('all records that a peer sent before it closed its write side get a reply', async () => {
  const { peer, sockets } = await connected(() => {}, {}, 'unix')
  peer.socket.pause()
  const count = 200_000
  peer.socket.end(Buffer.concat(Array(count).fill(record(12, 0))))
  await paused(sockets[0]!)
  let replies = 0
  peer.socket.resume()
  await peer.until(() => {
    replies += peer.discardRecords()
    return replies === count
  })
  await peer.end()
})

test('a multiplexed request continues while the body of another one is unread, up to maxBufferedPerRequest', async () => {
  const app = new App()
  const { peer, sockets } = await connected(app.handler)
  peer.post(1, { CONTENT_LENGTH: String(10 * MEGABYTE) }, { keepConn: true })
  const stalled = await app.next()
  peer.stdin(1, Buffer.alloc(300 * KILOBYTE))
  peer.post(2, { CONTENT_LENGTH: '4' }, { keepConn: true }).stdin(2, 'body').endStdin(2)
  const sibling = await app.next()
  sibling.end(await readAll(sibling.stdin))
  expect((await peer.response(2)).stdout).toMatch(/\r\n\r\nbody$/)
  // Beyond the limit, the unread body pauses the connection.
  peer.stdin(1, Buffer.alloc(8 * MEGABYTE))
  await paused(sockets[0]!)
  await peer.paused()
  expect(sockets[0]!.bytesRead).toBeLessThan(2 * MEGABYTE)
  // The connection resumes when the body is discarded.
  stalled.stdin.discard()
  peer.get(3, {}, { keepConn: true })
  ;(await app.next()).end('third')
  expect((await peer.response(3)).stdout).toMatch(/third$/)
})

test('a filter that reads neither STDIN nor DATA pauses the socket, too', async () => {
  stopClock('setTimeout')
  const app = new App()
  const { peer, sockets } = await connected({ filter: app.handler })
  peer
    .begin(1, { role: 3, keepConn: true })
    .params(1, { REQUEST_METHOD: 'POST', FCGI_DATA_LENGTH: '99999999' })
  await app.next()
  peer.endStdin(1).data(1, Buffer.alloc(20 * MEGABYTE))
  await paused(sockets[0]!)
  await passTenSeconds()
  expect(sockets[0]!.bytesRead).toBeLessThan(1.5 * MEGABYTE)
  // The server still detects that the peer closes the connection.
  peer.destroy()
  await passTenSeconds()
  await closed(sockets[0]!)
})

test('a body in records of one byte takes no more memory than any other body', async () => {
  const app = new App()
  const { peer, sockets } = await connected(app.handler)
  peer.post(1, { CONTENT_LENGTH: '1000000' }, { keepConn: true })
  const exchange = await app.next()
  peer.socket.write(Buffer.concat(Array(1_000_000).fill(record(TYPES.STDIN, 1, 'x'))))
  await paused(sockets[0]!)
  // Each record has 9 bytes. The server buffers one of them.
  expect(sockets[0]!.bytesRead).toBeLessThan(16 * 128 * KILOBYTE)
  expect((await readAll(exchange.stdin)).length).toBe(1_000_000)
  exchange.end()
  await peer.response(1)
})

test('PARAMS in records of one byte are read completely', async () => {
  const app = new App()
  const { peer } = await connected(app.handler)
  const value = Array.from({ length: 20_000 }, (_, i) => i % 10).join('')
  const block = pairs([
    ['REQUEST_METHOD', 'GET'],
    ['LONG', value],
  ])
  peer.begin(1).write(...[...block].map((byte) => record(TYPES.PARAMS, 1, [byte])), record(TYPES.PARAMS, 1))
  expect((await app.next()).params.LONG === value).toBe(true)
})
