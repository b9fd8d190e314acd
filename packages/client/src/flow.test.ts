import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import type { ResponderRequest } from '@fcgi-bridge/testing'
import { fetch, request } from 'undici'
import { expect, test } from 'vitest'
import { hash, pieces } from './testing/bytes.ts'
import { setup } from './testing/setup.ts'

const URL_ = 'http://example.test/'
const SIZE = 64 * 1024 * 1024
// The most bytes between both ends: in stream buffers, in the socket's, and in the kernel's on both sides.
const IN_BETWEEN = 4 * 1024 * 1024

/** Responds with `length` bytes, as fast as the client reads them, and reports how many were written. */
async function download(r: ResponderRequest, length: number, onSent: (bytes: number) => void): Promise<void> {
  r.stdout('\r\n')
  for (const piece of pieces(length)) {
    onSent(piece.length)
    if (!r.stdout(piece)) await once(r.socket, 'drain')
  }
  r.end()
}

test('64 MiB down arrive unchanged, by fetch and by request', async () => {
  const { dispatcher, responder } = await setup((r) => void download(r, SIZE, () => {}))
  const expected = await hash(pieces(SIZE))
  expect(await hash((await fetch(URL_, { dispatcher })).body!)).toBe(expected)
  expect(await hash((await request(URL_, { dispatcher })).body)).toBe(expected)
  expect(responder.sockets).toHaveLength(1)
})

test.each<[string, () => unknown]>([
  ['a stream', () => Readable.from(pieces(SIZE))],
  ['an iterable', () => pieces(SIZE)],
  ['one Buffer', () => Buffer.concat([...pieces(SIZE)])],
])('64 MiB up from %s are the same at both ends', async (_, body) => {
  const { dispatcher, responder } = await setup(async (r) => {
    await r.stdinEnded
    r.respond(`\r\n${await hash(r.stdinChunks)}`)
  })
  const response = await request(URL_, { dispatcher, method: 'POST', body: body() as never })
  expect(await response.body.text()).toBe(await hash(pieces(SIZE)))
  expect((await request(URL_, { dispatcher })).statusCode).toBe(200)
  expect(responder.sockets).toHaveLength(1)
})

test.each(['fetch', 'request'] as const)(
  'a client that reads slowly, by %s, slows the application down',
  async (way) => {
    let sent = 0
    const { dispatcher } = await setup((r) => void download(r, SIZE, (bytes) => (sent += bytes)), {
      kind: 'unix',
    })
    const body =
      way === 'fetch' ? (await fetch(URL_, { dispatcher })).body! : (await request(URL_, { dispatcher })).body
    const sum = createHash('sha256')
    let received = 0
    let most = 0
    for await (const chunk of body) {
      // Give the application time to run ahead, in case nothing stops it.
      for (let i = 0; i < 10; i++) await turn()
      received += chunk.length
      sum.update(chunk)
      most = Math.max(most, sent - received)
    }
    expect(sum.digest('hex')).toBe(await hash(pieces(SIZE)))
    expect(most).toBeLessThan(IN_BETWEEN)
  },
)

test.each(['a stream', 'an iterable'])('an application that reads slowly slows %s down', async (kind) => {
  let taken = 0
  let received = 0
  let most = 0
  const { dispatcher } = await setup(
    async (r) => {
      r.socket.on('data', async (chunk) => {
        received += chunk.length
        most = Math.max(most, taken - received)
        r.socket.pause()
        await turn()
        r.socket.resume()
      })
      await r.stdinEnded
      r.respond(`\r\n${await hash(r.stdinChunks)}`)
    },
    { kind: 'unix' },
  )
  const counted = function* () {
    for (const piece of pieces(SIZE)) {
      taken += piece.length
      yield piece
    }
  }
  const body = kind === 'a stream' ? Readable.from(counted()) : counted()
  const response = await request(URL_, { dispatcher, method: 'POST', body: body as never })
  expect(await response.body.text()).toBe(await hash(pieces(SIZE)))
  expect(most).toBeLessThan(IN_BETWEEN)
})

test('an echo streams up and down at the same time', async () => {
  const { dispatcher } = await setup((r) => {
    r.stdout('\r\n')
    const echo = async () => {
      let next = 0
      for (;;) {
        const ended = await Promise.race([r.stdinEnded.then(() => true), turn(false)])
        for (; next < r.stdinChunks.length; next++) {
          if (!r.stdout(r.stdinChunks[next]!)) await once(r.socket, 'drain')
        }
        if (ended) break
      }
      r.end()
    }
    void echo()
  })
  const response = await fetch(URL_, {
    dispatcher,
    method: 'POST',
    body: ReadableStream.from(pieces(SIZE)) as never,
    duplex: 'half',
  })
  expect(await hash(response.body!)).toBe(await hash(pieces(SIZE)))
})
