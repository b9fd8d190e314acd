import { once } from 'node:events'
import { connect } from 'node:net'
import { Worker } from 'node:worker_threads'
import { encodeEndRequest, encodeRecord, FCGI_STDOUT } from '@fcgi-bridge/core'
import type { ResponderRequest } from '@fcgi-bridge/testing'
import { errors, fetch, request } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { FastCgiDispatcher } from './dispatcher.ts'
import { deferred, respondWith, setup } from './testing/setup.ts'

const HELLO = 'Content-Type: text/plain\r\n\r\nhello'
const URL_ = 'http://example.test/'

// A listener that never accepts. Its queue is full, so the kernel does not respond to further connections.
async function listenWithoutAccepting(): Promise<number> {
  const worker = new Worker(
    `const server = require('node:net').createServer()
     server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
       require('node:worker_threads').parentPort.postMessage(server.address().port)
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
     })`,
    { eval: true },
  )
  onTestFinished(async () => void (await worker.terminate()))
  const [port] = await once(worker, 'message')
  // Linux queues one connection more than the backlog.
  for (let i = 0; i < 2; i++) {
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    await once(socket, 'connect')
  }
  return port
}

describe('a request and its response', () => {
  test('over TCP and over a Unix socket', async () => {
    for (const kind of ['tcp', 'unix'] as const) {
      const { dispatcher } = await setup(respondWith('Status: 201 Made\r\nX-A: 1\r\n\r\nhello'), { kind })
      const response = await request(URL_, { dispatcher })
      expect(response).toMatchObject({ statusCode: 201, statusText: 'Made', headers: { 'x-a': '1' } })
      expect(await response.body.text()).toBe('hello')
    }
  })

  test('the application gets the method, the URL, the headers and the body', async () => {
    const seen = deferred<[Record<string, string>, string]>()
    const { dispatcher } = await setup(async (r) => {
      seen.resolve([r.params, String(await r.body())])
      r.respond(HELLO)
    })
    const headers = { 'content-type': 'text/plain', 'x-name': 'caf\xe9' }
    await request(`${URL_}a%20b?x=1`, { dispatcher, method: 'PUT', headers, body: 'body' })
    const [params, body] = await seen.promise
    expect(params).toMatchObject({
      REQUEST_METHOD: 'PUT',
      REQUEST_URI: '/a%20b?x=1',
      QUERY_STRING: 'x=1',
      HTTP_HOST: 'example.test',
      HTTP_X_NAME: 'caf\xe9',
      CONTENT_TYPE: 'text/plain',
      CONTENT_LENGTH: '4',
    })
    expect(body).toBe('body')
  })

  test('a small request is one write, including params and body', async () => {
    const { dispatcher, responder } = await setup(respondWith(HELLO))
    await request(URL_, { dispatcher, method: 'POST', body: 'x'.repeat(1000) })
    expect(responder.reads).toHaveLength(1)
  })

  test('several Set-Cookie headers stay separate', async () => {
    const { dispatcher } = await setup(respondWith('Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n'))
    const response = await fetch(URL_, { dispatcher })
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
  })

  test('records that are cut anywhere give the same response', async () => {
    const head = 'Status: 203 Cut\r\nX-A: 1\r\n\r\n'
    const { dispatcher } = await setup(async (r) => {
      for (const character of `${head}hello`) {
        // One record per character, and one write per byte.
        for (const byte of encodeRecord(FCGI_STDOUT, r.requestId, Buffer.from(character))) {
          await new Promise((resolve) => r.socket.write(Uint8Array.of(byte), resolve))
        }
      }
      r.end()
    })
    const response = await fetch(URL_, { dispatcher })
    expect(response.status).toBe(203)
    expect(await response.text()).toBe('hello')
  })

  test('delivers the head before the body, and each piece of the body when it is sent', async () => {
    const app = deferred<ResponderRequest>()
    const { dispatcher } = await setup((r) => {
      r.stdout('Content-Type: text/event-stream\r\n\r\n')
      app.resolve(r)
    })
    const response = await fetch(URL_, { dispatcher })
    const r = await app.promise
    const reader = response.body!.getReader()
    for (const text of ['data: 1\n\n', 'data: 2\n\n']) {
      r.stdout(text)
      expect(Buffer.from((await reader.read()).value!).toString()).toBe(text)
    }
    r.end()
    expect((await reader.read()).done).toBe(true)
  })

  test.each([
    ['HEAD', 200],
    ['GET', 204],
    ['GET', 205],
    ['GET', 304],
  ] as const)('a body that an application sends with %s and %d is dropped', async (method, status) => {
    const { dispatcher } = await setup(
      respondWith(`Status: ${status}\r\nContent-Length: 5\r\n\r\nstray`, HELLO),
    )
    const response = await request(URL_, { dispatcher, method })
    expect(response.statusCode).toBe(status)
    expect(await response.body.text()).toBe('')
    const next = await request(URL_, { dispatcher })
    expect(await next.body.text()).toBe('hello')
  })

  test('interim responses are skipped', async () => {
    const { dispatcher } = await setup(
      respondWith('Status: 103 Early Hints\r\nLink: </a>\r\n\r\nStatus: 404\r\n\r\ngone'),
    )
    const response = await request(URL_, { dispatcher })
    expect(response).toMatchObject({ statusCode: 404, headers: {} })
    expect(await response.body.text()).toBe('gone')
  })

  test('onStderr gets FCGI_STDERR together with the request', async () => {
    const heard: string[] = []
    const onStderr = (chunk: Buffer, { method, path }: { method: string; path: string }) => {
      heard.push(`${method} ${path}: ${chunk}`)
    }
    const { dispatcher } = await setup(
      (r) => {
        r.stderr('before')
        r.stdout('\r\nhel')
        r.stderr('within')
        r.stdout('lo')
        r.end()
      },
      { onStderr },
    )
    expect(await (await fetch(`${URL_}x`, { dispatcher })).text()).toBe('hello')
    expect(heard).toEqual(['GET /x: before', 'GET /x: within'])
  })

  test('the params of one request override those of the dispatcher', async () => {
    const { dispatcher } = await setup((r) => r.respond(`\r\n${r.params.A} ${r.params.B}`), {
      params: { A: '1', B: '1' },
    })
    const response = await dispatcher.request({ path: '/', method: 'GET', params: { B: '2' } } as never)
    expect(await response.body.text()).toBe('1 2')
  })
})

