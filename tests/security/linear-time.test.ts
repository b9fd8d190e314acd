// The CPU time for any input is linear in its size. Each field that an entry point reads is filled with repeated bytes up to the largest
// accepted size. A regular expression that backtracks, or a list that is searched for each of its members, fails here.
import { EventEmitter, once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { createGateway, FastCgiDispatcher } from '@fcgi-bridge/client'
import { createServer, type Exchange, encodeRecord, FCGI_STDOUT } from '@fcgi-bridge/core'
import { serve as serveExpress } from '@fcgi-bridge/express-adapter'
import { type FetchContext, serve as serveFetch } from '@fcgi-bridge/fetch-adapter'
import { GET, Peer, Responder, type ResponderRequest } from '@fcgi-bridge/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDevServer } from '../../packages/cli/src/dev/dev-server.ts'
import { DevTools } from '../../packages/cli/src/dev/dev-tools.ts'
import type { Examination, ProbeResult } from '../../packages/cli/src/doctor/examination.ts'
import { examineFront } from '../../packages/cli/src/doctor/examine-front.ts'
import { FrontClient } from '../../packages/cli/src/doctor/front-client.ts'
import { notPassedOn } from '../../packages/cli/src/doctor/not-probed.ts'
import { formatReport, reportOf } from '../../packages/cli/src/doctor/report.ts'
import { kindOf } from '../../packages/cli/src/doctor/server-kind.ts'
import { checkReachable } from '../../packages/cli/src/doctor/without-probe.ts'
import { raw } from '../../packages/client/src/testing/gateway.ts'
import { readHead } from '../../packages/conformance/src/wire/response.ts'
import { findSuperlinear, type Input } from './growth.ts'

// The sizes of one header with its name and of all params: the defaults of maxHeaderBytes and maxParamsBytes.
const HEADER_MAX = 128 * 1024 - 100
const PARAMS_MAX = 1024 * 1024 - 2000
// The size of all headers of an HTTP request: node:http's maxHeaderSize.
const HTTP_MAX = 16 * 1024 - 300
// The size of a response head: the dispatcher's maxHeaderSize.
const HEAD_MAX = 64 * 1024 - 100

const closing: (() => unknown)[] = []

afterAll(async () => {
  for (const close of closing.reverse()) await close()
})

async function expectLinear(input: Input): Promise<void> {
  expect(await findSuperlinear(input)).toEqual([])
}

// ---- the server, with a hostile front server ----

/** The header, and the reason phrase, of the next response. */
let nextHeader: { name: string; value: string; reason?: string } | undefined

const SERVERS: Record<string, () => Promise<number>> = {
  async core() {
    const server = createServer(
      (exchange) => {
        readExchange(exchange)
        const headers = nextHeader === undefined ? [] : [nextHeader.name, nextHeader.value]
        exchange.writeHead(200, headers, nextHeader?.reason)
        exchange.end('x')
      },
      { onError() {} },
    )
    await server.listen({ host: '127.0.0.1', port: 0 })
    closing.push(() => server.close())
    return (server.address() as AddressInfo).port
  },
  async 'Express adapter'() {
    const server = await serveExpress(
      (req, res) => {
        const { url, method, headers, headersDistinct, rawHeaders, httpVersion, socket } = req
        void [url, method, headers, headersDistinct, rawHeaders, httpVersion, socket.remoteAddress]
        if (nextHeader !== undefined) {
          if (nextHeader.reason !== undefined) res.statusMessage = nextHeader.reason
          res.setHeader(nextHeader.name, nextHeader.value)
        }
        res.end('x')
      },
      { host: '127.0.0.1', port: 0, handleSignals: false, onError() {} },
    )
    closing.push(() => server.close())
    return (server.address() as AddressInfo).port
  },
  'fetch adapter': () => startFetch(false),
  // Keep this one last: the override of the global objects lasts for the whole process.
  'fetch adapter with light objects': () => startFetch(true),
}

async function startFetch(overrideGlobalObjects: boolean): Promise<number> {
  const server = await serveFetch({
    async fetch(request: Request, { params, remoteAddress, mount }: FetchContext) {
      void [request.url, params, remoteAddress, mount, request.headers.get('content-type')]
      const headers = new Headers([...request.headers])
      headers.set('x-more', headers.get('cookie') ?? '')
      void new Request(request).headers.get('x-more')
      await request.text()
      if (nextHeader === undefined) return new Response('x')
      const { name, value, reason } = nextHeader
      return new Response('x', {
        headers: [[name, value]],
        ...(reason !== undefined && { statusText: reason }),
      })
    },
    overrideGlobalObjects,
    host: '127.0.0.1',
    port: 0,
    handleSignals: false,
    onError() {},
  })
  closing.push(() => server.close())
  return (server.address() as AddressInfo).port
}

function readExchange(exchange: Exchange): void {
  const { url, scheme, authority, headers, mount, contentLength, remoteAddress, remotePort } = exchange
  void [
    url,
    scheme,
    authority,
    headers,
    mount,
    contentLength,
    remoteAddress,
    remotePort,
    exchange.request.url,
  ]
}

/** Each field of a request, as the params that carry it. */
const FIELDS: Record<string, { max: number; params: (text: string) => Record<string, string> }> = {
  'a header': { max: HEADER_MAX, params: (text) => ({ HTTP_X_A: text }) },
  Host: { max: HEADER_MAX, params: (text) => ({ HTTP_HOST: text }) },
  'Host and its port': { max: HEADER_MAX, params: (text) => ({ HTTP_HOST: `a:${text}` }) },
  Cookie: { max: HEADER_MAX, params: (text) => ({ HTTP_COOKIE: text }) },
  Connection: { max: HEADER_MAX, params: (text) => ({ HTTP_CONNECTION: text }) },
  'Transfer-Encoding': { max: HEADER_MAX, params: (text) => ({ HTTP_TRANSFER_ENCODING: text }) },
  Range: { max: HEADER_MAX, params: (text) => ({ HTTP_RANGE: text }) },
  Expect: { max: HEADER_MAX, params: (text) => ({ HTTP_EXPECT: text }) },
  "a header's name": { max: HEADER_MAX, params: (text) => ({ [`HTTP_${text}`]: 'a' }) },
  CONTENT_TYPE: { max: PARAMS_MAX, params: (text) => ({ CONTENT_TYPE: text }) },
  CONTENT_LENGTH: { max: PARAMS_MAX, params: (text) => ({ CONTENT_LENGTH: text }) },
  REQUEST_URI: { max: PARAMS_MAX, params: (text) => ({ REQUEST_URI: `/${text}` }) },
  'REQUEST_URI, absolute': { max: PARAMS_MAX, params: (text) => ({ REQUEST_URI: `http://${text}` }) },
  QUERY_STRING: { max: PARAMS_MAX, params: (text) => ({ REQUEST_URI: '', QUERY_STRING: text }) },
  'PATH_INFO without REQUEST_URI': {
    max: PARAMS_MAX,
    params: (text) => ({ REQUEST_URI: '', PATH_INFO: `/${text}` }),
  },
  SCRIPT_NAME: {
    max: PARAMS_MAX / 2,
    params: (text) => ({ SCRIPT_NAME: `/${text}`, REQUEST_URI: `/${text}/a` }),
  },
  SERVER_NAME: { max: PARAMS_MAX, params: (text) => ({ HTTP_HOST: '', SERVER_NAME: text }) },
  SERVER_PROTOCOL: { max: PARAMS_MAX, params: (text) => ({ SERVER_PROTOCOL: `HTTP/${text}` }) },
  REQUEST_METHOD: { max: PARAMS_MAX, params: (text) => ({ REQUEST_METHOD: text }) },
  REMOTE_ADDR: { max: PARAMS_MAX, params: (text) => ({ REMOTE_ADDR: text }) },
}

// ---- the client and the gateway, with a hostile application ----

/** Each field of a response, as the head of a CGI response. */
const HEADS: Record<string, (text: string) => string> = {
  'a header': (text) => `X-A: ${text}\r\n\r\n`,
  "a header's name": (text) => `${text}: a\r\n\r\n`,
  'a line without a colon': (text) => `${text}\r\n\r\n`,
  'many lines': (text) => `${'a: b;c,\r\n'.repeat(text.length / 9)}\r\n\r\n`,
  Status: (text) => `Status: ${text}\r\n\r\n`,
  'the reason': (text) => `Status: 200 ${text}\r\n\r\n`,
  'Content-Length': (text) => `Content-Length: ${text}\r\n\r\n`,
  'Content-Type': (text) => `Content-Type: ${text}\r\n\r\n`,
  Connection: (text) => `Connection: ${text}\r\n\r\n`,
  'Set-Cookie': (text) => `Set-Cookie: ${text}\r\n\r\n`,
  'Location of another host': (text) => `Location: http://${text}\r\n\r\n`,
  'Location of the site': (text) => `Location: /${text}\r\n\r\n`,
  'X-Sendfile': (text) => `X-Sendfile: /${text}\r\n\r\n`,
  'X-Accel-Redirect': (text) => `X-Accel-Redirect: /files/${text}\r\n\r\n`,
}

const plainly = (request: ResponderRequest): void => request.respond('\r\nx')
let respond = plainly
let responder: Responder

beforeAll(async () => {
  responder = await Responder.listen((request) => respond(request))
  closing.push(() => responder.close())
})

/** Feeds the head of the next response. `pieces`: send each byte in a separate record. */
function feedHead(
  head: (text: string) => string,
  pieces: boolean,
  ask: () => Promise<unknown>,
): Input['feed'] {
  return async (text) => {
    const bytes = Buffer.from(head(text), 'latin1')
    const records = pieces ? inRecordsOfOneByte(bytes) : undefined
    respond = (request) => {
      // A local redirect causes a second request.
      respond = plainly
      if (records === undefined) return request.respond(bytes)
      request.socket.write(records)
      request.end()
    }
    await ask()
    respond = plainly
  }
}

function inRecordsOfOneByte(bytes: Buffer): Buffer {
  const record = encodeRecord(FCGI_STDOUT, 1, Buffer.from('a'))
  const records = Buffer.concat(Array.from({ length: bytes.length }, () => record))
  const at = Buffer.from(record).lastIndexOf('a')
  for (let i = 0; i < bytes.length; i++) records[i * record.length + at] = bytes[i]!
  return records
}

describe('client', () => {
  let dispatcher: FastCgiDispatcher

  beforeAll(() => {
    dispatcher = new FastCgiDispatcher(responder.address, { onStderr() {} })
    closing.push(() => dispatcher.destroy())
  })

  async function ask(path = '/', headers: string[] = [], origin = 'http://a'): Promise<void> {
    await dispatcher
      .request({ origin, path, method: 'GET', headers })
      .then(({ body }) => body.text())
      .catch(() => {})
  }

  test.each(Object.keys(HEADS))('response: %s', async (name) => {
    await expectLinear({ max: HEAD_MAX, feed: feedHead(HEADS[name]!, false, ask) })
  })

  test.each(['a header', 'many lines', 'a line without a colon'])(
    'response in small records: %s',
    async (name) => {
      await expectLinear({ max: HEAD_MAX / 2, feed: feedHead(HEADS[name]!, true, ask) })
    },
  )

  test.each([
    ['a header', (text: string) => ask('/', ['X-A', text])],
    ['Connection', (text: string) => ask('/', ['Connection', text])],
    ['many headers that Connection names', (text: string) => ask('/', namedByConnection(text.length))],
    ['Cookie', (text: string) => ask('/', ['Cookie', text])],
    ['Host', (text: string) => ask('/', ['Host', text])],
    ["a header's name", (text: string) => ask('/', [text, 'a'])],
    ['the path', (text: string) => ask(`/${text}`)],
    ['the query', (text: string) => ask(`/?${text}`)],
    ['the origin', (text: string) => ask('/', [], `http://${text}`)],
  ])('request: %s', async (_, feed) => {
    await expectLinear({ max: HEADER_MAX, feed })
  })
})

function namedByConnection(size: number): string[] {
  const names = Array.from({ length: size / 64 }, (_, i) => `x-${i}`)
  return ['Connection', names.join(','), ...names.flatMap((name) => [name, 'a'])]
}

/** Each field of an HTTP request, as its bytes. */
const REQUESTS: Record<string, (text: string) => string> = {
  'a header': (text) => `GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-A: ${text}\r\n\r\n`,
  "a header's name": (text) => `GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${text}: a\r\n\r\n`,
  Connection: (text) => `GET / HTTP/1.1\r\nHost: a\r\nConnection: close,${text}\r\n\r\n`,
  Host: (text) => `GET / HTTP/1.1\r\nHost: ${text}\r\nConnection: close\r\n\r\n`,
  'Content-Type': (text) => `GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: ${text}\r\n\r\n`,
  Cookie: (text) => `GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: ${text}\r\n\r\n`,
  Range: (text) => `GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nRange: bytes=${text}\r\n\r\n`,
  'Transfer-Encoding': (text) =>
    `POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: ${text}\r\n\r\n`,
  'the path': (text) => `GET /${text} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
  'the query': (text) => `GET /?${text} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
  'the target, absolute': (text) => `GET http://${text} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
}

describe('gateway', () => {
  const ports: Record<string, number> = {}

  beforeAll(async () => {
    const folder = tmpdir()
    const quiet = { onError() {}, onStderr() {} }
    const all = {
      plain: { ...quiet, xSendfile: folder, xAccelRedirect: { '/files/': folder } },
      PHP: { ...quiet, documentRoot: folder, splitPath: ['.php'], tryFiles: false },
    }
    for (const [name, options] of Object.entries(all)) {
      const gateway = createGateway(responder.address, options).listen(0, '127.0.0.1')
      await once(gateway, 'listening')
      closing.push(() => gateway.close())
      ports[name] = (gateway.address() as AddressInfo).port
    }
  })

  test.each(Object.keys(HEADS))('response: %s', async (name) => {
    const ask = () => raw(ports.plain!, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    await expectLinear({ max: HEAD_MAX, feed: feedHead(HEADS[name]!, false, ask) })
  })

  test.each(Object.keys(REQUESTS))('request: %s', async (name) => {
    await expectLinear({ max: HTTP_MAX, feed: (text) => raw(ports.plain!, REQUESTS[name]!(text)) })
  })

  test('request: the path to a script', async () => {
    const feed = (text: string) => raw(ports.PHP!, REQUESTS['the path']!(text.replaceAll('a-', '.php')))
    await expectLinear({ max: HTTP_MAX, feed })
  })
})

// ---- dev ----

describe('dev', () => {
  let port: number

  beforeAll(async () => {
    const app = Object.assign(new EventEmitter(), { starts: 1, state: { name: 'starting' } })
    const tools = new DevTools(app as never, '')
    const server = createDevServer({
      app: app as never,
      mount: '',
      observer: tools.observer,
      onDevRequest: (request, response) => tools.handle(request, response),
      onStderr() {},
      onError() {},
      onResponse() {},
    })
    const { path } = (await Responder.listen((request) => {
      const { REQUEST_URI = '', HTTP_HOST = '', FCGI_BRIDGE_TRACE: trace } = request.params
      const read = { url: `http://${HTTP_HOST}${REQUEST_URI}`, mount: '', headers: ['x-a', HTTP_HOST] }
      app.emit('message', { fcgiBridge: 'request', trace, read })
      request.respond('\r\nx')
    }, 'unix').then((one) => {
      closing.push(() => one.close())
      return one.address
    })) as { path: string }
    app.state = { name: 'ready', path } as never
    app.emit('state', app.state)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    closing.push(() => {
      tools.close()
      server.close()
      server.closeAllConnections()
    })
    port = (server.address() as AddressInfo).port
  })

  test.each(Object.keys(REQUESTS))('a request to the app: %s', async (name) => {
    await expectLinear({ max: HTTP_MAX, feed: (text) => raw(port, REQUESTS[name]!(text)) })
  })

  test.each([
    ['the path', (text: string) => [`/__fcgi/${text}`, '']],
    ['the query', (text: string) => [`/__fcgi?${text}`, '']],
    ['a header', (text: string) => ['/__fcgi/exchanges/1', `X-A: ${text}\r\n`]],
    ['Origin', (text: string) => ['/__fcgi/exchanges/1', `Origin: ${text}\r\n`]],
    ['Forwarded', (text: string) => ['/__fcgi/exchanges/1', `Forwarded: ${text}\r\n`]],
    ['Sec-Fetch-Site', (text: string) => ['/__fcgi/exchanges/1', `Sec-Fetch-Site: ${text}\r\n`]],
    ['Host', (text: string) => ['/__fcgi/exchanges/1', `Host: ${text}\r\n`]],
  ])('a request to the inspector: %s', async (_, make) => {
    const feed = (text: string): Promise<string> => {
      const [path, header] = make(text)
      const host = header!.startsWith('Host') ? '' : 'Host: localhost\r\n'
      return raw(port, `GET ${path} HTTP/1.1\r\n${host}Connection: close\r\n${header}\r\n`)
    }
    await expectLinear({ max: HTTP_MAX, feed })
  })
})

