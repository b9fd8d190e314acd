// Tests what a handler can rely on: how errors are handled, how output is sent, when hooks are called.

import { Console } from 'node:console'
import { once } from 'node:events'
import { GET, TYPES } from '@fcgi-bridge/testing'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { App, abortion, closed, connected, echo, listen, readAll } from '../testing/serving.ts'
import { ExchangeError } from './error.ts'
import type { Exchange, Handler } from './exchange.ts'
import type { ServerExchange } from './server-exchange.ts'

const MEGABYTE = 1024 * 1024
const SECRET = 'secret of the app'

function fails(exchange: Exchange): void {
  void exchange
  throw new TypeError(SECRET)
}

describe('an error of the app before the head is sent', () => {
  test.each<[string, Handler]>([
    ['thrown', fails],
    ['rejected', async (exchange) => fails(exchange)],
    ['failed', (exchange) => exchange.fail(new TypeError(SECRET))],
    [
      'thrown after writeHead',
      (exchange) => {
        exchange.writeHead(200, ['X-Half', 'done'])
        fails(exchange)
      },
    ],
  ])(
    '%s: the response is a 500 without details, and the error goes to FCGI_STDERR and onError',
    async (_, handler) => {
      const { peer, errors } = await connected(handler)
      peer.get(1, {}, { keepConn: true })
      const { stdout, stderr, appStatus } = await peer.response(1)
      expect(stdout).toBe(
        'Status: 500 Internal Server Error\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n500 Internal Server Error\n',
      )
      expect(stderr).toContain(`TypeError: ${SECRET}`)
      expect(appStatus).toBe(0)
      expect(errors).toEqual([new TypeError(SECRET)])
      // The connection can be reused.
      await peer.forget().get(1, {}, { keepConn: true }).response(1)
    },
  )

  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['a string', 'text'],
    ['a symbol', Symbol('s')],
    ['an object without prototype', Object.create(null)],
    [
      'an object that cannot be inspected',
      new Proxy(
        {},
        {
          get() {
            throw new Error('no')
          },
        },
      ),
    ],
    [
      'an Error without a stack',
      Object.defineProperty(new Error('x'), 'stack', {
        get() {
          throw new Error('no')
        },
      }),
    ],
  ])('throwing %s causes a 500', async (_, thrown) => {
    const { peer, errors } = await connected(() => {
      throw thrown
    })
    peer.get(1)
    expect((await peer.response(1)).stdout).toMatch(/^Status: 500 /)
    expect(errors).toHaveLength(1)
    expect(errors[0]).toBe(thrown)
  })

  test('an app that fails because the request body is too short or too large responds with 400 or 413', async () => {
    const serving = await listen(echo, { maxBodyBytes: 10 })
    const peer = await serving.connect()
    peer.post(1, { CONTENT_LENGTH: '8' }, { keepConn: true }).stdin(1, 'half').endStdin(1)
    expect((await peer.response(1)).stdout).toMatch(/^Status: 400 /)
    peer.post(2, {}, { keepConn: true }).stdin(2, 'more than ten').endStdin(2)
    expect((await peer.response(2)).stdout).toMatch(/^Status: 413 /)
    expect(serving.errors).toMatchObject([
      { code: 'FCGI_ERR_BODY_LENGTH' },
      { code: 'FCGI_ERR_BODY_TOO_LARGE', status: 413 },
    ])
  })

  test.each([null, true, 0, 'text', {}, () => {}])(
    'a handler that returns %j has not failed',
    async (result) => {
      const { peer, errors } = await connected(((exchange: Exchange) => {
        exchange.end('fine')
        return result
      }) as never)
      peer.get(1)
      expect((await peer.response(1)).stdout).toMatch(/^Status: 200 .*fine$/s)
      expect(errors).toEqual([])
    },
  )
})

