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

/** Reads, and takes every chunk whole. */
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

// On each Node that is supported: where its internals have changed, this is what tells.
test('connections share the memory that small reads go to, and what was taken of it stays', async () => {
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

test('large pieces are copied no more than once before the connection has memory of its own', async () => {
  const [near, far] = await pairOfSockets()
  const taker = new Taker(near)
  const sent = Buffer.alloc(4 * 1024 * 1024)
  for (let i = 0; i < sent.length; i += 4) sent.writeUInt32BE(i, i)
  far.write(sent)
  expect((await taker.bytes(sent.length)).equals(sent)).toBe(true)
  const sliced = taker.taken.filter((piece, i) => piece.buffer === taker.chunks[i]!.buffer)
  expect(sliced.length).toBeGreaterThan(sent.length / READ_SIZE / 2)
  // Each has a buffer to itself.
  expect(new Set(sliced.map((piece) => piece.buffer)).size).toBe(sliced.length)
})

test('who listens for data on the socket sees it too, in memory that stays', async () => {
  const [near, far] = await pairOfSockets()
  const taker = new Taker(near)
  const seen = once(near, 'data')
  far.write('one')
  const [chunk] = (await seen) as [Buffer]
  far.write('TWO')
  await taker.bytes(6)
  expect(chunk.toString()).toBe('one')
})

test('a stream that is no socket is read as it is', async () => {
  const stream = new PassThrough()
  const taker = new Taker(stream)
  const chunk = Buffer.from('chunk')
  stream.write(chunk)
  await taker.bytes(chunk.length)
  expect(taker.taken[0]).toBe(chunk)
})
