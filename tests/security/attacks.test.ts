// Attacks by a client, or through an app's own data, sent as raw bytes to both adapters.
import { serve as serveExpress } from '@fcgi-bridge/express-adapter'
import { type FetchContext, serve as serveFetch } from '@fcgi-bridge/fetch-adapter'
import { begin, GET, type ParamList, Peer, POST, params } from '@fcgi-bridge/testing'
import express from 'express'
import { describe, expect, onTestFinished, test } from 'vitest'

/** A request as the app receives it. */
interface Seen {
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

/** The response that the app is to send. */
interface Told {
  status?: number
  reason?: string
  headers?: [string, string][]
  redirect?: string
}

const ADAPTERS = { express: startExpress, fetch: startFetch }

describe.each(Object.keys(ADAPTERS) as (keyof typeof ADAPTERS)[])('%s', (name) => {
  describe('what a header claims is a header, and no param', () => {
    test('httpoxy: Proxy is no header', async () => {
      const { ask } = await start()
      const { headers } = await ask({ HTTP_PROXY: 'http://evil.test:8080' })
      expect(headers).not.toHaveProperty('proxy')
    })

    test('REMOTE_USER, REMOTE_ADDR, HTTPS and the like', async () => {
      const { ask } = await start()
      const seen = await ask({
        HTTP_REMOTE_USER: 'root',
        HTTP_REMOTE_ADDR: '203.0.113.9',
        HTTP_HTTPS: 'on',
        HTTP_REQUEST_SCHEME: 'https',
        HTTP_REQUEST_URI: '/admin',
        HTTP_SCRIPT_NAME: '/admin',
        HTTP_REQUEST_METHOD: 'DELETE',
        HTTP_AUTH_TYPE: 'Basic',
      })
      expect(seen).toMatchObject({ client: '192.0.2.7', secure: false, user: null, url: '/', method: 'GET' })
      expect(seen.headers).toMatchObject({ 'remote-user': 'root', https: 'on' })
    })

    test('X_Forwarded_For is X-Forwarded-For by then, and neither is believed', async () => {
      const { ask } = await start()
      const seen = await ask([
        ...Object.entries(GET),
        ['HTTP_X_FORWARDED_FOR', '198.51.100.1'],
        ['HTTP_X_FORWARDED_FOR', '203.0.113.9'],
        ['HTTP_X_FORWARDED_PROTO', 'https'],
        ['HTTP_X_FORWARDED_HOST', 'evil.test'],
      ])
      expect(seen.headers['x-forwarded-for']).toBe('198.51.100.1, 203.0.113.9')
      expect(seen).toMatchObject({ client: '192.0.2.7', secure: false })
      if (name === 'fetch') expect(seen.authority).toBe('front.test')
    })

    test('credentials that only an internal redirect can set', async () => {
      const forged = {
        HTTP_REDIRECT_HTTP_AUTHORIZATION: 'Basic forged',
        HTTP_REDIRECT_AUTHORIZATION: 'Basic forged',
      }
      const seen = await (await start()).ask(forged)
      expect(seen.headers).not.toHaveProperty('authorization')
      const { ask } = await start()
      const redirected = await ask({ ...forged, REDIRECT_HTTP_AUTHORIZATION: 'Basic own' })
      expect(redirected.headers.authorization).toBe('Basic own')
    })

    test('names of object members', async () => {
      const { ask } = await start()
      const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty']
      const seen = await ask([
        ...Object.entries(GET),
        ...names.flatMap((each): [string, string][] => [
          [each, 'polluted'],
          [`HTTP_${each}`, 'polluted'],
        ]),
      ])
      expect(seen.params).toEqual(expect.arrayContaining(names))
      expect(seen.method).toBe('GET')
      expect(({} as Record<string, unknown>).polluted).toBeUndefined()
      expect(Object.prototype.toString).toBeTypeOf('function')
    })
  })

  describe('bytes that would make another request of it are a 400, and the app is not called', () => {
    test.each([
      ['CR LF in a header', { HTTP_X_A: 'a\r\nX-Injected: 1' }],
      ['LF in a header', { HTTP_X_A: 'a\nb' }],
      ['CR in a header', { HTTP_X_A: 'a\rb' }],
      ['NUL in a header', { HTTP_X_A: 'a\0b' }],
      ['LF in the name of a header', { 'HTTP_X\nINJECTED': 'a' }],
      ['NUL in the name of a header', { 'HTTP_X\0': 'a' }],
      ['a colon in the name of a header', { 'HTTP_X:Y': 'a' }],
      ['a blank in the name of a header', { 'HTTP_X Y': 'a' }],
      ['LF in the method', { REQUEST_METHOD: 'GET\nX' }],
      ['a blank in the method', { REQUEST_METHOD: 'GET /' }],
      ['CR LF in the target', { REQUEST_URI: '/\r\nX-Injected: 1' }],
      ['NUL in the target', { REQUEST_URI: '/\0' }],
      ['CR LF in the content type', { CONTENT_TYPE: 'text/plain\r\nX-Injected: 1' }],
      ['CR LF in the host', { HTTP_HOST: 'front.test\r\nX-Injected: 1' }],
    ])('%s', async (_, changes) => {
      const { refuse } = await start()
      await refuse({ ...GET, ...changes })
    })
  })

  describe('a Host that would move a part of the URL is a 400', () => {
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

  test('a Host with a comma, which a name in a URL may have, is the whole of the authority', async () => {
    const { ask } = await start()
    const host = 'front.test,evil.test'
    const seen = await ask({ HTTP_HOST: host, REQUEST_URI: '/a?b' })
    expect(seen.url).toBe('/a?b')
    if (name === 'fetch') expect(seen.authority).toBe(host)
  })

  describe('a body is what CONTENT_LENGTH says, and never the next request', () => {
    const smuggled = Buffer.concat([begin(2), params(2, { ...GET, REQUEST_URI: '/smuggled' })])

    test('more on STDIN: what is over is dropped, and the next request is its own', async () => {
      const { peer, seen } = await start()
      peer.post(1, { CONTENT_LENGTH: '5' }, { keepConn: true })
      peer.stdin(1, Buffer.concat([Buffer.from('hello'), smuggled])).endStdin(1)
      expect(seenIn((await peer.response(1)).stdout)).toMatchObject({ body: 'hello' })
      peer.get(1, { REQUEST_URI: '/next' }, { keepConn: true })
      await peer.until(() => seen.length === 2)
      expect(seen.map(({ url }) => url)).toEqual(['/', '/next'])
    })

    test('less on STDIN: an error, and no whole body', async () => {
      const { peer, seen } = await start()
      peer.post(1, { CONTENT_LENGTH: '50' }).stdin(1, 'hello').endStdin(1)
      expect((await peer.response(1)).stdout).toMatch(/^Status: [45]00 /)
      expect(seen).toEqual([])
    })

    test('chunked beside CONTENT_LENGTH: the length counts, and nothing is decoded', async () => {
      const { peer } = await start()
      const body = '5\r\nhello\r\n0\r\n\r\n'
      peer.post(1, { CONTENT_LENGTH: String(body.length), HTTP_TRANSFER_ENCODING: 'chunked' })
      peer.stdin(1, body).endStdin(1)
      const { body: read, headers } = seenIn((await peer.response(1)).stdout)
      expect(read).toBe(body)
      expect(headers).not.toHaveProperty('transfer-encoding')
    })

    test.each(['+5', '5, 5', '5,6', '0x5', '5 5', '-5', '5e0', '5.0', ' ', '٥', '99999999999999999999'])(
      'CONTENT_LENGTH %j is a 400',
      async (length) => {
        const { refuse } = await start()
        await refuse({ ...POST, CONTENT_LENGTH: length })
      },
    )

    test('of two lengths, which only a configuration can send, the last one counts', async () => {
      const { peer, seen } = await start()
      const list: ParamList = [...Object.entries(POST), ['CONTENT_LENGTH', '50'], ['CONTENT_LENGTH', '5']]
      peer.begin(1, { keepConn: true }).params(1, list).stdin(1, 'hello').stdin(1, smuggled).endStdin(1)
      expect(seenIn((await peer.response(1)).stdout)).toMatchObject({
        body: 'hello',
        headers: { 'content-length': '5' },
      })
      peer.get(1, { REQUEST_URI: '/next' }, { keepConn: true })
      await peer.until(() => seen.length === 2)
      expect(seen.map(({ url }) => url)).toEqual(['/', '/next'])
    })

    test('a Content-Length or Content_Length header of the client is no length', async () => {
      const { peer } = await start()
      peer.post(1, { CONTENT_LENGTH: '5', HTTP_CONTENT_LENGTH: '50' }).stdin(1, 'hello').endStdin(1)
      expect(seenIn((await peer.response(1)).stdout)).toMatchObject({
        body: 'hello',
        headers: { 'content-length': '5' },
      })
    })
  })

  describe('what an app puts into its answer stays in its place', () => {
    test.each<[string, Told]>([
      ['CR LF in a value', { headers: [['X-A', 'a\r\nX-Injected: 1']] }],
      ['LF in a value', { headers: [['X-A', 'a\nX-Injected: 1']] }],
      ['CR in a value', { headers: [['X-A', 'a\rX-Injected: 1']] }],
      ['NUL in a value', { headers: [['X-A', 'a\0X-Injected: 1']] }],
      ['CR LF in a name', { headers: [['X-A\r\nX-Injected', '1']] }],
      ['a colon in a name', { headers: [['X-A: b\nX-Injected', '1']] }],
      ['CR LF in Location', { status: 302, headers: [['Location', '/a\r\nX-Injected: 1']] }],
      ['CR LF in Set-Cookie', { headers: [['Set-Cookie', 'a=b\r\nX-Injected: 1']] }],
      ['CR LF in Status', { headers: [['Status', '200 OK\r\nX-Injected: 1']] }],
    ])('%s: 500', async (_, told) => {
      const { answer } = await start()
      const head = await answer(told)
      expect(head).toMatch(/^Status: 500 /)
      expect(head).not.toMatch(/^X-Injected/im)
    })

    // The Express adapter leaves it out, because node:http sends the response; the fetch adapter responds with a 500.
    test.each(['5x', '5, 6', '-1'])(
      'the Content-Length %j does not reach the front server',
      async (length) => {
        const { answer } = await start()
        const head = await answer({ headers: [['Content-Length', length]] })
        expect(head).toMatch(/^Status: (200|500) /)
        expect(head.toLowerCase()).not.toContain(`content-length: ${length}`)
      },
    )

    test('CR LF in the reason: not in the head', async () => {
      const { answer } = await start()
      const head = await answer({ reason: 'Fine\r\nX-Injected: 1\r\n\r\n<script>' })
      expect(head).toMatch(/^Status: (200|500) /)
      expect(head).not.toMatch(/^X-Injected/im)
    })

    test('CR LF in a redirect: encoded', async () => {
      const { answer } = await start()
      const head = await answer({ redirect: '/a\r\nX-Injected: 1' })
      expect(head).toMatch(/^location: \S+\r\n/i)
      expect(head).not.toMatch(/^X-Injected/im)
    })

    test('a Status header of the app does not take the place of its status', async () => {
      const { answer } = await start()
      expect(await answer({ status: 403, headers: [['Status', '200 OK']] })).toMatch(
        /^Status: 403 Forbidden\r\n(?!Status)/,
      )
    })
  })

  async function start() {
    const { port, seen } = await ADAPTERS[name]()
    const peer = await Peer.connect({ port, host: '127.0.0.1' })
    onTestFinished(() => peer.destroy())
    const stdout = async (list: ParamList): Promise<string> => {
      peer.begin(1).params(1, list).endStdin(1)
      return (await peer.response(1)).stdout
    }
    return {
      peer,
      seen,
      ask: async (changes: ParamList) =>
        seenIn(await stdout(Array.isArray(changes) ? changes : { ...GET, ...changes })),
      refuse: async (list: ParamList) => {
        expect(await stdout(list)).toMatch(/^Status: 400 Bad Request\r\n/)
        expect(seen).toEqual([])
      },
      /** Returns the head of the response that the app is to send. */
      answer: async (told: Told) => {
        const target = `/tell?${encodeURIComponent(JSON.stringify(told))}`
        const text = await stdout({ ...GET, REQUEST_URI: target })
        return text.slice(0, text.indexOf('\r\n\r\n') + 2)
      },
    }
  }
})

function seenIn(stdout: string): Seen {
  expect(stdout).toMatch(/^Status: 200 /)
  return JSON.parse(stdout.slice(stdout.indexOf('\r\n\r\n')))
}

function toldIn(url: string): Told {
  return JSON.parse(decodeURIComponent(url.slice(url.indexOf('?') + 1)))
}

async function startExpress(): Promise<{ port: number; seen: Seen[] }> {
  const seen: Seen[] = []
  const app = express()
  app.use('/tell', (req, res) => {
    const { status = 200, reason, headers = [], redirect } = toldIn(req.url)
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
    const found: Seen = {
      method: req.method,
      url: req.originalUrl,
      headers: req.headers as Record<string, string>,
      client: req.ip!,
      secure: req.secure,
      user: fcgi.params.REMOTE_USER ?? null,
      params: Object.keys(fcgi.params),
      body: Buffer.concat(body).toString(),
    }
    seen.push(found)
    res.json(found)
  })
  const server = await serveExpress(app, { port: 0, handleSignals: false, onError() {} })
  onTestFinished(() => server.close())
  return { port: (server.address() as { port: number }).port, seen }
}

async function startFetch(): Promise<{ port: number; seen: Seen[] }> {
  const seen: Seen[] = []
  async function fetch(request: Request, context: FetchContext): Promise<Response> {
    const { pathname, search, host, username, password, protocol } = new URL(request.url)
    if (pathname === '/tell') {
      const { status = 200, reason, headers, redirect } = toldIn(search)
      if (redirect !== undefined) return Response.redirect(new URL(redirect, request.url).href, 302)
      return new Response(null, {
        status,
        ...(reason !== undefined && { statusText: reason }),
        headers: headers ?? [],
      })
    }
    const found: Seen = {
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
    seen.push(found)
    return Response.json(found)
  }
  const server = await serveFetch({ fetch, port: 0, handleSignals: false, onError() {} })
  onTestFinished(() => server.close())
  return { port: (server.address() as { port: number }).port, seen }
}