describe('an error of the app after the head was sent', () => {
  test.each([[true], [false]])('resets the connection, KEEP_CONN %s', async (keepConn) => {
    const app = new App()
    const { peer, sockets, errors } = await connected(app.handler)
    // Do not check what the peer receives: before Node 26, a reset after unread bytes looks like an end to it.
    const reset = vi.spyOn(sockets[0]!, 'resetAndDestroy')
    peer.get(1, {}, { keepConn })
    const exchange = await app.next()
    exchange.write('half an')
    await peer.stdout(1, 'half an')
    exchange.fail(new TypeError(SECRET))
    await peer.end()
    expect(reset).toHaveBeenCalledOnce()
    expect(peer.text(TYPES.STDERR, 1)).toContain(SECRET)
    expect(peer.records.at(-1)!.type).toBe(TYPES.STDERR)
    expect(errors).toEqual([new TypeError(SECRET)])
  })

  test('sends an invalid record over a Unix socket, which cannot be reset', async () => {
    const app = new App()
    const { peer, sockets } = await connected(app.handler, {}, 'unix')
    peer.get(1)
    const exchange = await app.next()
    exchange.write('half an')
    await peer.stdout(1, 'half an')
    exchange.fail(new TypeError(SECRET))
    await peer.until(() => peer.invalidRecord)
    expect(peer.records.at(-1)!.type).toBe(TYPES.STDERR)
    peer.destroy()
    await closed(sockets[0]!)
  })

  test('sends END_REQUEST with a non-zero status if other requests share the connection, and they continue', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.get(1, {}, { keepConn: true }).get(2, {}, { keepConn: true })
    const [one, two] = [await app.next(), await app.next()]
    one.write('half an')
    one.fail(new Error(SECRET))
    expect(await peer.response(1)).toMatchObject({ appStatus: 1 })
    peer.get(3, {}, { keepConn: true })
    ;(await app.next()).end('next')
    expect((await peer.response(3)).stdout).toMatch(/next$/)
    two.end('whole')
    expect((await peer.response(2)).stdout).toMatch(/whole$/)
  })
})

describe('the option onError', () => {
  test.each<[string, () => unknown]>([
    [
      'that throws',
      () => {
        throw new Error('in onError')
      },
    ],
    ['that rejects', () => Promise.reject(new Error('in onError'))],
  ])('%s causes a warning, and the response is a 500', async (_, onError) => {
    const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    onTestFinished(() => warning.mockRestore())
    const { peer } = await connected(fails, { onError: onError as () => void })
    peer.get(1)
    expect((await peer.response(1)).stdout).toMatch(/^Status: 500 /)
    expect(warning).toHaveBeenCalledOnce()
    expect(warning.mock.calls[0]![0]).toContain('in onError')
  })

  test('can send a response instead of the 500', async () => {
    const { peer } = await connected(fails, {
      onError(_, exchange) {
        exchange.writeHead(503)
        exchange.end('sorry')
      },
    })
    peer.get(1)
    expect((await peer.response(1)).stdout).toBe('Status: 503 Service Unavailable\r\n\r\nsorry')
  })

  test('is called for invalid requests, with an exchange whose properties can be read', async () => {
    const values: unknown[] = []
    const { peer } = await connected(echo, {
      onError: (_, { params, method, remoteAddress }) => values.push({ ...params }, method, remoteAddress),
    })
    peer.begin(1).params(1, [['REQUEST_METHOD', 'GET\0']])
    await peer.response(1)
    expect(values).toEqual([{}, '', undefined])
  })

  test('is called for an error after the end of the response, but not after an abort', async () => {
    const app = new App()
    const { peer, errors } = await connected(app.handler)
    peer.get(1, {}, { keepConn: true }).get(2, {}, { keepConn: true })
    const [one, two] = [await app.next(), await app.next()]
    one.end()
    one.fail(new Error('after the end'))
    peer.abort(2)
    await peer.response(2)
    two.fail(new Error('after the abort'))
    expect(errors).toEqual([new Error('after the end')])
  })
})

