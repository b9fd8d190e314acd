import { once } from 'node:events'
import http, { type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import supertest from 'supertest'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createGateway, type GatewayOptions } from './gateway.ts'
import { hash, pieces } from './testing/bytes.ts'
import { Responder, type ResponderRequest } from './testing/responder.ts'
import { deferred } from './testing/setup.ts'

const SIZE = 64 * 1024 * 1024
const UPLOAD = 8 * 1024 * 1024

interface Gateway {
  readonly server: Server
  readonly responder: Responder
  readonly url: string
  readonly port: number
  /** What went to onError. */
  readonly errors: Error[]
}

/** A gateway that listens, in front of a responder; both are gone when the test is. */
async function open(
  handler: (request: ResponderRequest) => void,
  options: GatewayOptions = {},
): Promise<Gateway> {
  const responder = await Responder.listen(handler)
  const errors: Error[] = []
  const server = createGateway(responder.address, { onError: (error) => errors.push(error), ...options })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await responder.close()
  })
  const { port } = server.address() as AddressInfo
  return { server, responder, port, url: `http://127.0.0.1:${port}`, errors }
}

/** Sends `request` as it stands; the whole answer, once the gateway has closed the connection. */
async function raw(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(request, 'latin1')
  const chunks = await socket.toArray()
  return Buffer.concat(chunks).toString('latin1')
}