// ---- the doctor and the conformance checks, with hostile servers ----

describe('doctor', () => {
  const url = new URL('http://127.0.0.1/shop')

  test.each([
    ['Server', 'server'],
    ['Location', 'location'],
    ['a header', 'x-a'],
  ])('a front server that responds itself: %s', async (_, header) => {
    let value = ''
    const server = createHttpServer((_, response) => response.writeHead(302, { [header]: value }).end(value))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    closing.push(() => server.close())
    const connect = { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
    const front = new FrontClient({ url, connect, headers: [], insecure: false, timeout: 10_000 })
    const feed = async (text: string): Promise<void> => {
      value = text
      const report = await checkReachable(url, front).catch(() => reportOf(url, undefined, []))
      const response = await front.send({ path: '/' }).catch(() => undefined)
      if (response !== undefined) report.findings.push(notPassedOn(url, response))
      formatReport(report)
    }
    await expectLinear({ max: HTTP_MAX, feed })
  })

  test.each([
    ...['HTTP_X_FORWARDED_FOR', 'REMOTE_ADDR', 'SERVER_SOFTWARE', 'SCRIPT_NAME', 'PATH_INFO', 'REQUEST_URI'],
    ...[
      'QUERY_STRING',
      'HTTP_HOST',
      'HTTPS',
      'SERVER_NAME',
      'CONTENT_LENGTH',
      'CONTENT_TYPE',
      'HTTP_AUTHORIZATION',
    ],
  ])('the probe, with a front server that sends %s', async (name) => {
    const feed = async (text: string): Promise<void> => {
      const params = new Map(Object.entries({ ...GET, REMOTE_ADDR: '192.0.2.1', [name]: text }))
      const response = { status: 200, headers: {}, software: text, text: '', from: '127.0.0.3', spread: 0 }
      const echo = { params: [...params], keepConn: true, bodyBytes: 0 }
      const plain: ProbeResult = { response, echo, params }
      const server = kindOf(params.get('SERVER_SOFTWARE'), true)
      const rest = { url, prefix: '/shop', server, authorization: 'Basic YTpi', upload: 1000 }
      const examination: Examination = { ...rest, plain, form: plain, send: async () => plain }
      const { findings, passed } = await examineFront(examination)
      formatReport({ ...reportOf(url, text, findings), passed })
    }
    await expectLinear({ max: HEADER_MAX, feed })
  })
})

describe('conformance', () => {
  test.each(['', 'X-A: '])('a response head that begins with %j', async (before) => {
    const feed = async (text: string): Promise<unknown> => readHead(`${before}${text}\r\n\r\nbody`)
    await expectLinear({ max: PARAMS_MAX, feed })
  })
})

describe.each(Object.keys(SERVERS))('%s', (name) => {
  let port: number

  beforeAll(async () => {
    port = await SERVERS[name]!()
  })

  async function ask(changes: Record<string, string>): Promise<void> {
    const peer = await Peer.connect({ host: '127.0.0.1', port })
    peer.get(1, { ...changes })
    // The server may reject a request by closing the connection.
    await peer.response(1).catch(() => {})
    peer.destroy()
  }

  test.each(Object.keys(FIELDS))('%s', async (field) => {
    const { max: largest, params } = FIELDS[field]!
    // The adapters receive their params from core, which is tested up to its own limit.
    const max = name === 'core' ? largest : Math.min(largest, HEADER_MAX)
    await expectLinear({ max, feed: (text) => ask({ ...GET, ...params(text) }) })
  })

  test.each([
    ['a header', (value: string) => ({ name: 'X-A', value })],
    ['Location', (value: string) => ({ name: 'Location', value: `/${value}` })],
    ['Content-Type', (value: string) => ({ name: 'Content-Type', value })],
    ['Set-Cookie', (value: string) => ({ name: 'Set-Cookie', value })],
    ['the reason', (value: string) => ({ name: 'X-A', value: 'a', reason: value })],
  ])('of a response that echoes its request: %s', async (_, makeHeader) => {
    const feed = async (text: string): Promise<void> => {
      nextHeader = makeHeader(text)
      await ask(GET)
      nextHeader = undefined
    }
    await expectLinear({ max: HEADER_MAX, feed })
  })
})
