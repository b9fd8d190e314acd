import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect as connectSocket } from 'node:net'
import { Duplex, PassThrough, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  createServer,
  encodeBeginRequest,
  encodeNameValues,
  encodeRecord,
  FCGI_ABORT_REQUEST,
  FCGI_KEEP_CONN,
  FCGI_PARAMS,
  FCGI_RESPONDER,
  FCGI_STDIN,
} from '@fcgi-bridge/core'
import express, { type NextFunction, type Request, type Response } from 'express'
import { describe, expect, test } from 'vitest'
import { toHandler } from './index.ts'
import { expressVersions } from './testing/differential.ts'
import { serveForTest } from './testing/served.ts'

const EMPTY = Buffer.alloc(0)

describe('req.fcgi and req.socket', () => {
  test('req.fcgi has the params, the role, the id, the address, the mount and the error log', async () => {
    const app = express()
    app.use((request, response) => {
      const { fcgi } = request
      fcgi?.stderr.write('to the log\n')
      response.json([
        fcgi?.params.GATEWAY_INTERFACE,
        fcgi?.rawParams.includes('GATEWAY_INTERFACE'),
        fcgi?.role,
        fcgi?.requestId,
        fcgi?.remoteAddress,
        fcgi?.mount,
      ])
    })
    const { client, stderr } = await serveForTest(app)
    const { body } = await client.send().response
    expect(JSON.parse(body.toString())).toEqual(['CGI/1.1', true, 'responder', 1, '127.0.0.1', ''])
    expect(stderr()).toBe('to the log\n')
  })

  test('req.fcgi.draining aborts when the server begins to drain, so that event streams can end', async () => {
    const app = express()
    app.get('/events', (request, response) => {
      const { draining } = request.fcgi!
      response.set('Content-Type', 'text/event-stream').flushHeaders()
      response.write('data: first\n\n')
      const end = () => response.end('data: last\n\n')
      draining.addEventListener('abort', end)
      response.on('close', () => draining.removeEventListener('abort', end))
    })
    const { client, server } = await serveForTest(app, { drainTimeout: 10_000 })
    const request = client.send({ path: '/events' })
    await expect.poll(() => server.stats().runningRequests).toBe(1)
    await new Promise(setImmediate)
    const closed = server.close()
    expect((await request.response).body.toString()).toBe('data: first\n\ndata: last\n\n')
    await closed
  })

  test('req.secure is true if the client uses TLS, without a trusted proxy', async () => {
    const app = express()
    app.use((request, response) => {
      response.json([request.secure, request.protocol, (request.socket as { encrypted?: boolean }).encrypted])
    })
    const { client } = await serveForTest(app, { front: { params: { HTTPS: 'on' } } })
    expect(JSON.parse((await client.send().response).body.toString())).toEqual([true, 'https', true])
  })

  test('req.socket has the addresses of the client and of the front server', async () => {
    const app = express()
    app.use((request, response) => {
      const { socket } = request
      response.json([
        request.ip,
        socket.remoteFamily,
        socket.remotePort,
        socket.localAddress,
        socket.localPort,
        socket.address(),
      ])
    })
    const { client } = await serveForTest(app, {
      front: {
        params: {
          REMOTE_ADDR: '2001:db8::7',
          REMOTE_PORT: '5000',
          SERVER_ADDR: '2001:db8::1',
          SERVER_PORT: '443',
        },
      },
    })
    expect(JSON.parse((await client.send().response).body.toString())).toEqual([
      '2001:db8::7',
      'IPv6',
      5000,
      '2001:db8::1',
      443,
      { address: '2001:db8::1', family: 'IPv6', port: 443 },
    ])
  })

  test.each([
    ['HTTP/1.1', '1.1 1 1'],
    ['HTTP/1.0', '1.0 1 0'],
    ['HTTP/2.0', '2.0 2 0'],
    ['HTTP/3', '3.0 3 0'],
    ['INCLUDED', '1.1 1 1'],
  ])('SERVER_PROTOCOL %s becomes httpVersion %s', async (protocol, version) => {
    const { client } = await serveForTest(
      (request, response) => {
        response.end(`${request.httpVersion} ${request.httpVersionMajor} ${request.httpVersionMinor}`)
      },
      { front: { params: { SERVER_PROTOCOL: protocol } } },
    )
    const { body, headers } = await client.send().response
    expect(body.toString()).toBe(version)
    // Also for an HTTP/1.0 client. Node leaves the header out, because it closes the connection.
    expect(headers).toEqual([['content-length', String(version.length)]])
  })
})

