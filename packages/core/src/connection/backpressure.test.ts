// Backpressure both ways, on real sockets: memory is bounded, nobody waits for ever, and an end is noticed.

import { once } from 'node:events'
import type { Socket } from 'node:net'
import { get, pairs, record, TYPES } from '@fcgi-bridge/testing'
import { describe, expect, test, vi } from 'vitest'
import { App, abortion, closed, connected, readAll, stopClock, TRANSPORTS } from '../testing/serving.ts'

const KILOBYTE = 1024
const MEGABYTE = 1024 * 1024

/** Lets ten seconds pass for a server whose clock was stopped, and what it reads meanwhile be read. */
async function passTenSeconds(): Promise<void> {
  for (let i = 0; i < 100; i++) {
    vi.advanceTimersByTime(100)
    for (let turns = 0; turns < 3; turns++) await new Promise(setImmediate)
  }
}

/** Waits until the server's end has been stopped. */
async function stopped(socket: Socket): Promise<void> {
  if (!socket.isPaused()) await once(socket, 'pause')
}

describe.each(TRANSPORTS)('over %s', (transport) => {
  test('an app that does not read stops the socket within its window', async () => {
    stopClock('setTimeout')
    const app = new App()
    const { peer, sockets } = await connected(app.handler, {}, transport)
    peer.post(1, { CONTENT_LENGTH: String(200 * MEGABYTE) }, { keepConn: true })
    const exchange = await app.next()
    // More than the operating system's own buffers take where they may be large (tcp_rmem and tcp_wmem: 36 MiB).
    const count = 2000
    peer.socket.write(Buffer.concat(Array(count).fill(record(TYPES.STDIN, 1, Buffer.alloc(32 * KILOBYTE)))))
    await stopped(sockets[0]!)
    expect(sockets[0]!.bytesRead).toBeLessThan(256 * KILOBYTE)
    await passTenSeconds()
    // What is peeked at is bounded too.
    expect(sockets[0]!.bytesRead).toBeLessThan(1.5 * MEGABYTE)
    expect(peer.socket.writableLength).toBeGreaterThan(0)
    // When it reads, all comes.
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

  test('a body that is read slowly comes whole', async () => {
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
    expect((await peer.answer(1)).stdout).toMatch(/read$/)
  })

  test('a slow front server slows the app, and gets all of it', async () => {
    const app = new App()
    const { peer, sockets } = await connected(app.handler, {}, transport)
    peer.socket.pause()
    peer.get(1)
    const exchange = await app.next()
    const piece = Buffer.alloc(64 * KILOBYTE, 'piece of the answer ')
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
    const { stdout } = await peer.answer(1)
    expect(stdout).toHaveLength(total + 'Status: 200 OK\r\n\r\n'.length)
    expect(most).toBeLessThan(256 * KILOBYTE)
  })

  test('pieces that are written in one turn go out together, and the third of 64 KiB asks to wait', async () => {
    const app = new App()
    const { peer, sockets } = await connected(app.handler, {}, transport)
    peer.socket.pause()
    peer.get(1)
    const exchange = await app.next()
    const writev = vi.spyOn(sockets[0]!, '_writev')
    const piece = Buffer.alloc(64 * KILOBYTE, 'piece of the answer ')
    const drained = new Promise<void>((resolve) => (exchange.onDrain = resolve))
    expect([exchange.write(piece), exchange.write(piece), exchange.write(piece)]).toEqual([true, true, false])
    expect(exchange.writableNeedDrain).toBe(true)
    peer.socket.resume()
    await drained
    expect(writev).toHaveBeenCalledOnce()
    exchange.end()
    const { stdout } = await peer.answer(1)
    expect(stdout).toHaveLength(3 * piece.length + 'Status: 200 OK\r\n\r\n'.length)
  })

  test('a peer that asks without reading is no longer read, and gets every answer when it reads', async () => {
    const answer = Buffer.alloc(100_000, 'a')
    const { peer, sockets } = await connected((exchange) => exchange.end(answer), {}, transport)
    peer.socket.pause()
    const count = 2000
    for (let i = 0; i < count; i++) peer.socket.write(get(i + 1, {}, { keepConn: true }))
    await stopped(sockets[0]!)
    await peer.paused()
    // One read of 64 KiB holds some 200 of them: theirs are the only answers that wait.
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

  test('a peer that floods with GET_VALUES without reading is no longer read', {
    timeout: 60_000,
  }, async () => {
    stopClock('setTimeout')
    const { peer, sockets } = await connected(() => {}, {}, transport)
    peer.socket.pause()
    // Their answers, of 72 bytes each, are far more than the operating system holds for a peer.
    const count = 250_000
    const names = ['FCGI_MAX_CONNS', 'FCGI_MAX_REQS', 'FCGI_MPXS_CONNS']
    const question = record(TYPES.GET_VALUES, 0, pairs(names.map((name) => [name, ''])))
    peer.socket.write(Buffer.concat(Array(count).fill(question)))
    await stopped(sockets[0]!)
    await passTenSeconds()
    expect(sockets[0]!.writableLength).toBeLessThan(MEGABYTE)
    let answered = 0
    peer.socket.resume()
    await peer.until(() => {
      answered += peer.forgetting()
      return answered === count
    })
  })
})

test('what a peer asked before it shut its side is answered, however much of it there is', async () => {
  const { peer, sockets } = await connected(() => {}, {}, 'unix')
  peer.socket.pause()
  const count = 200_000
  peer.socket.end(Buffer.concat(Array(count).fill(record(12, 0))))
  await stopped(sockets[0]!)
  let answered = 0
  peer.socket.resume()
  await peer.until(() => {
    answered += peer.forgetting()
    return answered === count
  })
  await peer.end()
})

test('a multiplexed sibling goes on while one body is unread, up to its window', async () => {
  const app = new App()
  const { peer, sockets } = await connected(app.handler)
  peer.post(1, { CONTENT_LENGTH: String(10 * MEGABYTE) }, { keepConn: true })
  const stalled = await app.next()
  peer.stdin(1, Buffer.alloc(300 * KILOBYTE))
  peer.post(2, { CONTENT_LENGTH: '4' }, { keepConn: true }).stdin(2, 'body').endStdin(2)
  const sibling = await app.next()
  sibling.end(await readAll(sibling.stdin))
  expect((await peer.answer(2)).stdout).toMatch(/\r\n\r\nbody$/)
  // Beyond its window it stops the connection.
  peer.stdin(1, Buffer.alloc(8 * MEGABYTE))
  await stopped(sockets[0]!)
  await peer.paused()
  expect(sockets[0]!.bytesRead).toBeLessThan(2 * MEGABYTE)
  // Until somebody reads.
  stalled.stdin.discard()
  peer.get(3, {}, { keepConn: true })
  ;(await app.next()).end('third')
  expect((await peer.answer(3)).stdout).toMatch(/third$/)
})

test('a filter that reads neither STDIN nor DATA stops the socket too', async () => {
  stopClock('setTimeout')
  const app = new App()
  const { peer, sockets } = await connected({ filter: app.handler })
  peer
    .begin(1, { role: 3, keepConn: true })
    .params(1, { REQUEST_METHOD: 'POST', FCGI_DATA_LENGTH: '99999999' })
  await app.next()
  peer.endStdin(1).data(1, Buffer.alloc(20 * MEGABYTE))
  await stopped(sockets[0]!)
  await passTenSeconds()
  expect(sockets[0]!.bytesRead).toBeLessThan(1.5 * MEGABYTE)
  // Nor does it keep the end from being noticed.
  peer.destroy()
  await passTenSeconds()
  await closed(sockets[0]!)
})

test('a body in records of one byte takes no more memory than another', async () => {
  const app = new App()
  const { peer, sockets } = await connected(app.handler)
  peer.post(1, { CONTENT_LENGTH: '1000000' }, { keepConn: true })
  const exchange = await app.next()
  peer.socket.write(Buffer.concat(Array(1_000_000).fill(record(TYPES.STDIN, 1, 'x'))))
  await stopped(sockets[0]!)
  // With its header and its padding each takes 16 bytes on the way, of which one is kept.
  expect(sockets[0]!.bytesRead).toBeLessThan(16 * 128 * KILOBYTE)
  expect((await readAll(exchange.stdin)).length).toBe(1_000_000)
  exchange.end()
  await peer.answer(1)
})

test('PARAMS in records of one byte come whole', async () => {
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