describe('connections', () => {
  test('consecutive requests share one connection', async () => {
    const { dispatcher, responder } = await setup(respondWith(HELLO))
    for (let i = 0; i < 5; i++) {
      const response = await request(URL_, { dispatcher, method: 'POST', body: 'x'.repeat(i * 20_000) })
      expect(await response.body.text()).toBe('hello')
    }
    expect(responder.sockets).toHaveLength(1)
  })

  test('fifty concurrent requests use fifty connections, and maxIdleConnections of them are kept', async () => {
    const running: ResponderRequest[] = []
    const { dispatcher, responder } = await setup(
      (r) => {
        running.push(r)
        if (running.length === 50) for (const one of running) one.respond(`\r\n${one.params.PATH_INFO}`)
      },
      { maxIdleConnections: 7 },
    )
    let disconnects = 0
    const kept = deferred()
    dispatcher.on('disconnect', () => {
      if (++disconnects === 43) kept.resolve()
    })
    const texts = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => (await fetch(`${URL_}${i}`, { dispatcher })).text()),
    )
    expect(texts).toEqual(Array.from({ length: 50 }, (_, i) => `/${i}`))
    expect(responder.sockets).toHaveLength(50)
    await kept.promise
  })

  test('requests beyond maxConnections wait, and are sent in order', async () => {
    const order: string[] = []
    const { dispatcher, responder } = await setup(
      (r) => {
        order.push(r.params.PATH_INFO!)
        r.respond(HELLO)
      },
      { maxConnections: 2 },
    )
    await Promise.all(
      Array.from({ length: 20 }, async (_, i) => (await fetch(`${URL_}${i}`, { dispatcher })).text()),
    )
    expect(responder.sockets).toHaveLength(2)
    expect(order.map((path) => Number(path.slice(1)))).toEqual(Array.from({ length: 20 }, (_, i) => i))
  })

  test("dispatch() returns false when all connections are busy, and 'drain' follows when one is free", async () => {
    const { dispatcher } = await setup(respondWith(HELLO), { maxConnections: 1 })
    const handler = { onRequestStart() {}, onResponseError() {} }
    expect(dispatcher.dispatch({ path: '/', method: 'GET' }, handler)).toBe(true)
    expect(dispatcher.dispatch({ path: '/', method: 'GET' }, handler)).toBe(false)
    await once(dispatcher, 'drain')
  })

  test('if no connection may be kept, each request has its own connection without FCGI_KEEP_CONN', async () => {
    const flags: boolean[] = []
    const { dispatcher, responder } = await setup(
      (r) => {
        flags.push(r.keepConn)
        r.respond(HELLO)
      },
      { maxIdleConnections: 0 },
    )
    for (let i = 0; i < 3; i++) await (await fetch(URL_, { dispatcher })).text()
    expect(flags).toEqual([false, false, false])
    expect(responder.sockets).toHaveLength(3)
  })

  test('an idle connection is closed after idleTimeout', async () => {
    const { dispatcher, responder } = await setup(respondWith(HELLO), { idleTimeout: 10 })
    const gone = once(dispatcher, 'disconnect')
    await (await fetch(URL_, { dispatcher })).text()
    await gone
    await (await fetch(URL_, { dispatcher })).text()
    expect(responder.sockets).toHaveLength(2)
  })

  test('an idle connection that the application closes is not used again', async () => {
    const { dispatcher, responder } = await setup(respondWith(HELLO))
    await (await fetch(URL_, { dispatcher })).text()
    const gone = once(dispatcher, 'disconnect')
    responder.sockets[0]!.end()
    await gone
    expect(await (await fetch(URL_, { dispatcher })).text()).toBe('hello')
    expect(responder.sockets).toHaveLength(2)
  })

  test('close() finishes running and waiting requests, and refuses new ones', async () => {
    const first = deferred<ResponderRequest>()
    const { dispatcher, responder } = await setup(
      (r) => {
        if (r.params.PATH_INFO === '/1') first.resolve(r)
        else r.respond(HELLO)
      },
      { maxConnections: 1 },
    )
    const texts = ['1', '2'].map(async (path) => (await fetch(URL_ + path, { dispatcher })).text())
    const r = await first.promise
    const closed = dispatcher.close()
    await expect(request(URL_, { dispatcher })).rejects.toThrow(errors.ClientClosedError)
    r.respond(HELLO)
    expect(await Promise.all(texts)).toEqual(['hello', 'hello'])
    await closed
    await Promise.all(responder.sockets.map((socket) => socket.closed || once(socket, 'close')))
    await new Promise<void>((resolve) => dispatcher.close(resolve))
  })

  test('destroy() fails running and waiting requests', async () => {
    const began = deferred()
    const { dispatcher } = await setup(() => began.resolve(), { maxConnections: 1 })
    const requests = [1, 2].map(() => request(URL_, { dispatcher }))
    const settled = Promise.allSettled(requests)
    await began.promise
    const why = new Error('enough')
    await dispatcher.destroy(why)
    expect(await settled).toEqual([
      { status: 'rejected', reason: why },
      { status: 'rejected', reason: why },
    ])
    await expect(request(URL_, { dispatcher })).rejects.toThrow(errors.ClientDestroyedError)
    await new Promise<void>((resolve) => dispatcher.destroy(resolve))
    await new Promise<void>((resolve) => dispatcher.destroy(null, resolve))
  })
})