describe('mounts', () => {
  const app = express()
  const router = express.Router()
  router.get(
    '/list',
    (request, response) => void response.json([request.baseUrl, request.url, request.originalUrl]),
  )
  app.use('/admin', router)
  app.use('/files', express.static(import.meta.dirname))
  app.use((request, response) => {
    response.json([request.baseUrl, request.url, request.originalUrl])
  })

  test.each([
    ['/shop/cart?x=1', ['/shop', '/cart?x=1', '/shop/cart?x=1']],
    ['/shop', ['/shop', '/', '/shop']],
    ['/shop/', ['/shop', '/', '/shop/']],
    ['/shop?x=1', ['/shop', '/?x=1', '/shop?x=1']],
    ['/shop/admin/list?y', ['/shop/admin', '/list?y', '/shop/admin/list?y']],
    ['/shopping', ['', '/shopping', '/shopping']],
  ])('under /shop, %s has the same URLs as under app.use', async (path, seen) => {
    const { client } = await serveForTest(app, { mount: '/shop' })
    expect(JSON.parse((await client.send({ path }).response).body.toString())).toEqual(seen)
  })

  test('a redirect of express.static keeps the mount', async () => {
    const { client } = await serveForTest(app, { mount: '/shop' })
    const { headers } = await client.send({ path: '/shop/files/testing' }).response
    expect(headers).toContainEqual(['location', '/shop/files/testing/'])
  })
})

