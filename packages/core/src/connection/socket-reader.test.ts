import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import { READ_SIZE, SocketReader } from './socket-reader.ts'

async function pairOfSockets(): Promise<[near: Socket, far: Socket]> {
  const server = createServer({ highWaterMark: READ_SIZE })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection')
  const far = connect((server.address() as { port: number }).port, '127.0.0.1')
  const [near] = await accepted
  onTestFinished(() => {
    near.destroy()
    far.destroy()
    server.close()
  })
  return [near, far]
}

/** Reads from a socket, and takes every chunk. */
class Taker {
  readonly chunks: Buffer[] = []
  readonly taken: Buffer[] = []
  #wake: (() => void) | undefined

  constructor(socket: Socket | PassThrough) {
    const reader = new SocketReader(socket, (chunk, length) => {
      this.chunks.push(chunk)
      this.taken.push(reader.take(chunk, 0, length))
      this.#wake?.()
    })
  }

  async bytes(count: number): Promise<Buffer> {
    for (;;) {
      const all = Buffer.concat(this.taken)
      if (all.length >= count) return all
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

// This test fails if a version of Node has changed the internals that SocketReader uses.
test('connections share one buffer for small reads, and bytes that were taken stay valid', async () => {
  const takers: Taker[] = []
  for (const text of ['first', 'second']) {
    const [near, far] = await pairOfSockets()
    const taker = new Taker(near)
    takers.push(taker)
    far.write(text)
    await taker.bytes(text.length)
  }
  const [first, second] = takers as [Taker, Taker]
  expect(first.chunks[0]!.buffer).toBe(second.chunks[0]!.buffer)
  expect(first.taken.join()).toBe('first')
  expect(second.taken.join()).toBe('second')
})

test('a connection that receives large pieces gets its own buffers, whose slices are not copied', async () => {
  const [near, far] = await pairOfSockets()
  const taker = new Taker(near)
  const sent = Buffer.alloc(4 * 1024 * 1024)
  for (let i = 0; i < sent.length; i += 4) sent.writeUInt32BE(i, i)
  far.write(sent)
  expect((await taker.bytes(sent.length)).equals(sent)).toBe(true)
  const sliced = taker.taken.filter((piece, i) => piece.buffer === taker.chunks[i]!.buffer)
  expect(sliced.length).toBeGreaterThan(sent.length / READ_SIZE / 2)
  // Each slice has its own buffer.
  expect(new Set(sliced.map((piece) => piece.buffer)).size).toBe(sliced.length)
})

test("a 'data' listener of the socket receives the bytes, too, in memory that is never reused", async () => {
  const [near, far] = await pairOfSockets()
  const taker = new Taker(near)
  const received = once(near, 'data')
  far.write('one')
  const [chunk] = (await received) as [Buffer]
  far.write('TWO')
  await taker.bytes(6)
  expect(chunk.toString()).toBe('one')
})

test('the chunks of a stream that is not a net.Socket are not copied', async () => {
  const stream = new PassThrough()
  const taker = new Taker(stream)
  const chunk = Buffer.from('chunk')
  stream.write(chunk)
  await taker.bytes(chunk.length)
  expect(taker.taken[0]).toBe(chunk)
})
