import { setImmediate as nextLoop } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { toHandler } from '../index.ts'
import { deferred } from '../testing/deferred.ts'
import { ask, Front, listen } from '../testing/front.ts'

const encoder = new TextEncoder()

function withController(): {
  stream: ReadableStream<Uint8Array>
  controller: ReadableStreamDefaultController
} {
  let controller!: ReadableStreamDefaultController
  const stream = new ReadableStream<Uint8Array>({
    start: (given) => {
      controller = given
    },
  })
  return { stream, controller }
}

describe('every chunk is sent when it is enqueued', () => {
  test('the head before the first chunk exists, the first chunk before the second exists', async () => {
    const { stream, controller } = withController()
    const server = await listen(
      toHandler(() => new Response(stream, { headers: { 'content-type': 'text/event-stream' } })),
    )
    const front = await Front.connect(server)
    const request = front.request()
    const head = await request.head()
    expect(head.header('content-type')).toBe('text/event-stream')
    expect(head.header('content-length')).toBeUndefined()
    for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
      controller.enqueue(encoder.encode(event))
      expect(await request.chunk()).toBe(event)
    }
    controller.close()
    expect((await request.response()).text).toBe('data: 1\n\ndata: 2\n\n')
  })

  test('a first chunk that is already enqueued is in one record with the head', async () => {
    const { stream, controller } = withController()
    controller.enqueue(encoder.encode('first'))
    const server = await listen(toHandler(() => new Response(stream)))
    const front = await Front.connect(server)
    const request = front.request()
    expect(await request.chunk()).toBe('first')
    expect(request.stdoutRecords).toHaveLength(1)
    controller.close()
    await request.response()
  })

  test('also if the handler returns the Response later', async () => {
    const { stream, controller } = withController()
    const server = await listen(
      toHandler(async () => {
        await nextLoop()
        return new Response(stream)
      }),
    )
    const front = await Front.connect(server)
    const request = front.request()
    await request.head()
    controller.enqueue(encoder.encode('late'))
    expect(await request.chunk()).toBe('late')
    controller.close()
    await request.response()
  })

  test('empty chunks do not end the response', async () => {
    const { stream, controller } = withController()
    const server = await listen(toHandler(() => new Response(stream)))
    const front = await Front.connect(server)
    const request = front.request()
    await request.head()
    controller.enqueue(new Uint8Array())
    controller.enqueue(encoder.encode('more'))
    expect(await request.chunk()).toBe('more')
    controller.close()
    expect((await request.response()).text).toBe('more')
  })

  test('a last chunk that is enqueued together with the end', async () => {
    const { stream, controller } = withController()
    const server = await listen(toHandler(() => new Response(stream)))
    const front = await Front.connect(server)
    const request = front.request()
    await request.head()
    controller.enqueue(encoder.encode('first'))
    controller.enqueue(encoder.encode('last'))
    controller.close()
    expect((await request.response()).text).toBe('firstlast')
  })

  test('a byte stream', async () => {
    const stream = new ReadableStream({
      type: 'bytes',
      async pull(controller) {
        await nextLoop()
        controller.enqueue(encoder.encode('bytes'))
        controller.close()
      },
    })
    const server = await listen(toHandler(() => new Response(stream)))
    expect((await ask(server)).text).toBe('bytes')
  })

  test('a long stream that never waits is sent before it has ended', async () => {
    let pulled = 0
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (++pulled > 1000) controller.close()
        else controller.enqueue(new Uint8Array(16 * 1024))
      },
    })
    const server = await listen(toHandler(() => new Response(stream)))
    const response = await ask(server)
    expect(response.bytes).toHaveLength(1000 * 16 * 1024)
    expect(response.header('content-length')).toBeUndefined()
  })
})

