import { createReadStream } from 'node:fs'
import { PassThrough, Readable } from 'node:stream'
import { setImmediate as nextLoop } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type FetchHandler, toHandler } from '../index.ts'
import { deferred } from '../testing/deferred.ts'
import { ask, Front, listen } from '../testing/front.ts'

// Responses like those of node-fetch and srvx.
function responding(body: () => unknown, type = 'text/plain'): FetchHandler {
  return (() => ({
    status: 200,
    statusText: '',
    headers: [
      ['x-a', 'b'],
      ['content-type', type],
    ],
    body: body(),
  })) as unknown as FetchHandler
}

test('each chunk, bytes or text, is sent when it arrives', async () => {
  const stream = new PassThrough()
  const server = await listen(toHandler(responding(() => stream)))
  const front = await Front.connect(server)
  const request = front.request()
  stream.write('one')
  expect(await request.chunk()).toBe('one')
  expect((await request.head()).header('x-a')).toBe('b')
  stream.setEncoding('utf8')
  stream.end('tw\u00f6')
  expect((await request.response()).text).toBe('onetwö')
})

test('an event stream opens before its first event', async () => {
  const stream = new PassThrough()
  const server = await listen(toHandler(responding(() => stream, 'text/event-stream; charset=utf-8')))
  const front = await Front.connect(server)
  const request = front.request()
  expect((await request.head()).header('x-a')).toBe('b')
  stream.end('data: one\n\n')
  expect((await request.response()).text).toBe('data: one\n\n')
})

test('a chunk that the stream already has is sent with the head', async () => {
  const stream = new PassThrough()
  stream.write('first')
  const server = await listen(toHandler(responding(() => stream)))
  const front = await Front.connect(server)
  const request = front.request()
  expect(await request.chunk()).toBe('first')
  expect(request.stdoutRecords).toHaveLength(1)
  stream.end()
  await request.response()
})

test('an async iterable, and an object with only a pipe method', async () => {
  const iterable = {
    async *[Symbol.asyncIterator]() {
      yield 'itera'
      yield Buffer.from('ble')
    },
  }
  expect((await ask(await listen(toHandler(responding(() => iterable))))).text).toBe('iterable')
  const pipeable = { pipe: (to: NodeJS.WritableStream) => Readable.from(['piped']).pipe(to) }
  expect((await ask(await listen(toHandler(responding(() => pipeable))))).text).toBe('piped')
})

test('a front server that does not read pauses the stream', async () => {
  const chunk = Buffer.alloc(64 * 1024)
  const total = 1000
  let read = 0
  const stream = new Readable({
    read() {
      setImmediate(() => this.push(++read > total ? null : chunk))
    },
  })
  const server = await listen(toHandler(responding(() => stream)))
  const front = await Front.connect(server)
  const request = front.request()
  await request.head()
  front.pause()
  for (let before = -1, still = 0; still < 10; before = read) {
    await nextLoop()
    still = read === before ? still + 1 : 0
  }
  expect(read).toBeLessThan(total / 2)
  front.resume()
  expect((await request.response()).bytes).toHaveLength(total * chunk.length)
})

test('an abort destroys the stream, or calls abort of an object with only a pipe method', async () => {
  const stream = new PassThrough()
  const aborted = deferred<unknown>()
  const pipeable = { pipe: () => {}, abort: (reason: unknown) => aborted.resolve(reason) }
  const destroyed = new Promise((resolve) => stream.once('error', resolve))
  for (const body of [stream, pipeable]) {
    const server = await listen(toHandler(responding(() => body, 'text/event-stream')))
    const front = await Front.connect(server)
    const request = front.request()
    await request.head()
    request.abort()
    await request.ended()
  }
  expect(await destroyed).toMatchObject({ name: 'AbortError' })
  expect(await aborted.promise).toMatchObject({ name: 'AbortError' })
})

test('a stream that fails or closes early cuts the response off', async () => {
  for (const [error, message] of [
    [new Error('broken'), 'broken'],
    [undefined, 'Premature close'],
  ] as const) {
    const stream = new PassThrough()
    const errors: unknown[] = []
    const server = await listen(toHandler(responding(() => stream)), {
      onError: (error) => errors.push(error),
    })
    const front = await Front.connect(server)
    const request = front.request()
    stream.write('half')
    await request.chunk()
    stream.destroy(error)
    expect((await request.cut()).text).toBe('half')
    expect(errors).toEqual([expect.objectContaining({ message })])
  }
})

test('a stream that has already failed is a 500', async () => {
  const stream = new PassThrough()
  stream.on('error', () => {})
  stream.destroy(new Error('secret'))
  await nextLoop()
  const response = await ask(await listen(toHandler(responding(() => stream))))
  expect(response.status).toBe(500)
})

test('a file that cannot be opened is a 500', async () => {
  const errors: unknown[] = []
  const server = await listen(toHandler(responding(() => createReadStream('/missing/file'))), {
    onError: (error) => errors.push(error),
  })
  expect((await ask(server)).status).toBe(500)
  expect(errors).toEqual([expect.objectContaining({ code: 'ENOENT' })])
})

test('a HEAD request destroys the stream', async () => {
  const stream = new PassThrough()
  const server = await listen(toHandler(responding(() => stream)))
  expect(await ask(server, { method: 'HEAD' })).toMatchObject({ status: 200, text: '' })
  expect(stream.destroyed).toBe(true)
})

test('a head that cannot be sent destroys the stream', async () => {
  const stream = new PassThrough()
  const give = () => ({ status: 200, headers: [['x-a', 'one\r\ntwo: 2']], body: stream })
  const response = await ask(await listen(toHandler(give as unknown as FetchHandler)))
  expect(response.status).toBe(500)
  expect(stream.destroyed).toBe(true)
})

test('a stream of objects is a 500', async () => {
  const response = await ask(await listen(toHandler(responding(() => Readable.from([{ a: 1 }])))))
  expect(response.status).toBe(500)
  expect(response.stderr).toContain('Enqueue Uint8Arrays or strings')
})

test('any other object as a body is a 500', async () => {
  const response = await ask(await listen(toHandler(responding(() => ({ a: 1 })))))
  expect(response.status).toBe(500)
  expect(response.stderr).toContain('which cannot be sent')
})