describe('output', () => {
  async function countWrites(
    listener: (request: IncomingMessage, response: ServerResponse) => void,
  ): Promise<number> {
    const server = createServer(toHandler(listener))
    let writes = 0
    const stream = new Duplex({
      read() {},
      write(_chunk, _encoding, callback) {
        writes++
        callback()
      },
      writev(_chunks, callback) {
        writes++
        callback()
      },
    })
    server.acceptStream(stream)
    const finished = once(stream, 'finish')
    stream.push(requestRecords(1, 0))
    await finished
    stream.destroy()
    await server.close()
    return writes
  }

  test.each<[string, (request: IncomingMessage, response: ServerResponse) => void]>([
    ['end', (_, response) => void response.end('hello')],
    [
      'writeHead, write and end in one turn',
      (_, response) => {
        response.writeHead(200, { 'X-A': 'b' })
        response.write('hel')
        response.write(Buffer.from('lo'))
        response.end()
      },
    ],
    ['writeHead and end', (_, response) => void response.writeHead(204).end()],
    [
      'send of Express',
      (request, response) => {
        const app = express()
        app.use((_, reply) => void reply.send({ hello: 'world' }))
        app(request, response)
      },
    ],
  ])('a small response is one write: %s', async (_, listener) => {
    expect(await countWrites(listener)).toBe(1)
  })

  test('a header keeps its latin1 bytes if the body is a string, unlike in Node, which writes both as UTF-8', async () => {
    for (const [, version] of expressVersions) {
      const app = version()
      app.use((_, response) => void response.set('X-Name', 'caf\xe9').attachment('\xe9.txt').send('\u20ac'))
      const { client } = await serveForTest(app)
      const { headers, body } = await client.send().response
      expect(headers).toContainEqual(['x-name', 'caf\xe9'])
      expect(headers.find(([name]) => name === 'content-disposition')?.[1]).toContain('.txt')
      expect(body.toString()).toBe('\u20ac')
    }
  })

  test('data written to a corked response is sent with the end, unlike in Node 22 and 24, which lose it', async () => {
    const { client } = await serveForTest((_, response) => {
      response.cork()
      response.write('a')
      response.end('b')
    })
    expect((await client.send().response).body.toString()).toBe('ab')
  })

  test('a front server that reads slowly slows the writer down', async () => {
    const piece = Buffer.alloc(64 * 1024)
    let left = 100
    let most = 0
    const server = createServer(
      toHandler((_, response) => {
        new Readable({
          read() {
            most = Math.max(most, response.writableLength)
            this.push(left-- > 0 ? piece : null)
          },
        }).pipe(response)
      }),
    )
    const held: (() => void)[] = []
    let release = (callback: () => void): void => void held.push(callback)
    let bytes = 0
    const stream = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, callback) {
        bytes += chunk.length
        release(callback)
      },
    })
    server.acceptStream(stream)
    stream.push(requestRecords(1, 0))
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
    expect(left).toBeGreaterThanOrEqual(97)
    const finished = once(stream, 'finish')
    release = (callback) => callback()
    held.pop()!()
    await finished
    expect(left).toBe(-1)
    expect(bytes).toBeGreaterThan(100 * piece.length)
    expect(most).toBeLessThanOrEqual(2 * piece.length)
    stream.destroy()
    await server.close()
  })

  test('a response that cannot be sent emits close and not finish', async () => {
    const events: string[] = []
    const closed = withResolvers()
    const server = createServer(
      toHandler((_, response) => {
        for (const event of ['finish', 'close']) response.on(event, () => events.push(event))
        response.on('close', closed.resolve)
        response.end('lost', (error?: Error | null) => events.push(`end ${error != null}`))
      }),
    )
    const stream = new Duplex({
      read() {},
      write(_chunk, _encoding, callback) {
        callback(new Error('broken pipe'))
      },
    })
    server.acceptStream(stream)
    stream.push(requestRecords(1, 0))
    await closed.promise
    expect(events).not.toContain('finish')
    expect(events).toContain('close')
    await server.close()
  })
})

describe('input', () => {
  test('an app that reads slowly slows the front server down', async () => {
    const begun = withResolvers()
    let incoming: IncomingMessage | undefined
    const { client } = await serveForTest((request, response) => {
      incoming = request
      request.once('readable', begun.resolve)
      request.on('end', () => response.end('read'))
    })
    const exchange = client.send({ method: 'POST', body: Buffer.alloc(8 * 1024 * 1024) })
    await begun.promise
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
    expect(incoming!.readableLength).toBeLessThanOrEqual(2 * incoming!.readableHighWaterMark + 64 * 1024)
    incoming!.resume()
    expect((await exchange.response).body.toString()).toBe('read')
  })
})

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

