import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { Responder } from '@fcgi-bridge/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { open, paramsOf, raw } from '../testing/gateway.ts'
import { deferred } from '../testing/setup.ts'
import { createGateway } from './gateway.ts'

describe('the request', () => {
  test('the target is forwarded unchanged', async () => {
    for (const target of ['/a/../b//c%2Fd?x=%zz&y', '/x/\'"<>|', '/?', '/a%2F..%2Fb']) {
      expect(
        (await paramsOf(`GET ${target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`)).REQUEST_URI,
      ).toBe(target)
    }
    const star = await paramsOf('OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
    expect(star).toMatchObject({ REQUEST_METHOD: 'OPTIONS', REQUEST_URI: '*' })
  })

  test('a target in absolute form overrides Host', async () => {
    const params = await paramsOf(
      'GET HTTP://Abs.test:81?x=1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n',
    )
    expect(params).toMatchObject({ REQUEST_URI: '/?x=1', HTTP_HOST: 'abs.test:81', SERVER_NAME: 'abs.test' })
  })

  test('the application gets the real addresses of both sides', async () => {
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

  test('an IPv4 client of a gateway that also listens on IPv6 has its IPv4 address', async () => {
    const responder = await Responder.listen((r) =>
      r.respond(`\r\n${r.params.REMOTE_ADDR} ${r.params.SERVER_ADDR}`),
    )
    const server = createGateway(responder.address).listen(0, '::')
    await once(server, 'listening')
    onTestFinished(async () => {
      server.close()
      await responder.close()
    })
    const response = await raw((server.address() as AddressInfo).port, 'GET / HTTP/1.0\r\n\r\n')
    expect(response).toMatch(/\r\n\r\n127\.0\.0\.1 127\.0\.0\.1$/)
  })

  test('without a Host there is no HTTP_HOST', async () => {
    const params = await paramsOf('GET / HTTP/1.0\r\n\r\n')
    expect(params).not.toHaveProperty('HTTP_HOST')
    expect(params).toMatchObject({ SERVER_PROTOCOL: 'HTTP/1.0', SERVER_NAME: '127.0.0.1' })
  })

  test('headers: repeated ones joined, bytes unchanged, Proxy and names with underscores dropped', async () => {
    const lines =
      'Host: h\r\nX-A: 1\r\nx-a: 2\r\nCookie: a=1\r\nCookie: b=2\r\nX-B: caf\xe9\r\nProxy: evil\r\nX_A: 3\r\n'
    const params = await paramsOf(`GET / HTTP/1.1\r\n${lines}Connection: close\r\n\r\n`)
    expect(params).toMatchObject({ HTTP_X_A: '1, 2', HTTP_COOKIE: 'a=1; b=2', HTTP_X_B: 'caf\xe9' })
    expect(params).not.toHaveProperty('HTTP_PROXY')
  })

  test('a body with a length, a body without a length, and no body', async () => {
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

  test('scriptName and params', async () => {
    const options = { scriptName: '/shop', params: { SCRIPT_FILENAME: '/srv/app.fcgi' } }
    const params = await paramsOf('GET /shop/cart HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n', options)
    expect(params).toMatchObject({
      SCRIPT_NAME: '/shop',
      PATH_INFO: '/cart',
      REQUEST_URI: '/shop/cart',
      SCRIPT_FILENAME: '/srv/app.fcgi',
    })
  })
})

const close = 'Host: h\r\nConnection: close\r\n'

describe('requests that the gateway refuses', () => {
  test.each([
    ['a path above the root', `GET /../x HTTP/1.1\r\n${close}`],
    ['an encoded path above the root', `GET /a/%2e%2E/%2e./x HTTP/1.1\r\n${close}`],
    ['a path above the root with encoded slashes', `GET /a%2f..%2F../x HTTP/1.1\r\n${close}`],
    ['a NUL byte', `GET /a%00b HTTP/1.1\r\n${close}`],
    ['a single percent sign', `GET /100%/x HTTP/1.1\r\n${close}`],
    ['a fragment', `GET /a#b HTTP/1.1\r\n${close}`],
    ['another scheme', `GET ftp://h/x HTTP/1.1\r\n${close}`],
    ['user information', `GET http://u:p@h/x HTTP/1.1\r\n${close}`],
    ['a target without a path', `GET * HTTP/1.1\r\n${close}`],
    ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n'],
    ['a Host with a path', 'GET / HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n'],
    ['two Hosts', `GET / HTTP/1.1\r\nHost: other\r\n${close}`],
    ['HTTP/1.1 without a Host', 'GET / HTTP/1.1\r\nConnection: close\r\n'],
    ['two lengths', `POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n${close}`],
    ['a target with bytes outside of ASCII', `GET /caf\xc3\xa9 HTTP/1.1\r\n${close}`],
  ])('%s is a 400', async (_, head) => {
    const { port, responder, errors } = await open((r) => r.respond('\r\n'))
    expect(await raw(port, `${head}\r\n`)).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
    expect(responder.sockets).toHaveLength(0)
    // Client errors are not logged.
    expect(errors).toEqual([])
  })

  test('the page says why, and the connection is reused', async () => {
    const { port } = await open((r) => r.respond('\r\nhello'))
    const body = 'Content-Length: 5\r\n\r\nhello'
    const both = await raw(port, `POST /.. HTTP/1.1\r\nHost: h\r\n${body}GET / HTTP/1.1\r\n${close}\r\n`)
    expect(both).toContain(
      '\r\n\r\n400 Bad Request\n\nThe gateway cannot forward this request to the application.\n\n',
    )
    expect(both).toContain('The path leads above the root.\n')
    expect(both).toMatch(/HTTP\/1\.1 200 OK\r\n.*hello/s)
  })

  test('an unsupported Transfer-Encoding is a 501', async () => {
    const { port, responder } = await open((r) => r.respond('\r\n'))
    const head = `POST / HTTP/1.1\r\n${close}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`
    expect(await raw(port, head)).toMatch(/^HTTP\/1\.1 501 Not Implemented\r\n/)
    expect(responder.sockets).toHaveLength(0)
  })
})

describe('a connection', () => {
  test('pipelined requests, including uploads, get their responses in order', async () => {
    const { port, responder } = await open(async (r) =>
      r.respond(`\r\n${r.params.PATH_INFO} ${await r.body()}.`),
    )
    const response = await raw(
      port,
      [
        'GET /1 HTTP/1.1\r\nHost: h\r\n\r\n',
        'POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\ntwo',
        'POST /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nthr\r\n2\r\nee\r\n0\r\n\r\n',
        `GET /4 HTTP/1.1\r\n${close}\r\n`,
      ].join(''),
    )
    expect(response.match(/\/\d \w*\./g)).toEqual(['/1 .', '/2 two.', '/3 three.', '/4 .'])
    expect(response.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(4)
    // The connections to the application are reused.
    expect(responder.sockets.length).toBeLessThanOrEqual(4)
  })

  test('HTTP/1.0 keeps it if the client asks for that and the length is known', async () => {
    const { port } = await open((r) => r.respond('Content-Length: 2\r\n\r\nhi'))
    const response = await raw(port, 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n')
    expect(response.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2)
    expect(response).toMatch(/Connection: keep-alive\r\n.*hiHTTP.*Connection: close\r\n.*hi$/s)
  })

  test('trailers of an upload are dropped', async () => {
    const { port } = await open(async (r) => {
      const body = await r.body()
      r.respond(`\r\n${body}${JSON.stringify(r.params)}`)
    })
    const response = await raw(
      port,
      `POST / HTTP/1.1\r\n${close}Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\nHost: evil\r\n\r\n`,
    )
    expect(response).toMatch(/hello\{.*"HTTP_HOST":"h"/)
    expect(response).not.toMatch(/X_SUM|TRAILER|evil/)
  })
})

describe('Expect: 100-continue', () => {
  const HEAD =
    'POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n'

  test('the client gets 100 Continue if the application is running', async () => {
    const { port } = await open(async (r) => r.respond(`\r\n${await r.body()}`))
    const socket = connect(port, '127.0.0.1')
    socket.write(HEAD)
    const [first] = await once(socket, 'data')
    expect(String(first)).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    socket.write('hello')
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 OK\r\n.*Connection: close\r\n.*hello/s)
  })

  test('an HTTP/1.0 client gets no 100 Continue', async () => {
    const { port } = await open(async (r) => r.respond(`\r\n${await r.body()}`))
    expect(await raw(port, `${HEAD.replace('HTTP/1.1', 'HTTP/1.0')}hello`)).toMatch(
      /^HTTP\/1\.1 200 OK\r\n.*hello/s,
    )
  })

  test('the client gets no 100 Continue if the request is refused', async () => {
    const { port } = await open((r) => r.respond('\r\n'))
    expect(await raw(port, HEAD.replace('/', '/..').replace('Connection: close\r\n', ''))).toMatch(
      /^HTTP\/1\.1 400 Bad Request\r\n.*Connection: close\r\n/s,
    )
  })

  test('the client gets no 100 Continue if the application is down, and the connection closes because a body may or may not follow', async () => {
    const { port, responder } = await open(() => {})
    await responder.close()
    expect(await raw(port, HEAD)).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n.*Connection: close\r\n/s)
  })
})