describe('failures', () => {
  test('nobody listens', async () => {
    const { responder } = await setup(respondWith(HELLO))
    const dispatcher = new FastCgiDispatcher(responder.address)
    await responder.close()
    const connectionError = once(dispatcher, 'connectionError')
    await expect(request(URL_, { dispatcher })).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await connectionError
    const none = new FastCgiDispatcher('/nowhere/app.sock')
    await expect(request(URL_, { dispatcher: none })).rejects.toMatchObject({ code: 'ENOENT' })
    // Node's fetch wraps the error as the cause of its own.
    await expect(fetch(URL_, { dispatcher: none })).rejects.toMatchObject({ cause: { code: 'ENOENT' } })
  })

  test.each([
    [0, 'FCGI_ERR_NO_RESPONSE', /without a response \(appStatus 7\)/],
    [2, 'FCGI_ERR_OVERLOADED', /FCGI_OVERLOADED/],
    [3, 'FCGI_ERR_UNKNOWN_ROLE', /FCGI_UNKNOWN_ROLE/],
    [9, 'FCGI_ERR_PROTOCOL_STATUS', /protocolStatus 9/],
  ])('END_REQUEST with protocolStatus %d and no response is %s', async (protocolStatus, code, message) => {
    let requests = 0
    const { dispatcher, responder } = await setup((r) => {
      if (requests++ === 0) r.end(7, protocolStatus)
      else r.respond(HELLO)
    })
    await expect(request(URL_, { dispatcher })).rejects.toMatchObject({
      name: 'FastCgiError',
      code,
      message: expect.stringMatching(message),
      appStatus: 7,
      protocolStatus,
      retryable: protocolStatus === 2,
    })
    // The connection can still be used.
    expect(await (await fetch(URL_, { dispatcher })).text()).toBe('hello')
    expect(responder.sockets).toHaveLength(1)
  })

  test('a refusal with a response is delivered as a response', async () => {
    const { dispatcher } = await setup((r) => {
      r.stdout('Status: 503\r\n\r\nbusy')
      r.end(0, 2)
    })
    const response = await request(URL_, { dispatcher })
    expect(response.statusCode).toBe(503)
    expect(await response.body.text()).toBe('busy')
  })

  test.each([
    ['at once', ''],
    ['during the head', 'Status: 200\r\n'],
  ])('the connection closes %s', async (_, text) => {
    const { dispatcher } = await setup((r) => {
      if (text !== '') r.stdout(text)
      r.socket.end()
    })
    await expect(request(URL_, { dispatcher })).rejects.toMatchObject({
      code: 'FCGI_ERR_CONNECTION_CLOSED',
      message: expect.stringMatching(
        /^The FastCGI application at 127\.0\.0\.1:\d+ closed the connection before/,
      ),
    })
  })

  test('the connection closes during the body: the received part is delivered, then the error', async () => {
    const { dispatcher } = await setup((r) => {
      r.stdout('Content-Length: 10\r\n\r\nhello')
      r.socket.end()
    })
    const response = await request(URL_, { dispatcher })
    const chunks: string[] = []
    await expect(async () => {
      for await (const chunk of response.body) chunks.push(String(chunk))
    }).rejects.toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
    expect(chunks).toEqual(['hello'])
  })

  test.each([
    ['less', 'hell'],
    ['more', 'hello!'],
  ])('a body of %s bytes than its Content-Length', async (_, text) => {
    const { dispatcher } = await setup(respondWith(`Content-Length: 5\r\n\r\n${text}`))
    const response = await request(URL_, { dispatcher })
    await expect(response.body.text()).rejects.toThrow(errors.ResponseContentLengthMismatchError)
  })

  test('a malformed or too long head aborts the request, and keeps the connection', async () => {
    const aborted: Promise<void>[] = []
    const texts = ['no header\r\n\r\n', `A: ${'x'.repeat(200)}\r\n\r\n`]
    const { dispatcher, responder } = await setup(
      (r) => {
        const text = texts.shift()
        if (text === undefined) return r.respond(HELLO)
        r.stdout(text)
        aborted.push(r.aborted)
        r.aborted.then(() => r.end())
      },
      { maxHeaderSize: 100, maxConnections: 1 },
    )
    await expect(request(URL_, { dispatcher })).rejects.toMatchObject({ code: 'FCGI_ERR_RESPONSE_HEAD' })
    await expect(request(URL_, { dispatcher })).rejects.toMatchObject({ code: 'FCGI_ERR_RESPONSE_HEAD_SIZE' })
    await Promise.all(aborted)
    expect(await (await fetch(URL_, { dispatcher })).text()).toBe('hello')
    expect(responder.sockets).toHaveLength(1)
  })

  test.each([
    ['a wrong version', Buffer.from([0, 6, 0, 1, 0, 0, 0, 0]), 'FCGI_ERR_VERSION'],
    ['another request id', encodeRecord(FCGI_STDOUT, 2, Buffer.from('\r\n')), 'FCGI_ERR_RECORD'],
    ['a short END_REQUEST', encodeRecord(3, 1, Buffer.alloc(4)), 'FCGI_ERR_RECORD'],
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'FCGI_ERR_VERSION'],
  ])('%s fails the request and closes the connection', async (_, bytes, code) => {
    const { dispatcher, responder } = await setup((r) => {
      r.socket.write(bytes)
    })
    await expect(request(URL_, { dispatcher })).rejects.toMatchObject({ code })
    const socket = responder.sockets[0]!
    if (!socket.closed) await once(socket, 'close')
  })

  test('unexpected records on an idle connection close it, and no later request fails', async () => {
    const { dispatcher, responder } = await setup((r) => {
      r.respond(HELLO)
      r.socket.write(encodeRecord(FCGI_STDOUT, r.requestId, Buffer.from('Status: 500\r\n\r\n')))
      r.socket.write(encodeEndRequest(r.requestId, 0, 0))
    })
    const disconnect = once(dispatcher, 'disconnect')
    await (await fetch(URL_, { dispatcher })).text()
    await disconnect
    expect((await fetch(URL_, { dispatcher })).status).toBe(200)
    expect(responder.sockets).toHaveLength(2)
  })

  test('management records and unknown record types are ignored', async () => {
    const { dispatcher } = await setup((r) => {
      r.socket.write(encodeRecord(10, 0, Buffer.from('\x0e\x01FCGI_MAX_CONNS1')))
      r.socket.write(encodeRecord(99, r.requestId, Buffer.from('?')))
      r.respond(HELLO)
    })
    expect(await (await fetch(URL_, { dispatcher })).text()).toBe('hello')
  })

  test.each([
    ['path', { path: 'x' }],
    ['path', { path: '/a b' }],
    ['path', { path: '/a\r\nb' }],
    ['method', { method: 'G ET' }],
    ['header', { headers: ['x y', '1'] }],
    ['header', { headers: { x: 'a\r\nb' } }],
    ['header', { headers: { x: '\u20ac' } }],
    ['headers', { headers: ['x'] }],
    ['content-length', { headers: { 'content-length': '1e3' } }],
    ['body', { body: 5 }],
  ])('an invalid %s is refused before anything is sent: %j', async (_, options) => {
    const { dispatcher, responder } = await setup(respondWith(HELLO))
    const refused = dispatcher.request({ path: '/', method: 'POST', ...options } as never)
    await expect(refused).rejects.toThrow(errors.InvalidArgumentError)
    expect(responder.sockets).toHaveLength(0)
  })

  test('an upgrade is refused: FastCGI has no upgrades', async () => {
    const { dispatcher } = await setup(respondWith(HELLO))
    await expect(dispatcher.upgrade({ path: '/' })).rejects.toThrow(errors.NotSupportedError)
  })
})