describe('backpressure', () => {
  test('a front server that does not read stops the stream, which continues when it reads', async () => {
    const chunk = new Uint8Array(64 * 1024)
    const total = 1000
    let pulled = 0
    const stream = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await nextLoop()
        if (++pulled > total) controller.close()
        else controller.enqueue(chunk)
      },
    })
    const server = await listen(toHandler(() => new Response(stream)))
    const front = await Front.connect(server)
    const request = front.request()
    await request.head()
    front.pause()
    // The stream has stopped if nothing was pulled in ten turns of the event loop.
    for (let before = -1, still = 0; still < 10; before = pulled) {
      await nextLoop()
      still = pulled === before ? still + 1 : 0
    }
    expect(pulled).toBeLessThan(total / 2)
    front.resume()
    expect((await request.response()).bytes).toHaveLength(total * chunk.length)
  })

  test('a front server that closes the connection without reading is noticed', async () => {
    const cancelled = deferred<unknown>()
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024)),
      cancel: (reason) => cancelled.resolve(reason),
    })
    const server = await listen(toHandler(() => new Response(stream)))
    const front = await Front.connect(server)
    const request = front.request()
    await request.head()
    front.pause()
    await nextLoop()
    front.destroy()
    expect(await cancelled.promise).toMatchObject({ name: 'AbortError' })
  })
})

describe('an abort', () => {
  test('cancels the stream with the reason of the signal', async () => {
    const cancelled = deferred<unknown>()
    let signal: AbortSignal | undefined
    const server = await listen(
      toHandler((request) => {
        signal = request.signal
        return new Response(new ReadableStream({ cancel: (reason) => cancelled.resolve(reason) }))
      }),
    )
    const front = await Front.connect(server)
    const request = front.request()
    await request.head()
    request.abort()
    const reason = await cancelled.promise
    expect(reason).toMatchObject({ name: 'AbortError', code: 'FCGI_ERR_ABORTED' })
    expect(signal!.aborted).toBe(true)
    expect(signal!.reason).toBe(reason)
  })

  test('before the handler returns: the body is cancelled, and no rejection is unhandled', async () => {
    const called = deferred()
    const gone = deferred()
    const cancelled = deferred<unknown>()
    const errors: unknown[] = []
    const server = await listen(
      toHandler(async (request) => {
        request.signal.addEventListener('abort', () => gone.resolve())
        called.resolve()
        await gone.promise
        return new Response(
          new ReadableStream({
            cancel: (reason) => {
              cancelled.resolve(reason)
              throw new Error('a cancel that fails')
            },
          }),
        )
      }),
      { onError: (error) => errors.push(error) },
    )
    const front = await Front.connect(server)
    const request = front.request()
    await called.promise
    request.abort()
    expect(await cancelled.promise).toMatchObject({ name: 'AbortError' })
    await nextLoop()
    expect(errors).toEqual([])
  })

  test('is not an error of the app if the handler rejects with its reason', async () => {
    const called = deferred()
    const rejected = deferred()
    const errors: unknown[] = []
    const server = await listen(
      toHandler(
        ({ signal }) =>
          new Promise((_, reject) => {
            signal.addEventListener('abort', () => {
              reject(signal.reason as Error)
              rejected.resolve()
            })
            called.resolve()
          }),
      ),
      { onError: (error) => errors.push(error) },
    )
    const front = await Front.connect(server)
    front.request()
    await called.promise
    front.destroy()
    await rejected.promise
    await nextLoop()
    expect(errors).toEqual([])
  })

  test('does not affect other requests on the connection', async () => {
    const { stream, controller } = withController()
    const server = await listen(
      toHandler(({ url }) => new Response(url.endsWith('/stays') ? stream : new ReadableStream())),
    )
    const front = await Front.connect(server)
    const stays = front.request({ target: '/stays' })
    const leaves = front.request({ target: '/leaves' })
    await leaves.head()
    leaves.abort()
    await leaves.response()
    controller.enqueue(encoder.encode('still here'))
    controller.close()
    expect((await stays.response()).text).toBe('still here')
  })

  test('does not happen after the end of the response', async () => {
    let cancelled = false
    const server = await listen(
      toHandler(
        () =>
          new Response(
            new ReadableStream({
              start: (controller) => {
                controller.enqueue(encoder.encode('whole'))
                controller.close()
              },
              cancel: () => {
                cancelled = true
              },
            }),
          ),
      ),
    )
    const front = await Front.connect(server)
    await front.request().response()
    front.destroy()
    await server.close()
    expect(cancelled).toBe(false)
  })
})