describe('failures of the app', () => {
  test('a listener that throws is a 500 without detail; the error goes to the log and to onError', async () => {
    const events: string[] = []
    const { client, errors, stderr } = await serveForTest((request, response) => {
      request.on('close', () => events.push('request closed'))
      response.on('close', () => events.push('response closed'))
      throw new Error('secret')
    })
    const { status, body } = await client.send().response
    expect([status, body.toString()]).toEqual([500, '500 Internal Server Error\n'])
    expect(errors).toMatchObject([{ message: 'secret' }])
    expect(stderr()).toContain('secret')
    expect(events).toEqual(['response closed', 'request closed'])
  })

  test('a listener that rejects after the head was sent cuts the response off', async () => {
    const { client, errors } = await serveForTest(async (_, response) => {
      response.write('begun')
      await new Promise<void>((resolve) => {
        response.write('.', () => resolve())
      })
      throw new Error('late')
    })
    expect(await client.send().response).toMatchObject({ status: 200, complete: false })
    expect(errors).toMatchObject([{ message: 'late' }])
  })

  test('a listener that rejects after its response has ended does not affect it; the error is reported', async () => {
    const { client, errors } = await serveForTest(async (_, response) => {
      response.end('done')
      throw new Error('afterwards')
    })
    expect(await client.send().response).toMatchObject({ status: 200, complete: true })
    expect(errors).toMatchObject([{ message: 'afterwards' }])
  })

  test('a thrown value need not be an Error', async () => {
    const { client, errors } = await serveForTest(() => {
      throw null
    })
    expect((await client.send().response).status).toBe(500)
    expect(errors).toEqual([null])
  })

  test('a body that is shorter than its Content-Length is cut off, so that it does not look complete', async () => {
    const { client, errors } = await serveForTest((_, response) => {
      response.setHeader('Content-Length', 10)
      response.write('begun', () => response.end('.'))
    })
    expect(await client.send().response).toMatchObject({ status: 200, complete: false })
    expect(errors).toMatchObject([
      { message: expect.stringContaining('The response has 6 bytes, but its Content-Length is 10.') },
    ])
  })

  test.each([
    ['no end chunk', (response: ServerResponse) => response.end()],
    ['an empty string', (response: ServerResponse) => response.end('')],
    [
      'an empty write',
      (response: ServerResponse) => {
        response.write('')
        response.end()
      },
    ],
    ['an empty Buffer', (response: ServerResponse) => response.end(EMPTY)],
  ])('an empty body with a Content-Length is a failure: %s', async (_, end) => {
    const { client, errors } = await serveForTest((_, response) => {
      response.writeHead(200, { 'Content-Length': 10 })
      end(response)
    })
    expect((await client.send().response).status).toBe(500)
    expect(errors).toMatchObject([{ message: expect.stringContaining('The response has 0 bytes') }])
  })

  test('an empty body with a Content-Length after a flushed head is cut off', async () => {
    const { client, errors } = await serveForTest((_, response) => {
      response.writeHead(200, { 'Content-Length': 10 })
      response.flushHeaders()
      setImmediate(() => response.end())
    })
    expect(await client.send().response).toMatchObject({ status: 200, complete: false })
    expect(errors).toHaveLength(1)
  })

  test.each([
    ['HEAD', 200],
    ['GET', 304],
    ['GET', 204],
  ])('the response to %s with %i has a Content-Length and no body', async (method, status) => {
    const { client, errors } = await serveForTest((_, response) => {
      response.writeHead(status, { 'Content-Length': 10 }).end()
    })
    expect(await client.send({ method }).response).toMatchObject({ status, complete: true })
    expect(errors).toEqual([])
  })

  test.each([
    'X-Accel-Redirect',
    'X-Sendfile',
    'X-SENDFILE-TEMPORARY',
    'X-Sendfile2',
    'X-LIGHTTPD-send-file',
    'X-LIGHTTPD-send-tempfile',
    'X-Reproxy-URL',
  ])('%s allows an empty body, because the front server sends the file', async (name) => {
    const { client, errors } = await serveForTest((request, response) => {
      response.setHeader('Content-Length', 10)
      if (request.url === '/set') response.setHeader(name, '/srv/file')
      else response.writeHead(200, { [name]: '/srv/file' })
      response.end(request.url === '/partial' ? 'x' : undefined)
    })
    expect(await client.send({ path: '/set' }).response).toMatchObject({ status: 200, complete: true })
    expect(await client.send({ path: '/' }).response).toMatchObject({ status: 200, complete: true })
    expect(errors).toEqual([])
    // A body that is not empty is not replaced by a file.
    expect((await client.send({ path: '/partial' }).response).status).toBe(500)
  })

  test.each([
    ['X-Accel-Buffering', 'no'],
    ['X-Accel-Expires', '10'],
    ['X-Sent-File', '/srv/file'],
  ])('%s does not allow an empty body', async (name, value) => {
    const { client } = await serveForTest((_, response) => {
      response.writeHead(200, { 'Content-Length': 10, [name]: value }).end()
    })
    expect((await client.send().response).status).toBe(500)
  })

  test.each<[string, string | readonly string[], string]>([
    ['a word', 'many', '5'],
    ['hexadecimal', '0x5', '5'],
    ['a sign', '+5', '5'],
    ['a fraction', '5.0', '5'],
    ['an exponent', '5e0', '5'],
    ['negative', '-5', '5'],
    ['empty', '', '5'],
    ['NaN', String(Number.NaN), '5'],
    ['undefined', 'undefined', '5'],
    ['too large', '9'.repeat(20), '5'],
    ['two that differ', ['5', '6'], '5'],
    ['three, two of them equal', ['5', '6', '5'], '5'],
    ['two that are the same', ['5', '5'], '5'],
    ['blanks around it', ' 5 ', '5'],
  ])('a Content-Length that is %s is left out or corrected', async (_, value, sent) => {
    for (const set of [
      (response: ServerResponse) => response.setHeader('Content-Length', value as string),
      (response: ServerResponse) => void response.writeHead(200, { 'Content-Length': value as string }),
    ]) {
      const { client, errors } = await serveForTest((_, response) => {
        set(response)
        response.end('hello')
      })
      const { headers, body, complete } = await client.send().response
      expect(body.toString()).toBe('hello')
      expect(complete).toBe(true)
      expect([[], [['content-length', sent]]]).toContainEqual(headers)
      expect(errors).toEqual([])
    }
  })

  test('a Content-Length with X-Accel-Redirect is sent without a body', async () => {
    const { client } = await serveForTest((_, response) => {
      response.writeHead(200, { 'X-Accel-Redirect': '/internal/file', 'Content-Length': 10 }).end()
    })
    const { headers, complete } = await client.send().response
    expect(complete).toBe(true)
    expect(headers).toContainEqual(['x-accel-redirect', '/internal/file'])
  })

  test('a final 1xx throws the error of an invalid status', async () => {
    const { client } = await serveForTest((_, response) => {
      try {
        response.writeHead(101)
      } catch (error) {
        response.statusCode = 500
        response.end((error as NodeJS.ErrnoException).code)
      }
    })
    expect((await client.send().response).body.toString()).toBe('ERR_HTTP_INVALID_STATUS_CODE')
  })

  test('toHandler throws for a value that is not a listener', () => {
    expect(() => toHandler({} as never)).toThrow(/\(request, response\) => …/)
    expect(() => toHandler({ fetch: () => new Response() } as never)).toThrow(/fetch-adapter/)
  })
})