/** Settles when nothing was read from a socket for some turns of the event loop. */
async function stall(socket: Socket): Promise<void> {
  for (let turns = 0, before = -1; turns < 100; turns++) {
    if (socket.bytesRead !== before) turns = 0
    before = socket.bytesRead
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** The params that the application has of a request. */
async function paramsOf(request: string, options: GatewayOptions = {}): Promise<Record<string, string>> {
  const { port } = await open((r) => r.respond(`\r\n${JSON.stringify(r.params)}`), options)
  const answer = await raw(port, request)
  return JSON.parse(/\{.*\}/s.exec(answer)![0])
}

describe('the request', () => {
  test('the target is handed on as it stands', async () => {
    for (const target of ['/a/../b//c%2Fd?x=%zz&y', '/x/\'"<>|', '/?', '/a#b']) {
      expect(
        (await paramsOf(`GET ${target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`)).REQUEST_URI,
      ).toBe(target)
    }
    const star = await paramsOf('OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
    expect(star).toMatchObject({ REQUEST_METHOD: 'OPTIONS', REQUEST_URI: '*' })
  })

  test('the absolute form of a target brings its own host', async () => {
    const params = await paramsOf(
      'GET http://u:p@abs.test:81?x=1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n',
    )
    expect(params).toMatchObject({ REQUEST_URI: '/?x=1', HTTP_HOST: 'abs.test:81', SERVER_NAME: 'abs.test' })
  })

  test('the application has the true addresses of both sides', async () => {
    const seen = deferred<Record<string, string>>()
    const { port } = await open((r) => {
      seen.resolve(r.params)
      r.respond('\r\n')
    })
    const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' })
    await once(socket, 'connect')
    const { localPort } = socket
    socket.end('GET / HTTP/1.1\r\nHost: example.test:8080\r\nConnection: close\r\n\r\n')
    expect(await seen.promise).toMatchObject({
      REMOTE_ADDR: '127.0.0.2',
      REMOTE_PORT: String(localPort),
      SERVER_ADDR: '127.0.0.1',
      SERVER_PORT: String(port),
      SERVER_NAME: 'example.test',
      SERVER_PROTOCOL: 'HTTP/1.1',
      HTTP_HOST: 'example.test:8080',
      REQUEST_SCHEME: 'http',
    })
    socket.destroy()
  })

  test('an IPv4 client of a gateway that listens on IPv6 too has its IPv4 address', async () => {
    const responder = await Responder.listen((r) =>
      r.respond(`\r\n${r.params.REMOTE_ADDR} ${r.params.SERVER_ADDR}`),
    )
    const server = createGateway(responder.address).listen(0, '::')
    await once(server, 'listening')
    onTestFinished(async () => {
      server.close()
      await responder.close()
    })
    const answer = await raw((server.address() as AddressInfo).port, 'GET / HTTP/1.0\r\n\r\n')
    expect(answer).toMatch(/\r\n\r\n127\.0\.0\.1 127\.0\.0\.1$/)
  })

  test('without a Host there is no HTTP_HOST', async () => {
    const params = await paramsOf('GET / HTTP/1.0\r\n\r\n')
    expect(params).not.toHaveProperty('HTTP_HOST')
    expect(params).toMatchObject({ SERVER_PROTOCOL: 'HTTP/1.0', SERVER_NAME: '127.0.0.1' })
  })

  test('headers: repeats joined, bytes kept, Proxy and names with underscores left out', async () => {
    const lines =
      'Host: h\r\nX-A: 1\r\nx-a: 2\r\nCookie: a=1\r\nCookie: b=2\r\nX-B: caf\xe9\r\nProxy: evil\r\nX_A: 3\r\n'
    const params = await paramsOf(`GET / HTTP/1.1\r\n${lines}Connection: close\r\n\r\n`)
    expect(params).toMatchObject({ HTTP_X_A: '1, 2', HTTP_COOKIE: 'a=1; b=2', HTTP_X_B: 'caf\xe9' })
    expect(params).not.toHaveProperty('HTTP_PROXY')
  })

  test('a body with a length, with none, and none at all', async () => {
    const { url } = await open(async (r) => {
      const { CONTENT_LENGTH, HTTP_TRANSFER_ENCODING } = r.params
      r.respond(`\r\n${CONTENT_LENGTH} ${HTTP_TRANSFER_ENCODING} ${await r.body()}`)
    })
    const post = async (body: string | ReadableStream | null): Promise<string> =>
      (await fetch(url, { method: 'POST', body, duplex: 'half' } as RequestInit)).text()
    expect(await post('hello')).toBe('5 undefined hello')
    expect(await post(ReadableStream.from([Buffer.from('hel'), Buffer.from('lo')]))).toBe(
      'undefined chunked hello',
    )
    expect(await post(null)).toBe('0 undefined ')
    expect(await (await fetch(url)).text()).toBe('undefined undefined ')
  })

  test('mounted, with own params', async () => {
    const options = { scriptName: '/shop', params: { SCRIPT_FILENAME: '/srv/app.fcgi' } }
    const params = await paramsOf('GET /shop/cart HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n', options)
    expect(params).toMatchObject({
      SCRIPT_NAME: '/shop',
      PATH_INFO: '/cart',
      REQUEST_URI: '/shop/cart',
      SCRIPT_FILENAME: '/srv/app.fcgi',
    })
  })

  test('a path that CGI can not say is a 400', async () => {
    const { url, responder } = await open((r) => r.respond('\r\n'))
    expect((await fetch(`${url}/a%00b`)).status).toBe(400)
    expect(responder.sockets).toHaveLength(0)
  })
})

describe('the answer', () => {
  test('status, reason and headers as the application gave them', async () => {
    const { port } = await open((r) => {
      r.respond(
        'Status: 299 So So\r\nX-Name: caf\xe9\r\nx-lower: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nDate: x\r\n\r\nhello',
      )
    })
    const answer = await raw(port, 'GET / HTTP/1.0\r\n\r\n')
    expect(answer).toBe(
      'HTTP/1.1 299 So So\r\nX-Name: caf\xe9\r\nx-lower: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nDate: x\r\nConnection: close\r\n\r\nhello',
    )
  })

  test('what is about one hop does not pass, nor does a 1xx', async () => {
    const { url } = await open((r) => {
      r.respond(
        'Status: 103\r\nLink: </a>\r\n\r\nTransfer-Encoding: chunked\r\nConnection: close\r\nKeep-Alive: 1\r\nUpgrade: h2c\r\nTrailer: X\r\n\r\nhello',
      )
    })
    const request = http.get(url)
    request.on('information', () => expect.fail('a 1xx came through'))
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    expect(response.statusCode).toBe(200)
    expect(response.headers).toMatchObject({ connection: 'keep-alive', 'transfer-encoding': 'chunked' })
    expect(response.headers).not.toHaveProperty('upgrade')
    expect(response.headers).not.toHaveProperty('trailer')
    expect(await text(response)).toBe('hello')
  })

  test.each([
    ['HEAD', 200, '5'],
    ['GET', 204, undefined],
    ['GET', 304, '5'],
  ])('%s with %d has no body, and the connection goes on', async (method, status, length) => {
    const { port } = await open((r) => r.respond(`Status: ${status}\r\nContent-Length: 5\r\n\r\nstray`))
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    onTestFinished(() => agent.destroy())
    for (let i = 0; i < 2; i++) {
      const request = http.request({ port, method, agent }).end()
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      expect(response.statusCode).toBe(status)
      expect(response.headers['content-length']).toBe(length)
      expect(await text(response)).toBe('')
      expect(request.reusedSocket).toBe(i === 1)
    }
  })

  test('server-sent events: the head and each event at once', async () => {
    const app = deferred<ResponderRequest>()
    const { url } = await open((r) => {
      r.stdout('Content-Type: text/event-stream\r\n\r\n')
      app.resolve(r)
    })
    const response = await fetch(url)
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
      ;(await app.promise).stdout(event)
      expect((await reader.read()).value).toBe(event)
    }
    await reader.cancel()
    await (await app.promise).aborted
  })

  test('what the application writes to FCGI_STDERR goes to onStderr', async () => {
    const heard: string[] = []
    const { url } = await open(
      (r) => {
        r.stderr('oops')
        r.respond('\r\n')
      },
      { onStderr: (chunk, { path }) => heard.push(`${path}: ${chunk}`) },
    )
    await (await fetch(`${url}/x`)).text()
    expect(heard).toEqual(['/x: oops'])
  })
})

describe('large bodies and many requests', () => {
  test('64 MiB up and down at once, chunked both ways', async () => {
    const { url } = await open((r) => {
      r.stdout('\r\n')
      r.socket.setMaxListeners(0)
      const { push } = r.stdinChunks
      r.stdinChunks.push = (...chunks) => {
        for (const chunk of chunks)
          if (!r.stdout(chunk)) r.socket.pause().once('drain', () => r.socket.resume())
        return push.length
      }
      void r.stdinEnded.then(() => r.end())
    })
    const body = ReadableStream.from(pieces(SIZE))
    const response = await fetch(url, { method: 'POST', body, duplex: 'half' } as RequestInit)
    expect(await hash(response.body!)).toBe(await hash(pieces(SIZE)))
  })

  test('fifty at once, again and again, over kept connections', async () => {
    const { url, responder } = await open((r) => r.respond(`\r\n${r.params.PATH_INFO}`), {
      maxConnections: 10,
    })
    for (let round = 0; round < 3; round++) {
      const paths = Array.from({ length: 50 }, (_, i) => `/${round}-${i}`)
      expect(await Promise.all(paths.map(async (path) => (await fetch(url + path)).text()))).toEqual(paths)
    }
    expect(responder.sockets).toHaveLength(10)
  })

  test('a client that reads slowly holds the application back', async () => {
    let sent = 0
    const { port } = await open(async (r) => {
      r.stdout('\r\n')
      for (const piece of pieces(SIZE)) {
        sent += piece.length
        if (!r.stdout(piece)) await once(r.socket, 'drain')
      }
      r.end()
    })
    const [response] = (await once(http.get({ port }), 'response')) as [IncomingMessage]
    let received = 0
    let most = 0
    for await (const chunk of response) {
      for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve))
      received += chunk.length
      most = Math.max(most, sent - received)
    }
    expect(received).toBe(SIZE)
    // Two TCP connections' kernel buffers, which grow to some MiB each.
    expect(most).toBeLessThan(SIZE / 2)
  })
})

