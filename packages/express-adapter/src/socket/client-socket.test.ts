import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { expect, test } from 'vitest'
import { serveForTest } from '../testing/served.ts'

test('data written to req.socket is dropped, and each write is called back', async () => {
  const { client } = await serveForTest(async ({ socket }, response) => {
    const steps: string[] = []
    socket.write('one', () => steps.push('one'))
    socket.cork()
    socket.write('two', () => steps.push('two'))
    socket.write(Buffer.alloc(100_000), () => steps.push('large'))
    const drained = once(socket, 'drain')
    socket.uncork()
    await drained
    await new Promise((resolve) => socket.write('last', resolve))
    response.end(steps.join())
  })
  const { body } = await client.send().response
  expect(body.toString()).toBe('one,two,large')
})

test('a stream that is piped to req.socket ends the socket, and with it the request', async () => {
  let piped: Promise<void> | undefined
  const { client } = await serveForTest((request) => {
    piped = pipeline(Readable.from(['one', 'two']), request.socket)
  })
  const { status } = await client.send().response
  expect(status).toBe(500)
  await piped
})