describe('incomplete and unread request bodies', () => {
  function app(events: string[]): express.Express {
    const result = express()
    result.use((request, _, next) => {
      for (const event of ['end', 'aborted', 'error', 'close']) request.on(event, () => events.push(event))
      next()
    })
    result.use(express.json(), (_, response) => void response.send('parsed'))
    result.use((error: Error & { status: number }, _: Request, response: Response, next: NextFunction) => {
      if (response.headersSent) next(error)
      else response.status(error.status).send('refused')
    })
    return result
  }
  const request = { method: 'POST', streamed: true, headers: ['Content-Type', 'application/json'] }

  test('a body that is too short is an error for its reader, and the app can respond', async () => {
    const seen: string[] = []
    const { client } = await serveForTest(app(seen))
    const exchange = client.send({ ...request, headers: [...request.headers, 'Content-Length', '100'] })
    exchange.write('{"a":')
    exchange.end()
    expect(await exchange.response).toMatchObject({ status: 400, complete: true })
    expect(seen).toEqual(['error', 'close', 'aborted'])
  })

  test('a body of unknown length over maxBodyBytes is an error with status 413 for the app', async () => {
    const { client } = await serveForTest(app([]), { maxBodyBytes: 10 })
    const exchange = client.send(request)
    exchange.write(`{"a":"${'x'.repeat(100)}"}`)
    exchange.end()
    const { status, body } = await exchange.response
    expect([status, body.toString()]).toEqual([413, 'refused'])
  })

  test.each(expressVersions)(
    'an incomplete body that nobody reads does not delay the error response of %s',
    async (_, make) => {
      const failing = make()
      failing.get('/fails', () => {
        throw Object.assign(new Error('It fails.'), { status: 418 })
      })
      const { client } = await serveForTest(failing, { maxBodyBytes: 10 })
      const tooLong = client.send({ ...request, path: '/nowhere' })
      tooLong.write('x'.repeat(100))
      const tooShort = client.send({
        ...request,
        method: 'GET',
        path: '/fails',
        headers: ['Content-Length', '10'],
      })
      tooShort.write('x')
      tooShort.end()
      expect((await tooLong.response).status).toBe(404)
      expect((await tooShort.response).status).toBe(418)
    },
  )

  test('without an error listener no error is thrown, and the request emits aborted, not end', async () => {
    const seen: string[] = []
    const { client } = await serveForTest((incoming, response) => {
      incoming.on('end', () => seen.push('end'))
      incoming.on('aborted', () => {
        seen.push('aborted')
        response.end('short')
      })
      incoming.resume()
    })
    const exchange = client.send({ ...request, headers: ['Content-Length', '100'] })
    exchange.write('x')
    exchange.end()
    expect((await exchange.response).body.toString()).toBe('short')
    expect(seen).toEqual(['aborted'])
  })

  test('after an early response the reader gets what has arrived, then an error', async () => {
    const seen: (string | number)[] = []
    const closed = withResolvers()
    const { client } = await serveForTest((incoming, response) => {
      incoming.on('data', (chunk: Buffer) => seen.push(chunk.length))
      incoming.on('error', (error: NodeJS.ErrnoException) => seen.push(error.code!))
      incoming.on('end', () => seen.push('end'))
      incoming.on('close', closed.resolve)
      incoming.once('data', () => response.end('early'))
    })
    const exchange = client.send({ ...request, headers: ['Content-Length', '100'] })
    exchange.write('x'.repeat(10))
    expect((await exchange.response).body.toString()).toBe('early')
    await closed.promise
    expect(seen).toEqual([10, 'FCGI_ERR_BODY_DISCARDED'])
  })

  test.each<[string, (incoming: IncomingMessage) => Promise<unknown>]>([
    [
      'readable',
      (incoming) =>
        new Promise((resolve, reject) => {
          incoming.on('readable', () => incoming.read())
          incoming.on('end', resolve).on('error', reject)
        }),
    ],
    [
      'data',
      (incoming) =>
        new Promise((resolve, reject) => {
          incoming.on('data', () => {})
          incoming.on('end', resolve).on('error', reject)
        }),
    ],
    ['iterated', (incoming) => incoming.toArray()],
    ['piped', (incoming) => pipeline(incoming, new PassThrough().resume())],
  ])(
    'a reader that is added around the end() of the response gets an error, not a short body: %s',
    async (_, read) => {
      const moments: Record<string, (response: ServerResponse, begin: () => void) => void> = {
        'before end': (response, begin) => {
          begin()
          response.end('early')
        },
        'after end': (response, begin) => {
          response.end('early')
          begin()
        },
        'next tick': (response, begin) => {
          response.end('early')
          process.nextTick(begin)
        },
        'on finish': (response, begin) => {
          response.end('early')
          response.on('finish', begin)
        },
      }
      for (const [moment, act] of Object.entries(moments)) {
        let outcome = ''
        const settled = withResolvers()
        const { client } = await serveForTest((incoming, response) => {
          act(response, () => {
            read(incoming)
              .then(
                () => {
                  outcome = 'a clean end'
                },
                (error: NodeJS.ErrnoException) => {
                  outcome = error.code!
                },
              )
              .finally(settled.resolve)
          })
        })
        const exchange = client.send({ ...request, headers: ['Content-Length', '100'] })
        exchange.write('x'.repeat(10))
        expect((await exchange.response).body.toString()).toBe('early')
        await settled.promise
        expect([moment, outcome]).toEqual([moment, 'FCGI_ERR_BODY_DISCARDED'])
      }
    },
  )

  test('a reader that is added after the close gets an error; without a reader no error is emitted', async () => {
    const events: string[] = []
    const outcome = withResolvers()
    const { client } = await serveForTest((incoming, response) => {
      for (const event of ['end', 'aborted', 'error', 'close']) incoming.on(event, () => events.push(event))
      incoming.on('close', async () => {
        await new Promise(setImmediate)
        await expect(incoming.toArray()).rejects.toMatchObject({ code: 'FCGI_ERR_BODY_DISCARDED' })
        outcome.resolve()
      })
      response.end('early')
    })
    const exchange = client.send({ ...request, headers: ['Content-Length', '100'] })
    exchange.write('x'.repeat(10))
    await outcome.promise
    expect(events).toEqual(['end', 'close'])
  })

  test('a large body that nobody reads does not delay the response', async () => {
    const closed = withResolvers()
    const { client } = await serveForTest((incoming, response) => {
      incoming.on('close', closed.resolve)
      response.end('unread')
    })
    const { body } = await client.send({ method: 'POST', body: Buffer.alloc(4 * 1024 * 1024) }).response
    expect(body.toString()).toBe('unread')
    await closed.promise
  })
})