describe('Expect: 100-continue', () => {
  const HEAD =
    'POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n'

  test('the client is told to go on when the application is there', async () => {
    const { port } = await open(async (r) => r.respond(`\r\n${await r.body()}`))
    const socket = connect(port, '127.0.0.1')
    socket.write(HEAD)
    const [first] = await once(socket, 'data')
    expect(String(first)).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    socket.write('hello')
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 OK\r\n.*Connection: close\r\n.*hello/s)
  })

  test('and not when it is down: the connection closes, for a body may follow or not', async () => {
    const { port, responder } = await open(() => {})
    await responder.close()
    expect(await raw(port, HEAD)).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n.*Connection: close\r\n/s)
  })
})

describe('what goes wrong', () => {
  test('the application is down: 502, a clear page, and the reason in the log', async () => {
    const { url, port, responder, errors } = await open(() => {})
    await responder.close()
    const response = await fetch(url)
    expect(response.status).toBe(502)
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    const page = await response.text()
    expect(page).toBe(
      '502 Bad Gateway\n\nThe application behind this gateway gave no usable answer (ECONNREFUSED).\n',
    )
    expect(errors).toMatchObject([{ code: 'ECONNREFUSED' }])
    expect(await (await fetch(url, { method: 'HEAD' })).text()).toBe('')
    // The body that nobody takes is read all the same, so that the next request is found behind it.
    const upload = `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${UPLOAD}\r\n\r\n${'x'.repeat(UPLOAD)}`
    const both = await raw(port, `${upload}GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`)
    expect(both.match(/HTTP\/1\.1 502/g)).toHaveLength(2)
  })

  test.each([
    ['no answer', 502, (r: ResponderRequest) => r.end()],
    ['FCGI_OVERLOADED', 503, (r: ResponderRequest) => r.end(0, 2)],
    ['a connection that ends', 502, (r: ResponderRequest) => void r.socket.end()],
    ['no CGI head', 502, (r: ResponderRequest) => r.respond('HTTP/1.1 200 OK\r\n\r\n')],
    ['nothing in time', 504, () => {}],
  ])('%s is a %d', async (_, status, handler) => {
    const { url, errors } = await open(handler, { headersTimeout: 50 })
    const response = await fetch(url)
    expect(response.status).toBe(status)
    expect(await response.text()).toMatch(new RegExp(`^${status} `))
    expect(errors).toHaveLength(1)
  })

  test.each([
    ['with', 'Content-Length: 10\r\n\r\nhello'],
    ['without', '\r\nhello'],
  ])('an answer %s length that breaks off is seen to by the client', async (_, answer) => {
    const { url, errors } = await open((r) => {
      r.stdout(answer)
      r.socket.end()
    })
    const response = await fetch(url)
    await expect(response.text()).rejects.toThrow()
    expect(errors).toMatchObject([{ code: 'FCGI_ERR_CONNECTION_CLOSED' }])
  })

  test('the client leaves while it waits, in the upload, in the answer: the application is told', async () => {
    const apps: ((request: ResponderRequest) => void)[] = []
    const { port, errors } = await open((r) => apps.shift()!(r))
    const meet = async (request: string): Promise<[Socket, ResponderRequest]> => {
      const app = deferred<ResponderRequest>()
      apps.push(app.resolve)
      const socket = connect(port, '127.0.0.1')
      socket.write(request)
      return [socket, await app.promise]
    }
    const [waiting, first] = await meet('GET / HTTP/1.1\r\nHost: h\r\n\r\n')
    waiting.destroy()
    await first.aborted
    const [uploading, second] = await meet('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhel')
    uploading.destroy()
    await second.aborted
    const [reading, third] = await meet('GET / HTTP/1.1\r\nHost: h\r\n\r\n')
    third.stdout('\r\nhello')
    await once(reading, 'data')
    reading.destroy()
    await third.aborted
    // Clients leave all the time: no news for the log.
    expect(errors).toEqual([])
  })

  test('an early answer reaches a client that is still sending, and the connection goes on', async () => {
    const client = deferred<Socket>()
    let requests = 0
    const { port, server } = await open(async (r) => {
      if (requests++ > 0) return r.respond('\r\nsecond')
      r.socket.pause()
      await stall(await client.promise)
      r.stdout('Status: 413\r\nContent-Length: 9\r\n\r\ntoo large')
      r.end()
    })
    server.once('connection', client.resolve)
    const socket = connect(port, '127.0.0.1')
    socket.write(`POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${SIZE}\r\n\r\n`)
    Readable.from(pieces(SIZE)).pipe(socket, { end: false })
    const sent = once(socket, 'unpipe')
    const read = async (until: string): Promise<void> => {
      for (let got = ''; !got.endsWith(until); ) got += (await once(socket, 'data'))[0]
    }
    await read('too large')
    await sent
    socket.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n')
    await read('6\r\nsecond\r\n0\r\n\r\n')
    socket.destroy()
  })

  test('the default log is one line on process.stderr', async () => {
    const responder = await Responder.listen((r) => {
      r.stderr('the app says\n')
      r.end()
    })
    onTestFinished(() => responder.close())
    const written: string[] = []
    const { write } = process.stderr
    process.stderr.write = ((chunk: Uint8Array | string) => written.push(String(chunk))) as never
    onTestFinished(() => {
      process.stderr.write = write
    })
    await supertest(createGateway(responder.address)).get('/x?y=1').expect(502)
    expect(written).toEqual([
      'the app says\n',
      'fcgi-bridge gateway: GET /x?y=1: The FastCGI application ended the request without an answer (appStatus 0).\n',
    ])
  })
})

describe('as a server', () => {
  test('supertest takes it, listening or not, again and again', async () => {
    const responder = await Responder.listen(async (r) =>
      r.respond(`Status: 201\r\nContent-Type: text/plain\r\n\r\n${await r.body()}`),
    )
    onTestFinished(() => responder.close())
    const gateway = createGateway(responder.address)
    for (let i = 0; i < 3; i++) {
      const response = await supertest(gateway).post('/').type('text/plain').send('hello').expect(201)
      expect(response.text).toBe('hello')
    }
    const agent = supertest.agent(gateway.listen(0))
    await agent.get('/').expect(201)
    await agent.get('/').expect(201)
    gateway.close()
    await once(gateway, 'close')
  })

  test('closing it closes the connections to the application', async () => {
    const { server, responder, url } = await open((r) => r.respond('\r\n'))
    await (await fetch(url, { headers: { connection: 'close' } })).text()
    server.close()
    const [socket] = responder.sockets
    if (!socket!.closed) await once(socket!, 'close')
  })

  test('an address that is none is refused at once', () => {
    expect(() => createGateway('nowhere')).toThrow(TypeError)
  })
})
