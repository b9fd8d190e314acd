// Attacks by a client, or through an app's own data, sent as raw bytes to both adapters.
import { serve as serveExpress } from '@fcgi-bridge/express-adapter'
import { type FetchContext, serve as serveFetch } from '@fcgi-bridge/fetch-adapter'
import { begin, GET, type ParamList, Peer, POST, params } from '@fcgi-bridge/testing'
import express from 'express'
import { describe, expect, onTestFinished, test } from 'vitest'

/** A request as the app receives it. */
interface ReceivedRequest {
  method: string
  /** `originalUrl` in Express. In a fetch handler, the URL of the Request without its origin. */
  url: string
  /** The authority and userinfo of the URL. Express has none. */
  authority?: string
  headers: Record<string, string>
  client: string
  secure: boolean
  user: string | null
  params: string[]
  body: string
}

/** The response that the app must send. */
interface RequestedResponse {
  status?: number
  reason?: string
  headers?: [string, string][]
  redirect?: string
}

const ADAPTERS = { express: startExpress, fetch: startFetch }

describe.each(Object.keys(ADAPTERS) as (keyof typeof ADAPTERS)[])('%s', (name) => {
  describe('a header of the client never becomes another param', () => {
    test('httpoxy: the app does not receive a Proxy header', async () => {
      const { ask } = await start()
      const { headers } = await ask({ HTTP_PROXY: 'http://evil.test:8080' })
      expect(headers).not.toHaveProperty('proxy')
    })

    test('headers with the names of params, such as REMOTE_USER, REMOTE_ADDR and HTTPS', async () => {
      const { ask } = await start()
      const received = await ask({
        HTTP_REMOTE_USER: 'root',
        HTTP_REMOTE_ADDR: '203.0.113.9',
        HTTP_HTTPS: 'on',
        HTTP_REQUEST_SCHEME: 'https',
        HTTP_REQUEST_URI: '/admin',
        HTTP_SCRIPT_NAME: '/admin',
        HTTP_REQUEST_METHOD: 'DELETE',
        HTTP_AUTH_TYPE: 'Basic',
      })
      expect(received).toMatchObject({
        client: '192.0.2.7',
        secure: false,
        user: null,
        url: '/',
        method: 'GET',
      })
      expect(received.headers).toMatchObject({ 'remote-user': 'root', https: 'on' })
    })

    test('neither X_Forwarded_For nor X-Forwarded-For is trusted; both are the same param', async () => {
      const { ask } = await start()
      const received = await ask([
        ...Object.entries(GET),
        ['HTTP_X_FORWARDED_FOR', '198.51.100.1'],
        ['HTTP_X_FORWARDED_FOR', '203.0.113.9'],
        ['HTTP_X_FORWARDED_PROTO', 'https'],
        ['HTTP_X_FORWARDED_HOST', 'evil.test'],
      ])
      expect(received.headers['x-forwarded-for']).toBe('198.51.100.1, 203.0.113.9')
      expect(received).toMatchObject({ client: '192.0.2.7', secure: false })
      if (name === 'fetch') expect(received.authority).toBe('front.test')
    })

    test('credentials that only an internal redirect can set', async () => {
      const forged = {
        HTTP_REDIRECT_HTTP_AUTHORIZATION: 'Basic forged',
        HTTP_REDIRECT_AUTHORIZATION: 'Basic forged',
      }
      const received = await (await start()).ask(forged)
      expect(received.headers).not.toHaveProperty('authorization')
      const { ask } = await start()
      const redirected = await ask({ ...forged, REDIRECT_HTTP_AUTHORIZATION: 'Basic own' })
      expect(redirected.headers.authorization).toBe('Basic own')
    })

    test('headers with the names of object members', async () => {
      const { ask } = await start()
      const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty']
      const received = await ask([
        ...Object.entries(GET),
        ...names.flatMap((each): [string, string][] => [
          [each, 'polluted'],
          [`HTTP_${each}`, 'polluted'],
        ]),
      ])
      expect(received.params).toEqual(expect.arrayContaining(names))
      expect(received.method).toBe('GET')
      expect(({} as Record<string, unknown>).polluted).toBeUndefined()
      expect(Object.prototype.toString).toBeTypeOf('function')
    })
  })

  describe('bytes that could inject a header or a request get a 400, and the app is not called', () => {
    test.each([
      ['CR LF in a header', { HTTP_X_A: 'a\r\nX-Injected: 1' }],
      ['LF in a header', { HTTP_X_A: 'a\nb' }],
      ['CR in a header', { HTTP_X_A: 'a\rb' }],
      ['NUL in a header', { HTTP_X_A: 'a\0b' }],
      ['LF in the name of a header', { 'HTTP_X\nINJECTED': 'a' }],
      ['NUL in the name of a header', { 'HTTP_X\0': 'a' }],
      ['a colon in the name of a header', { 'HTTP_X:Y': 'a' }],
      ['a space in the name of a header', { 'HTTP_X Y': 'a' }],
      ['LF in the method', { REQUEST_METHOD: 'GET\nX' }],
      ['a space in the method', { REQUEST_METHOD: 'GET /' }],
      ['CR LF in the target', { REQUEST_URI: '/\r\nX-Injected: 1' }],
      ['NUL in the target', { REQUEST_URI: '/\0' }],
      ['CR LF in the content type', { CONTENT_TYPE: 'text/plain\r\nX-Injected: 1' }],
      ['CR LF in the host', { HTTP_HOST: 'front.test\r\nX-Injected: 1' }],
    ])('%s', async (_, changes) => {
      const { refuse } = await start()
      await refuse({ ...GET, ...changes })
    })
  })

  describe('a Host that would change another part of the URL gets a 400', () => {
    test.each([
      'evil@front.test',
      'user:password@front.test',
      'front.test/admin',
      'front.test?admin',
      'front.test#admin',
      'front.test\\admin',
      'front.test:80:80',
      'front.test:99999',
      'front.test:80@evil.test',
      '[::1',
      '[::1]evil.test',
      'front test',
      '%66ront.test',
      'http://front.test',
      '1.2.3.4.5',
      '::1',
      // A URL parser turns each of these into 127.0.0.1.
      '127.1',
      '0x7f000001',
      '2130706433',
    ])('%s', async (host) => {
      const { refuse } = await start()
      await refuse({ ...GET, HTTP_HOST: host })
    })
  })

  test('a Host with a comma, which is valid in a URL, is the authority as a whole', async () => {
    const { ask } = await start()
    const host = 'front.test,evil.test'
    const received = await ask({ HTTP_HOST: host, REQUEST_URI: '/a?b' })
    expect(received.url).toBe('/a?b')
    if (name === 'fetch') expect(received.authority).toBe(host)
  })

  describe('the body has the length of CONTENT_LENGTH, and never contains the next request', () => {
    const smuggled = Buffer.concat([begin(2), params(2, { ...GET, REQUEST_URI: '/smuggled' })])

    test('more bytes on STDIN are dropped, and do not become the next request', async () => {
      const { peer, received } = await start()
      peer.post(1, { CONTENT_LENGTH: '5' }, { keepConn: true })
      peer.stdin(1, Buffer.concat([Buffer.from('hello'), smuggled])).endStdin(1)
      expect(receivedIn((await peer.response(1)).stdout)).toMatchObject({ body: 'hello' })
      peer.get(1, { REQUEST_URI: '/next' }, { keepConn: true })
      await peer.until(() => received.length === 2)
      expect(received.map(({ url }) => url)).toEqual(['/', '/next'])
    })

    test('fewer bytes on STDIN are an error', async () => {
      const { peer, received } = await start()
      peer.post(1, { CONTENT_LENGTH: '50' }).stdin(1, 'hello').endStdin(1)
      expect((await peer.response(1)).stdout).toMatch(/^Status: [45]00 /)
      expect(received).toEqual([])
    })

    test('with chunked encoding and CONTENT_LENGTH, the length applies, and the body is not decoded', async () => {
      const { peer } = await start()
      const body = '5\r\nhello\r\n0\r\n\r\n'
      peer.post(1, { CONTENT_LENGTH: String(body.length), HTTP_TRANSFER_ENCODING: 'chunked' })
      peer.stdin(1, body).endStdin(1)
      const { body: read, headers } = receivedIn((await peer.response(1)).stdout)
      expect(read).toBe(body)
      expect(headers).not.toHaveProperty('transfer-encoding')
    })

    test.each(['+5', '5, 5', '5,6', '0x5', '5 5', '-5', '5e0', '5.0', ' ', '٥', '99999999999999999999'])(
      'CONTENT_LENGTH %j gets a 400',
      async (length) => {
        const { refuse } = await start()
        await refuse({ ...POST, CONTENT_LENGTH: length })
      },
    )

    test('of two lengths, which only a front server’s config can send, the last one applies', async () => {
      const { peer, received } = await start()
      const list: ParamList = [...Object.entries(POST), ['CONTENT_LENGTH', '50'], ['CONTENT_LENGTH', '5']]
      peer.begin(1, { keepConn: true }).params(1, list).stdin(1, 'hello').stdin(1, smuggled).endStdin(1)
      expect(receivedIn((await peer.response(1)).stdout)).toMatchObject({
        body: 'hello',
        headers: { 'content-length': '5' },
      })
      peer.get(1, { REQUEST_URI: '/next' }, { keepConn: true })
      await peer.until(() => received.length === 2)
      expect(received.map(({ url }) => url)).toEqual(['/', '/next'])
    })

    test('HTTP_CONTENT_LENGTH, which any client can send, is not used as the length', async () => {
      const { peer } = await start()
      peer.post(1, { CONTENT_LENGTH: '5', HTTP_CONTENT_LENGTH: '50' }).stdin(1, 'hello').endStdin(1)
      expect(receivedIn((await peer.response(1)).stdout)).toMatchObject({
        body: 'hello',
        headers: { 'content-length': '5' },
      })
    })
  })

  describe('a value from the app cannot inject anything into the response', () => {
    test.each<[string, RequestedResponse]>([
      ['CR LF in a value', { headers: [['X-A', 'a\r\nX-Injected: 1']] }],
      ['LF in a value', { headers: [['X-A', 'a\nX-Injected: 1']] }],
      ['CR in a value', { headers: [['X-A', 'a\rX-Injected: 1']] }],
      ['NUL in a value', { headers: [['X-A', 'a\0X-Injected: 1']] }],
      ['CR LF in a name', { headers: [['X-A\r\nX-Injected', '1']] }],
      ['a colon in a name', { headers: [['X-A: b\nX-Injected', '1']] }],
      ['CR LF in Location', { status: 302, headers: [['Location', '/a\r\nX-Injected: 1']] }],
      ['CR LF in Set-Cookie', { headers: [['Set-Cookie', 'a=b\r\nX-Injected: 1']] }],
      ['CR LF in Status', { headers: [['Status', '200 OK\r\nX-Injected: 1']] }],
    ])('%s: 500', async (_, requested) => {
      const { respond } = await start()
      const head = await respond(requested)
      expect(head).toMatch(/^Status: 500 /)
      expect(head).not.toMatch(/^X-Injected/im)
    })

    // The Express adapter omits the header, because node:http sends such a response. The fetch adapter responds with a 500.
    test.each(['5x', '5, 6', '-1'])(
      'the Content-Length %j does not reach the front server',
      async (length) => {
        const { respond } = await start()
        const head = await respond({ headers: [['Content-Length', length]] })
        expect(head).toMatch(/^Status: (200|500) /)
        expect(head.toLowerCase()).not.toContain(`content-length: ${length}`)
      },
    )

    test('CR LF in the reason: not in the head', async () => {
      const { respond } = await start()
      const head = await respond({ reason: 'Fine\r\nX-Injected: 1\r\n\r\n<script>' })
      expect(head).toMatch(/^Status: (200|500) /)
      expect(head).not.toMatch(/^X-Injected/im)
    })

    test('CR LF in a redirect: encoded', async () => {
      const { respond } = await start()
      const head = await respond({ redirect: '/a\r\nX-Injected: 1' })
      expect(head).toMatch(/^location: \S+\r\n/i)
      expect(head).not.toMatch(/^X-Injected/im)
    })

    test('a Status header of the app does not replace its status', async () => {
      const { respond } = await start()
      expect(await respond({ status: 403, headers: [['Status', '200 OK']] })).toMatch(
        /^Status: 403 Forbidden\r\n(?!Status)/,
      )
    })
  })

  async function start() {
    const { port, received } = await ADAPTERS[name]()
    const peer = await Peer.connect({ port, host: '127.0.0.1' })
    onTestFinished(() => peer.destroy())
    const stdout = async (list: ParamList): Promise<string> => {
      peer.begin(1).params(1, list).endStdin(1)
      return (await peer.response(1)).stdout
    }
    return {
      peer,
      received,
      ask: async (changes: ParamList) =>
        receivedIn(await stdout(Array.isArray(changes) ? changes : { ...GET, ...changes })),
      refuse: async (list: ParamList) => {
        expect(await stdout(list)).toMatch(/^Status: 400 Bad Request\r\n/)
        expect(received).toEqual([])
      },
      /** Lets the app send a response, and returns its head. */
      respond: async (requested: RequestedResponse) => {
        const target = `/respond?${encodeURIComponent(JSON.stringify(requested))}`
        const text = await stdout({ ...GET, REQUEST_URI: target })
        return text.slice(0, text.indexOf('\r\n\r\n') + 2)
      },
    }
  }
})

