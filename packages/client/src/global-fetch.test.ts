// Node's own fetch contains another version of undici than the one that this package depends on: 6 in Node 20 and 22, 7
// in Node 24, 8 in Node 26. `npm run test:nodes` runs these tests on each of them.
import { once } from 'node:events'
import { gzipSync } from 'node:zlib'
import type { ResponderRequest } from '@fcgi-bridge/testing'
import { describe, expect, test } from 'vitest'
import { hash, pieces } from './testing/bytes.ts'
import { deferred, respondWith, setup } from './testing/setup.ts'

const URL_ = 'http://example.test/'
const SIZE = 16 * 1024 * 1024

/** The init of fetch, with options that Node's types do not have. */
function init(options: object): RequestInit {
  return options as RequestInit
}

describe(`the fetch of Node ${process.versions.node}, with undici ${process.versions.undici}`, () => {
  test('status, headers, several cookies, bytes', async () => {
    const { dispatcher } = await setup(
      respondWith('Status: 203 Fine\r\nX-A: caf\xe9\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nhello'),
    )
    const response = await fetch(URL_, init({ dispatcher }))
    expect(response).toMatchObject({ status: 203, statusText: 'Fine', url: URL_ })
    expect(response.headers.get('x-a')).toBe('caf\xe9')
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect(await response.text()).toBe('hello')
  })

  test('its own headers reach the application', async () => {
    const { dispatcher } = await setup((r) => r.respond(Buffer.from(`\r\n${JSON.stringify(r.params)}`)))
    const headers = { 'x-name': 'caf\xe9' }
    const response = await fetch(`${URL_}a%20b/?q=1`, init({ dispatcher, headers }))
    expect(await response.json()).toMatchObject({
      REQUEST_METHOD: 'GET',
      REQUEST_URI: '/a%20b/?q=1',
      HTTP_HOST: 'example.test',
      HTTP_X_NAME: 'caf\xe9',
      HTTP_USER_AGENT: 'node',
      HTTP_ACCEPT: '*/*',
    })
  })

  test('every kind of body', async () => {
    const { dispatcher } = await setup(async (r) => {
      r.respond(Buffer.from(`\r\n${r.params.CONTENT_LENGTH} ${r.params.CONTENT_TYPE} ${await r.body()}`))
    })
    const post = async (body: unknown): Promise<string> =>
      (await fetch(URL_, init({ dispatcher, method: 'POST', body, duplex: 'half' }))).text()
    expect(await post('café')).toBe('5 text/plain;charset=UTF-8 café')
    expect(await post(new URLSearchParams({ a: 'b' }))).toMatch(
      /^3 application\/x-www-form-urlencoded;.* a=b$/,
    )
    expect(await post(new Blob(['hello'], { type: 'text/css' }))).toBe('5 text/css hello')
    expect(await post(Buffer.from('hello'))).toBe('5 undefined hello')
    expect(await post(ReadableStream.from([Buffer.from('hello')]))).toBe('undefined undefined hello')
    const form = new FormData()
    form.append('name', 'value')
    expect(await post(form)).toMatch(
      /^\d+ multipart\/form-data; boundary=(\S+) --\1\r\n.*\r\n\r\nvalue\r\n--\1--/s,
    )
  })

  test('follows redirects and decodes encoded bodies', async () => {
    const { dispatcher } = await setup((r) => {
      if (r.params.PATH_INFO === '/') return r.respond('Status: 302\r\nLocation: /two\r\n\r\n')
      r.respond(Buffer.concat([Buffer.from('Content-Encoding: gzip\r\n\r\n'), gzipSync('hello')]))
    })
    const response = await fetch(URL_, init({ dispatcher }))
    expect(response).toMatchObject({ status: 200, redirected: true, url: `${URL_}two` })
    expect(await response.text()).toBe('hello')
  })

  test.each([
    ['HEAD', 200],
    ['GET', 204],
    ['GET', 304],
  ])('%s with %d has no body', async (method, status) => {
    const { dispatcher } = await setup(respondWith(`Status: ${status}\r\nContent-Length: 5\r\n\r\nstray`))
    const response = await fetch(URL_, init({ dispatcher, method }))
    expect([response.status, await response.text()]).toEqual([status, ''])
  })

  test('streams up and down unchanged, and a slow reader slows the application down', async () => {
    let sent = 0
    const { dispatcher } = await setup(
      async (r) => {
        await r.stdinEnded
        r.stdout(`X-Hash: ${await hash(r.stdinChunks)}\r\n\r\n`)
        for (const piece of pieces(SIZE)) {
          sent += piece.length
          if (!r.stdout(piece)) await once(r.socket, 'drain')
        }
        r.end()
      },
      { kind: 'unix' },
    )
    const body = ReadableStream.from(pieces(SIZE))
    const response = await fetch(URL_, init({ dispatcher, method: 'POST', body, duplex: 'half' }))
    const expected = await hash(pieces(SIZE))
    expect(response.headers.get('x-hash')).toBe(expected)
    let most = 0
    let received = 0
    const slowly = async function* () {
      for await (const chunk of response.body!) {
        for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve))
        received += chunk.length
        most = Math.max(most, sent - received)
        yield chunk
      }
    }
    expect(await hash(slowly())).toBe(expected)
    expect(most).toBeLessThan(4 * 1024 * 1024)
  })

  test('an abort before the head or during the body sends FCGI_ABORT_REQUEST', async () => {
    const apps = [deferred<ResponderRequest>(), deferred<ResponderRequest>()]
    let requests = 0
    const { dispatcher } = await setup((r) => apps[requests++]!.resolve(r))
    const controller = new AbortController()
    const first = fetch(URL_, init({ dispatcher, signal: controller.signal }))
    const waiting = await apps[0]!.promise
    controller.abort()
    await expect(first).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }))
    await waiting.aborted
    const second = fetch(URL_, init({ dispatcher }))
    const reading = await apps[1]!.promise
    reading.stdout('\r\nhello')
    await (await second).body!.cancel()
    await reading.aborted
  })

  test('errors are the cause of the TypeError', async () => {
    const { dispatcher } = await setup((r) => r.end(0, 2))
    await expect(fetch(URL_, init({ dispatcher }))).rejects.toMatchObject({
      name: 'TypeError',
      cause: { name: 'FastCgiError', code: 'FCGI_ERR_OVERLOADED' },
    })
  })
})