describe('a hook that throws does not affect other requests of the connection', () => {
  const thrown = new Error('in a hook')
  const hook = (): never => {
    throw thrown
  }

  test('onReadable, when the same read contains input for another request', async () => {
    const app = new App()
    const { peer, errors } = await connected(app.handler)
    peer
      .post(1, { CONTENT_LENGTH: '4' }, { keepConn: true })
      .post(2, { CONTENT_LENGTH: '4' }, { keepConn: true })
    const [one, two] = [await app.next(), await app.next()]
    one.stdin.onReadable = hook
    const body = readAll(two.stdin)
    peer.stdin(1, 'body').stdin(2, 'body').endStdin(1).endStdin(2)
    two.end(await body)
    expect((await peer.response(1)).stdout).toMatch(/^Status: 500 /)
    expect((await peer.response(2)).stdout).toMatch(/\r\n\r\nbody$/)
    expect(errors).toEqual([thrown])
  })

  test('onAbort', async () => {
    const app = new App()
    const { peer, errors } = await connected(app.handler)
    peer.get(1, {}, { keepConn: true }).get(2, {}, { keepConn: true })
    const [one, two] = [await app.next(), await app.next()]
    one.onAbort = hook
    const aborted = once(one.signal, 'abort')
    peer.abort(1)
    await peer.response(1)
    await aborted
    two.end('fine')
    expect((await peer.response(2)).stdout).toMatch(/fine$/)
    expect(errors).toEqual([thrown])
  })

  test('onDrain, which makes its own exchange fail', async () => {
    const app = new App()
    const { peer, errors } = await connected(app.handler)
    peer.get(1)
    const exchange = await app.next()
    exchange.onDrain = hook
    peer.socket.pause()
    exchange.write(Buffer.alloc(16 * MEGABYTE))
    peer.socket.resume()
    await peer.end()
    expect(peer.records.some(({ type }) => type === TYPES.END_REQUEST)).toBe(false)
    expect(errors).toEqual([thrown])
  })

  test('the callback of a write', async () => {
    const app = new App()
    const { peer, errors } = await connected(app.handler)
    peer.get(1, {}, { keepConn: true }).get(2, {}, { keepConn: true })
    const [one, two] = [await app.next(), await app.next()]
    one.end('one', hook)
    two.write('two', hook)
    expect((await peer.response(1)).stdout).toMatch(/one$/)
    await peer.end()
    expect(peer.text(TYPES.STDOUT, 2)).toMatch(/two$/)
    expect(peer.recordsOf(2).some(({ type }) => type === TYPES.END_REQUEST)).toBe(false)
    expect(errors).toEqual([thrown, thrown])
  })

  test('a listener of stderr, at the end of the response', async () => {
    const app = new App()
    const { peer, errors } = await connected(app.handler, { maxStderrBytes: Number.POSITIVE_INFINITY })
    peer.socket.pause()
    peer.get(1)
    const exchange = await app.next()
    exchange.stderr.once('drain', hook)
    while (exchange.stderr.write('e'.repeat(8000)));
    exchange.end('response')
    peer.socket.resume()
    expect((await peer.response(1)).stdout).toMatch(/^Status: 500 /)
    expect(errors).toEqual([thrown])
  })
})

describe('a hook that sends a response', () => {
  test('end() inside onReadable', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    for (const keepConn of [true, false]) {
      peer.post(1, { CONTENT_LENGTH: '10' }, { keepConn })
      const exchange = await app.next()
      exchange.stdin.onReadable = () => exchange.end('enough')
      peer.stdin(1, 'half').stdin(1, 'and half').endStdin(1)
      expect((await peer.response(1)).stdout).toMatch(/enough$/)
      peer.forget()
    }
    await peer.end()
  })

  test('write() to another exchange inside onAbort fails when the connection is closed', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.get(1, {}, { keepConn: true }).get(2, {}, { keepConn: true })
    const [one, two] = [await app.next(), await app.next()]
    const late = new Promise((resolve) => {
      one.onAbort = () => two.write('too late', resolve)
    })
    peer.destroy()
    expect(await late).toBeInstanceOf(Error)
  })

  test('end() inside a stderr listener that an outer end() calls: only one response is sent', async () => {
    const app = new App()
    const { peer } = await connected(app.handler, { maxStderrBytes: Number.POSITIVE_INFINITY })
    peer.socket.pause()
    peer.get(1)
    const exchange = await app.next()
    exchange.stderr.once('drain', () => exchange.end('inner'))
    while (exchange.stderr.write('e'.repeat(8000)));
    exchange.end('outer')
    peer.socket.resume()
    expect((await peer.response(1)).stdout).toMatch(/\r\n\r\ninner$/)
    await peer.end()
    expect(peer.records.filter(({ type }) => type === TYPES.END_REQUEST)).toHaveLength(1)
  })
})