function receivedIn(stdout: string): ReceivedRequest {
  expect(stdout).toMatch(/^Status: 200 /)
  return JSON.parse(stdout.slice(stdout.indexOf('\r\n\r\n')))
}

function requestedIn(url: string): RequestedResponse {
  return JSON.parse(decodeURIComponent(url.slice(url.indexOf('?') + 1)))
}

async function startExpress(): Promise<{ port: number; received: ReceivedRequest[] }> {
  const received: ReceivedRequest[] = []
  const app = express()
  app.use('/respond', (req, res) => {
    const { status = 200, reason, headers = [], redirect } = requestedIn(req.url)
    if (redirect !== undefined) return res.redirect(redirect)
    res.status(status)
    if (reason !== undefined) res.statusMessage = reason
    for (const [name, value] of headers) res.setHeader(name, value)
    res.end()
  })
  app.use(async (req, res) => {
    const body: Buffer[] = []
    for await (const chunk of req) body.push(chunk)
    const { fcgi } = req as unknown as { fcgi: { params: Record<string, string> } }
    const found: ReceivedRequest = {
      method: req.method,
      url: req.originalUrl,
      headers: req.headers as Record<string, string>,
      client: req.ip!,
      secure: req.secure,
      user: fcgi.params.REMOTE_USER ?? null,
      params: Object.keys(fcgi.params),
      body: Buffer.concat(body).toString(),
    }
    received.push(found)
    res.json(found)
  })
  const server = await serveExpress(app, { port: 0, handleSignals: false, onError() {} })
  onTestFinished(() => server.close())
  return { port: (server.address() as { port: number }).port, received }
}

async function startFetch(): Promise<{ port: number; received: ReceivedRequest[] }> {
  const received: ReceivedRequest[] = []
  async function fetch(request: Request, context: FetchContext): Promise<Response> {
    const { pathname, search, host, username, password, protocol } = new URL(request.url)
    if (pathname === '/respond') {
      const { status = 200, reason, headers, redirect } = requestedIn(search)
      if (redirect !== undefined) return Response.redirect(new URL(redirect, request.url).href, 302)
      return new Response(null, {
        status,
        ...(reason !== undefined && { statusText: reason }),
        headers: headers ?? [],
      })
    }
    const found: ReceivedRequest = {
      method: request.method,
      url: pathname + search,
      authority: [username, password, host].filter((part) => part !== '').join('@'),
      headers: Object.fromEntries(request.headers),
      client: context.remoteAddress!,
      secure: protocol === 'https:',
      user: context.params.REMOTE_USER ?? null,
      params: Object.keys(context.params),
      body: await request.text(),
    }
    received.push(found)
    return Response.json(found)
  }
  const server = await serveFetch({ fetch, port: 0, handleSignals: false, onError() {} })
  onTestFinished(() => server.close())
  return { port: (server.address() as { port: number }).port, received }
}
