import { once } from 'node:events'
import { PassThrough, Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { type Dispatcher, errors, interceptors } from 'undici'
import { describe, expect, test } from 'vitest'
import { deferred, respondWith, setup } from '../testing/setup.ts'

const GET = { path: '/', method: 'GET', origin: 'http://example.test' } as const
const RESPONSE = 'Status: 201 Made\r\nX-One: caf\xe9\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\nhello'

describe('a handler with a controller (undici 7 and later)', () => {
  test('is called in order', async () => {
    const { dispatcher } = await setup(respondWith(RESPONSE))
    const calls: unknown[] = []
    const done = deferred()
    dispatcher.dispatch(GET, {
      onRequestStart: (controller) => calls.push(['start', controller.aborted, controller.paused]),
      onResponseStart: (controller, status, headers, message) => {
        calls.push([
          'head',
          status,
          headers,
          message,
          (controller.rawHeaders as Buffer[]).map((raw) => raw.toString('latin1')),
        ])
      },
      onResponseData: (_, chunk) => calls.push(['data', String(chunk)]),
      onResponseEnd: (_, trailers) => {
        calls.push(['end', trailers])
        done.resolve()
      },
      onResponseError: (_, error) => calls.push(error),
    })
    await done.promise
    expect(calls).toEqual([
      ['start', false, false],
      [
        'head',
        201,
        { 'x-one': 'caf\xe9', 'set-cookie': ['a', 'b'] },
        'Made',
        ['X-One', 'caf\xe9', 'Set-Cookie', 'a', 'Set-Cookie', 'b'],
      ],
      ['data', 'hello'],
      ['end', {}],
    ])
  })

  test('gets nothing between pause() and resume(), not even data that was received before', async () => {
    const { dispatcher } = await setup(async (r) => {
      // One write with many records.
      r.socket.cork()
      r.stdout('\r\n')
      for (const character of 'hello') r.stdout(character)
      r.end()
      r.socket.uncork()
    })
    const calls: string[] = []
    const done = deferred()
    const pauseForATurn = (controller: Dispatcher.DispatchController) => {
      controller.pause()
      setImmediate(() => {
        calls.push('resume')
        controller.resume()
      })
    }
    dispatcher.dispatch(GET, {
      onRequestStart() {},
      onResponseStart(controller) {
        calls.push('head')
        pauseForATurn(controller)
      },
      onResponseData(controller, chunk) {
        calls.push(String(chunk))
        pauseForATurn(controller)
      },
      onResponseEnd: () => done.resolve(),
    })
    await done.promise
    expect(calls).toEqual(['head', 'resume', ...[...'hello'].flatMap((character) => [character, 'resume'])])
  })

  test('that pauses before it has a connection stops the application from sending', async () => {
    let sent = 0
    const blocked = deferred()
    const { dispatcher } = await setup(
      async (r) => {
        r.stdout('\r\n')
        for (; sent < 1000; sent++) {
          if (r.stdout(Buffer.alloc(65_000))) continue
          blocked.resolve()
          await once(r.socket, 'drain')
        }
        r.end()
      },
      { kind: 'unix' },
    )
    const started = deferred<Dispatcher.DispatchController>()
    const done = deferred()
    dispatcher.dispatch(GET, {
      onRequestStart(controller) {
        controller.pause()
        started.resolve(controller)
      },
      onResponseEnd: () => done.resolve(),
    })
    const controller = await started.promise
    await blocked.promise
    for (let turn = 0; turn < 1000; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(sent).toBeLessThan(100)
    controller.resume()
    await done.promise
    expect(sent).toBe(1000)
  })

  test('gets one error after abort(), and nothing after that', async () => {
    const { dispatcher } = await setup(respondWith(RESPONSE))
    const calls: unknown[] = []
    const why = new Error('enough')
    const done = deferred()
    dispatcher.dispatch(GET, {
      onRequestStart() {},
      onResponseStart(controller) {
        controller.abort(why)
        controller.abort(new Error('again'))
        calls.push([controller.aborted, controller.reason])
        setImmediate(done.resolve)
      },
      onResponseData: () => calls.push('data'),
      onResponseEnd: () => calls.push('end'),
      onResponseError: (_, error) => calls.push(error),
    })
    await done.promise
    expect(calls).toEqual([why, [true, why]])
  })

  test.each(['onRequestStart', 'onResponseStart', 'onResponseData', 'onResponseEnd'])(
    'that throws in %s fails only its own request',
    async (name) => {
      const { dispatcher } = await setup(respondWith(RESPONSE))
      const why = new Error('a bug')
      const failed = deferred<Error>()
      dispatcher.dispatch(GET, {
        onRequestStart() {},
        onResponseError: (_, error) => failed.resolve(error),
        [name]: () => {
          throw why
        },
      })
      expect(await failed.promise).toBe(why)
      const response = await dispatcher.request(GET)
      expect(await response.body.text()).toBe('hello')
    },
  )
})

describe('a handler with callbacks (undici up to 7, and the fetch of Node 20 to 24)', () => {
  test('is called in order', async () => {
    const { dispatcher } = await setup(respondWith(RESPONSE))
    const calls: unknown[] = []
    const done = deferred()
    dispatcher.dispatch(GET, {
      onConnect: (abort) => calls.push(['connect', typeof abort]),
      onResponseStarted: () => calls.push('started'),
      onHeaders: (status, headers, resume, message) => {
        calls.push(['head', status, headers.map((raw) => raw.toString('latin1')), typeof resume, message])
        return true
      },
      onData: (chunk) => {
        calls.push(['data', String(chunk)])
        return true
      },
      onComplete: (trailers) => {
        calls.push(['complete', trailers])
        done.resolve()
      },
      onError: (error) => calls.push(error),
    })
    await done.promise
    expect(calls).toEqual([
      ['connect', 'function'],
      'started',
      ['head', 201, ['X-One', 'caf\xe9', 'Set-Cookie', 'a', 'Set-Cookie', 'b'], 'function', 'Made'],
      ['data', 'hello'],
      ['complete', []],
    ])
  })

  test('pauses the response by returning false, until it calls resume', async () => {
    const { dispatcher } = await setup(respondWith('\r\nhello'))
    const calls: string[] = []
    const done = deferred()
    let resume!: () => void
    const hold = (what: string): boolean => {
      calls.push(what)
      setImmediate(() => {
        calls.push('resume')
        resume()
      })
      return false
    }
    dispatcher.dispatch(GET, {
      onConnect() {},
      onHeaders: (_, __, resumeBody) => {
        resume = resumeBody
        return hold('head')
      },
      onData: (chunk) => hold(String(chunk)),
      onComplete: () => done.resolve(),
      onError() {},
    })
    await done.promise
    expect(calls).toEqual(['head', 'resume', 'hello', 'resume'])
  })

  test('can abort when it connects', async () => {
    const { dispatcher, responder } = await setup(respondWith(RESPONSE))
    const failed = deferred<Error>()
    dispatcher.dispatch(GET, { onConnect: (abort) => abort(), onError: failed.resolve })
    expect(await failed.promise).toBeInstanceOf(errors.RequestAbortedError)
    expect(responder.sockets).toHaveLength(0)
  })
})

test.each([undefined, null, 5, {}, { onConnect() {} }])('%j is not a handler', async (handler) => {
  const { dispatcher } = await setup(respondWith(RESPONSE))
  expect(() => dispatcher.dispatch(GET, handler as never)).toThrow(errors.InvalidArgumentError)
})

describe("undici's own methods", () => {
  test('request, with a query', async () => {
    const { dispatcher } = await setup((r) => r.respond(`\r\n${r.params.REQUEST_URI}`))
    const response = await dispatcher.request({ ...GET, query: { a: 'b c', d: [1, 2] } })
    expect(await response.body.text()).toBe('/?a=b%20c&d=1&d=2')
  })

  test('stream', async () => {
    const { dispatcher } = await setup(respondWith(RESPONSE))
    const target = new PassThrough()
    const read = text(target)
    const { trailers } = await dispatcher.stream(GET, ({ statusCode, headers }) => {
      expect([statusCode, headers['x-one']]).toEqual([201, 'caf\xe9'])
      return target
    })
    expect(await read).toBe('hello')
    expect(trailers).toEqual({})
  })

  test('pipeline', async () => {
    const { dispatcher } = await setup(async (r) => r.respond(`\r\n${String(await r.body()).toUpperCase()}`))
    let responseText = ''
    await pipeline(
      Readable.from(['a', 'b', 'c']),
      dispatcher.pipeline({ ...GET, method: 'POST' }, ({ body }) => body),
      new Writable({
        write(chunk, _, callback) {
          responseText += chunk
          callback()
        },
      }),
    )
    expect(responseText).toBe('ABC')
  })

  test('compose, with interceptors for redirects and retries', async () => {
    const { dispatcher, responder } = await setup(
      respondWith('Status: 302\r\nLocation: /two\r\n\r\n', 'Status: 503\r\n\r\n', '\r\nhello'),
    )
    const composed = dispatcher.compose(
      interceptors.retry({ minTimeout: 1, maxRetries: 1 }),
      interceptors.redirect({ maxRedirections: 1 }),
    )
    const response = await composed.request(GET)
    expect([response.statusCode, await response.body.text()]).toEqual([200, 'hello'])
    expect(responder.sockets).toHaveLength(1)
  })
})