describe('several requests on one connection', () => {
  test('one is aborted and emits its events, and the other gets its response', async () => {
    const events: string[] = []
    const asked = withResolvers()
    const aborted = withResolvers()
    const app = express()
    app.get('/wait', (request, response) => {
      request.on('aborted', () => events.push('aborted'))
      request.on('close', () => events.push('request closed'))
      asked.resolve()
      response.on('close', () => {
        events.push('response closed')
        aborted.resolve()
      })
    })
    app.get('/respond', async (_, response) => {
      await aborted.promise
      response.send('responded')
    })
    const { port } = await serveForTest(app)
    const socket = connectSocket(port, '127.0.0.1')
    socket.write(
      Buffer.concat([
        requestRecords(1, FCGI_KEEP_CONN, '/wait'),
        requestRecords(2, FCGI_KEEP_CONN, '/respond'),
      ]),
    )
    await asked.promise
    socket.write(encodeRecord(FCGI_ABORT_REQUEST, 1, EMPTY))
    let received = ''
    for await (const chunk of socket) {
      received += (chunk as Buffer).toString('latin1')
      if (received.includes('responded')) break
    }
    expect(events).toEqual(['aborted', 'response closed', 'request closed'])
  })
})

function requestRecords(requestId: number, flags: number, path = '/'): Buffer {
  const params = {
    REQUEST_METHOD: 'GET',
    REQUEST_URI: path,
    SERVER_PROTOCOL: 'HTTP/1.1',
    HTTP_HOST: 'example.test',
    CONTENT_LENGTH: '',
  }
  return Buffer.concat([
    encodeBeginRequest(requestId, FCGI_RESPONDER, flags),
    encodeRecord(FCGI_PARAMS, requestId, encodeNameValues(Object.entries(params))),
    encodeRecord(FCGI_PARAMS, requestId, EMPTY),
    encodeRecord(FCGI_STDIN, requestId, EMPTY),
  ])
}

test('after an end() that threw, a write is sent by itself', async () => {
  const { client } = await serveForTest((_, response) => {
    const { writeHead } = response
    response.writeHead = (): never => {
      response.writeHead = writeHead
      throw new Error('not yet')
    }
    try {
      response.end('first')
    } catch {
      response.removeHeader('Content-Length')
      response.write('second ', () => response.end('end'))
    }
  })
  expect((await client.send().response).body.toString()).toBe('second end')
})