describe('writing', () => {
  test('callbacks run in order, when the bytes have been passed to the operating system', async () => {
    const order: string[] = []
    const { peer, sockets } = await connected((exchange) => {
      exchange.write('one', () => order.push('one'))
      exchange.write('', () => order.push('nothing'))
      exchange.write(Buffer.alloc(MEGABYTE), () => order.push(`two, ${sockets[0]!.writableLength} wait`))
      exchange.end('three', (error) => order.push(`three, ${error}`))
    })
    peer.get(1)
    await peer.response(1)
    await peer.end()
    expect(order.filter((entry) => entry !== 'nothing')).toEqual(['one', 'two, 0 wait', 'three, undefined'])
    expect(order).toHaveLength(4)
  })

  test('callbacks receive an error if the connection closes first', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.socket.pause()
    peer.get(1)
    const exchange = await app.next()
    const results = Promise.all([
      new Promise((resolve) => exchange.write(Buffer.alloc(16 * MEGABYTE), resolve)),
      new Promise((resolve) => exchange.end(Buffer.alloc(MEGABYTE), resolve)),
    ])
    peer.destroy()
    for (const result of await results) expect(result).toBeInstanceOf(Error)
  })

  test('write returns false when the socket buffer is full, and onDrain runs when it has drained', async () => {
    const app = new App()
    const { peer, sockets } = await connected(app.handler)
    peer.socket.pause()
    peer.get(1)
    const exchange = await app.next()
    let written = 0
    const piece = Buffer.alloc(64 * 1024)
    do {
      written += piece.length
    } while (exchange.write(piece) || sockets[0]!.writableLength === 0)
    expect(exchange.writableNeedDrain).toBe(true)
    expect(exchange.write('')).toBe(false)
    const drained = new Promise<void>((resolve) => {
      exchange.onDrain = resolve
    })
    peer.socket.resume()
    await drained
    expect(exchange.writableNeedDrain).toBe(false)
    exchange.end()
    expect((await peer.response(1)).stdout).toHaveLength(written + 'Status: 200 OK\r\n\r\n'.length)
  })

  test('an abort calls onDrain for a writer that waits', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.socket.pause()
    peer.get(1, {}, { keepConn: true })
    const exchange = await app.next()
    exchange.write(Buffer.alloc(16 * MEGABYTE))
    const drained = new Promise<void>((resolve) => {
      exchange.onDrain = resolve
    })
    peer.abort(1)
    await drained
    expect(exchange.aborted).toBe(true)
  })

  test('strings are sent as UTF-8', async () => {
    const { peer } = await connected((exchange) => {
      exchange.write('ü€😀')
      exchange.write('\ud800')
      exchange.end('ü'.repeat(20_000))
    })
    peer.get(1)
    await peer.response(1)
    const body = peer.content(TYPES.STDOUT, 1).toString().split('\r\n\r\n')[1]
    expect(body === `ü€😀\ufffd${'ü'.repeat(20_000)}`).toBe(true)
  })

  test('any Uint8Array can be written, including a view of part of a buffer', async () => {
    const whole = new TextEncoder().encode('[bytes]')
    const { peer } = await connected((exchange) => {
      exchange.write(new Uint8Array(whole.buffer, 1, 5))
      exchange.end(new Uint8Array(Buffer.alloc(100_000, 'x')).subarray(50_000))
    })
    peer.get(1)
    expect((await peer.response(1)).stdout).toBe(`Status: 200 OK\r\n\r\nbytes${'x'.repeat(50_000)}`)
  })

  describe('small writes of one event loop tick', () => {
    test('share records, keep their order, and are copied before the app reuses their memory', async () => {
      const memory = Buffer.from('a')
      const { peer } = await connected((exchange) => {
        for (const letter of 'abc') {
          memory.write(letter)
          exchange.write(memory)
        }
        exchange.write('d')
        exchange.write(new Uint8Array([0x80, 0xff]))
        exchange.write('\u00e9\u20ac')
        exchange.write('e')
        exchange.write('f'.repeat(2000))
        exchange.write('g', () => exchange.end('i'))
        exchange.write('h')
        memory.write('z')
      })
      peer.get(1)
      const { stdout } = await peer.response(1)
      expect(stdout.replace(/f+/, 'F')).toBe(
        `Status: 200 OK\r\n\r\nabcd\x80\xff${Buffer.from('\u00e9\u20ac').toString('latin1')}eFghi`,
      )
      expect(peer.records.filter(({ type }) => type === TYPES.STDOUT).length).toBeLessThan(8)
    })

    test('are sent after the tick, before the response ends', async () => {
      const app = new App()
      const { peer } = await connected(app.handler)
      peer.get(1)
      const exchange = await app.next()
      for (const letter of 'abc') exchange.write(letter)
      await peer.stdout(1, 'abc')
      for (const letter of 'def') exchange.write(letter)
      await peer.stdout(1, 'abcdef')
    })

    test('are sent even if the app fails after them', async () => {
      const { peer } = await connected((exchange) => {
        // This request keeps running, so that the server does not reset the connection when the other one fails.
        if (exchange.target === '/sibling') return
        for (const letter of 'abc') exchange.write(letter)
        throw new TypeError(SECRET)
      })
      peer.get(1, { REQUEST_URI: '/sibling' }, { keepConn: true }).get(2, {}, { keepConn: true })
      const { stdout } = await peer.response(2)
      expect(stdout).toBe('Status: 200 OK\r\n\r\nabc')
    })

    test('are subject to back-pressure from a peer that does not read', async () => {
      const app = new App()
      const { peer, sockets } = await connected(app.handler)
      peer.get(1)
      const exchange = await app.next()
      peer.socket.pause()
      let written = 0
      for (let more = true; more; written++) {
        more = exchange.write('x'.repeat(64))
        if (written % 1000 === 0) await new Promise(setImmediate)
      }
      expect(sockets[0]!.writableLength).toBeLessThan(256 * 1024)
      peer.socket.resume()
      exchange.end()
      const { stdout } = await peer.response(1)
      expect(stdout.length).toBe('Status: 200 OK\r\n\r\n'.length + 64 * written)
    })
  })

  test.each([[5], [null], [{}], [new ArrayBuffer(4)], [[1, 2]]])(
    'a chunk that is neither a string nor a Uint8Array makes the app fail with a 500: %j',
    async (chunk) => {
      for (const method of ['write', 'end'] as const) {
        const { peer } = await connected((exchange) => {
          exchange.writeHead(200)
          exchange[method](chunk as never)
        })
        peer.get(1)
        expect((await peer.response(1)).stdout).toMatch(/^Status: 500 /)
      }
    },
  )

  test('writeHead throws for a second call, an invalid status or an invalid header', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.get(1)
    const exchange = await app.next()
    for (const status of [0, 199, 1000, 200.5, Number.NaN]) {
      expect(() => exchange.writeHead(status)).toThrow(RangeError)
    }
    for (const headers of [
      ['X-Bad', 'a\r\nSet-Cookie: b'],
      ['X Bad', 'a'],
      ['X-Bad', 'a\0'],
      ['', 'a'],
    ]) {
      expect(() => exchange.writeHead(200, headers)).toThrow(TypeError)
    }
    expect(exchange.headSent).toBe(false)
    exchange.writeHead(201, ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2'])
    expect(exchange.headSent).toBe(true)
    expect(() => exchange.writeHead(200)).toThrow('Call writeHead only once')
    exchange.end()
    expect((await peer.response(1)).stdout).toBe(
      'Status: 201 Created\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n',
    )
  })
})