describe('time-outs', () => {
  test('connectTimeout', async () => {
    const port = await listenWithoutAccepting()
    const dispatcher = new FastCgiDispatcher({ port }, { connectTimeout: 20 })
    const failed = expect(request(URL_, { dispatcher })).rejects
    await failed.toThrow(`No connection to 127.0.0.1:${port} within 20 ms.`)
    const connectionError = once(dispatcher, 'connectionError')
    await expect(request(URL_, { dispatcher })).rejects.toThrow(errors.ConnectTimeoutError)
    await connectionError
  })

  test('all of them can be Infinity, which is no limit', async () => {
    const limits = Object.fromEntries(
      ['connectTimeout', 'headersTimeout', 'bodyTimeout', 'idleTimeout'].map((name) => [
        name,
        Number.POSITIVE_INFINITY,
      ]),
    )
    const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))
    const { dispatcher, responder } = await setup(async (r) => {
      await pause()
      r.stdout(HELLO)
      await pause()
      r.end()
    }, limits)
    for (let count = 0; count < 2; count++) {
      const { body } = await request(URL_, { dispatcher })
      expect(await body.text()).toBe('hello')
      await pause()
    }
    expect(responder.sockets).toHaveLength(1)
  })

  test('headersTimeout aborts the request', async () => {
    const app = deferred<ResponderRequest>()
    const { dispatcher } = await setup(app.resolve, { headersTimeout: 20 })
    await expect(request(URL_, { dispatcher })).rejects.toThrow(errors.HeadersTimeoutError)
    await (await app.promise).aborted
  })

  test('headersTimeout does not run while the source of the request body is slow', async () => {
    const { dispatcher } = await setup(async (r) => r.respond(`\r\n${await r.body()}`), {
      // Longer than a response may be delayed on a busy machine.
      headersTimeout: 1000,
    })
    const body = async function* () {
      yield 'a'
      await new Promise((resolve) => setTimeout(resolve, 1200))
      yield 'b'
    }
    const response = await request(URL_, { dispatcher, method: 'POST', body: body() as never })
    expect(await response.body.text()).toBe('ab')
  })

  test('bodyTimeout limits the time between two pieces', async () => {
    const { dispatcher } = await setup((r) => {
      r.stdout('\r\nhello')
    })
    const response = await request(URL_, { dispatcher, bodyTimeout: 20 })
    await expect(response.body.text()).rejects.toThrow(errors.BodyTimeoutError)
  })
})