describe('a stream that fails', () => {
  test('before its first chunk: a 500', async () => {
    const errors: unknown[] = []
    const server = await listen(
      toHandler(
        () =>
          new Response(
            new ReadableStream({
              start: (controller) => controller.error(new Error('secret')),
            }),
          ),
      ),
      { onError: (error) => errors.push(error) },
    )
    const response = await ask(server)
    expect(response).toMatchObject({ status: 500, stderr: expect.stringContaining('secret') })
    expect(response.text).not.toContain('secret')
    expect(errors).toEqual([expect.objectContaining({ message: 'secret' })])
  })

  test('in the middle: the response is cut off, so that the front server sees the failure', async () => {
    const { stream, controller } = withController()
    const errors: unknown[] = []
    const server = await listen(
      toHandler(() => new Response(stream)),
      { onError: (error) => errors.push(error) },
    )
    const front = await Front.connect(server)
    const request = front.request()
    controller.enqueue(encoder.encode('half'))
    expect(await request.chunk()).toBe('half')
    controller.error(new Error('broken'))
    expect((await request.cut()).text).toBe('half')
    expect(errors).toEqual([expect.objectContaining({ message: 'broken' })])
  })

  test('together with a chunk: the chunk is sent, and the response is cut off', async () => {
    const { stream, controller } = withController()
    const server = await listen(toHandler(() => new Response(stream)))
    const front = await Front.connect(server)
    const request = front.request()
    await request.head()
    controller.enqueue(encoder.encode('half'))
    controller.error(new Error('broken'))
    expect((await request.cut()).text).toBe('half')
  })

  const bytes = encoder.encode('_chunk_').buffer
  test.each<[what: string, chunk: unknown, text: string]>([
    ['a string', 'täxt €\ud800', 'täxt €\ufffd'],
    ['an empty string', '', ''],
    ['an ArrayBuffer', bytes, '_chunk_'],
    ['a DataView', new DataView(bytes, 1, 5), 'chunk'],
    ['another typed array', new Uint16Array(bytes.slice(0, 6)), '_chunk'],
  ])('a chunk that is %s is sent, in a whole body and by itself', async (_what, chunk, text) => {
    const server = await listen(
      toHandler(({ url }) => {
        const isAlone = url.endsWith('/alone')
        const chunks = [chunk, chunk]
        const stream = new ReadableStream({
          async pull(controller) {
            if (isAlone) await nextLoop()
            if (chunks.length > 0) controller.enqueue(chunks.pop())
            else controller.close()
          },
        })
        return new Response(stream)
      }),
    )
    const whole = await ask(server)
    expect(whole).toMatchObject({ status: 200, text: text + text })
    expect(whole.header('content-length')).toBe(String(Buffer.byteLength(text + text)))
    expect(await ask(server, { target: '/alone' })).toMatchObject({ status: 200, text: text + text })
  })

  test('an async generator of strings, as frameworks use for events', async () => {
    async function* events(): AsyncGenerator<string> {
      for (const word of ['one', 'two']) {
        await nextLoop()
        yield `data: ${word}\n\n`
      }
    }
    const server = await listen(toHandler(() => new Response(ReadableStream.from(events()) as never)))
    expect((await ask(server)).text).toBe('data: one\n\ndata: two\n\n')
  })

  test.each<[what: string, chunk: unknown, message: RegExp]>([
    ['an object', { a: 1 }, /a chunk that is \[object Object\]\. Enqueue Uint8Arrays or strings/],
    ['a number', 7, /a chunk that is 7\./],
    ['null', null, /a chunk that is null\./],
  ])('a chunk that is %s is an error, and the stream is cancelled', async (_what, chunk, message) => {
    const cancelled = deferred<unknown>()
    const server = await listen(
      toHandler(
        () =>
          new Response(
            new ReadableStream({
              pull: (controller) => controller.enqueue(chunk as Uint8Array),
              cancel: (reason) => cancelled.resolve(reason),
            }),
          ),
      ),
    )
    const response = await ask(server)
    expect(response.status).toBe(500)
    expect(response.stderr).toMatch(message)
    expect(await cancelled.promise).toBeInstanceOf(TypeError)
  })
})