describe('stderr', () => {
  test('that was ended drops what is written later, and the error needs no listener', async () => {
    const onUncaught = vi.fn()
    process.on('uncaughtException', onUncaught)
    onTestFinished(() => void process.removeListener('uncaughtException', onUncaught))
    const { peer } = await connected(async (exchange) => {
      exchange.stderr.end('first')
      await new Promise((resolve) => exchange.stderr.write('later', resolve))
      exchange.end('done')
    })
    peer.get(1)
    expect(await peer.response(1)).toMatchObject({ stderr: 'first', stdout: expect.stringMatching(/done$/) })
    expect(onUncaught).not.toHaveBeenCalled()
  })

  test('all output is sent in order before END_REQUEST', async () => {
    const { peer } = await connected((exchange) => {
      const log = new Console(exchange.stderr)
      for (let i = 0; i < 100; i++) log.error('line', i)
      exchange.end()
    })
    peer.get(1)
    const { stderr } = await peer.response(1)
    expect(stderr.trimEnd().split('\n')).toEqual(Array.from({ length: 100 }, (_, i) => `line ${i}`))
  })

  test('all output is passed on at the end even if the socket buffer is full', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.socket.pause()
    peer.get(1)
    const exchange = await app.next()
    exchange.write(Buffer.alloc(16 * MEGABYTE))
    for (let i = 0; i < 100; i++) exchange.stderr.write(`line ${i}\n`)
    exchange.fail(new Error('at last'))
    expect(exchange.stderr.writableLength).toBe(0)
    peer.destroy()
  })

  test('the stream emits no error if the peer disconnects while output is buffered', async () => {
    const app = new App()
    const { peer } = await connected(app.handler, { maxStderrBytes: Number.POSITIVE_INFINITY })
    peer.socket.pause()
    peer.get(1)
    const exchange = await app.next()
    const onError = vi.fn()
    exchange.stderr.on('error', onError)
    while (exchange.stderr.write('e'.repeat(8000)));
    const aborted = abortion(exchange)
    const drained = once(exchange.stderr, 'drain')
    peer.destroy()
    await Promise.all([aborted, drained])
    exchange.stderr.write('more')
    exchange.stderr.end('last')
    await once(exchange.stderr, 'finish')
    expect(onError).not.toHaveBeenCalled()
  })
})

describe('a reader that is waiting for the request body when the exchange ends', () => {
  test.each([[true], [false]])(
    'gets FCGI_ERR_BODY_DISCARDED if the response ended, KEEP_CONN %s',
    async (keepConn) => {
      const app = new App()
      const { peer } = await connected(app.handler)
      peer.post(1, { CONTENT_LENGTH: '10' }, { keepConn }).stdin(1, 'half')
      const exchange = await app.next()
      const body = expect(readAll(exchange.stdin)).rejects
      const text = expect(exchange.request.text()).rejects
      exchange.end('response')
      await body.toMatchObject({ code: 'FCGI_ERR_BODY_DISCARDED' })
      await text.toMatchObject({ code: 'FCGI_ERR_BODY_DISCARDED' })
      expect(exchange.aborted).toBe(false)
    },
  )

  test('can still read a complete body after the response', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.post(1, { CONTENT_LENGTH: '4' }).stdin(1, 'body').endStdin(1)
    const exchange = (await app.next()) as ServerExchange
    while (!exchange.inputComplete) await new Promise(setImmediate)
    const { request } = exchange
    exchange.end()
    await peer.response(1)
    expect(await request.text()).toBe('body')
  })

  test('gets the reason of the abort if drainTimeout expires, with KEEP_CONN', async () => {
    const app = new App()
    const { peer, server } = await connected(app.handler, { drainTimeout: 1 })
    peer.post(1, { CONTENT_LENGTH: '10' }, { keepConn: true })
    const exchange = await app.next()
    const body = expect(readAll(exchange.stdin)).rejects
    const closed = server.close()
    await body.toMatchObject({ code: 'FCGI_ERR_SHUTDOWN', name: 'AbortError' })
    expect((await peer.response(1)).stdout).toMatch(/^Status: 503 /)
    await closed
  })
})

describe('the standard Request', () => {
  test('is created from the params, once', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.get(1, { REQUEST_URI: '/a%20b?x=1', HTTP_X_TEST: 'yes', HTTPS: 'on' })
    const exchange = await app.next()
    const { request } = exchange
    expect(request).toBeInstanceOf(Request)
    expect(request.url).toBe('https://front.test/a%20b?x=1')
    expect(request.headers.get('x-test')).toBe('yes')
    expect(exchange.request).toBe(request)
    expect(exchange).toMatchObject({
      method: 'GET',
      target: '/a%20b?x=1',
      url: 'https://front.test/a%20b?x=1',
      scheme: 'https',
      authority: 'front.test',
      remoteAddress: '192.0.2.7',
      remotePort: 40000,
      contentLength: undefined,
      mount: '',
      role: 'responder',
      keepConn: false,
    })
    expect({ ...exchange.params }).toMatchObject({ ...GET, REQUEST_URI: '/a%20b?x=1' })
    exchange.end()
  })

  test('has a streaming body, which fails with the error of the input', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.post(1, { CONTENT_LENGTH: '20' }, { keepConn: true }).stdin(1, 'first')
    const reader = (await app.next()).request.body!.getReader()
    expect(Buffer.from((await reader.read()).value!).toString()).toBe('first')
    const second = reader.read()
    peer.stdin(1, 'second')
    expect(Buffer.from((await second).value!).toString()).toBe('second')
    const third = expect(reader.read()).rejects
    peer.abort(1)
    await third.toMatchObject({ code: 'FCGI_ERR_ABORTED' })
  })

  test('can cancel its body, which is then dropped without blocking the connection', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.post(1, { CONTENT_LENGTH: String(4 * MEGABYTE) }, { keepConn: true }).stdin(1, 'first')
    const exchange = await app.next()
    const reader = exchange.request.body!.getReader()
    await reader.read()
    await reader.cancel()
    peer.stdin(1, Buffer.alloc(4 * MEGABYTE)).endStdin(1)
    exchange.end('done')
    expect((await peer.response(1)).stdout).toMatch(/done$/)
  })

  test('has a signal that aborts with the exchange', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.get(1)
    const { request } = await app.next()
    const aborted = once(request.signal, 'abort')
    peer.destroy()
    await aborted
    expect(request.signal.reason).toBeInstanceOf(ExchangeError)
    expect(request.signal.reason).toMatchObject({ name: 'AbortError', code: 'FCGI_ERR_CONNECTION_CLOSED' })
  })
})
