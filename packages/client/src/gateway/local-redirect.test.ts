import type { ResponderRequest } from '@fcgi-bridge/testing'
import { describe, expect, test } from 'vitest'
import { open, raw } from '../testing/gateway.ts'

/** Sends a local redirect for `/redirect?to`. For other paths it responds with what it received. */
async function redirector(r: ResponderRequest): Promise<void> {
  const body = String(await r.body())
  const { REQUEST_METHOD, PATH_INFO, QUERY_STRING, CONTENT_LENGTH, CONTENT_TYPE, HTTP_COOKIE } = r.params
  const { REQUEST_URI, REDIRECT_STATUS, REDIRECT_URL, REDIRECT_QUERY_STRING } = r.params
  if (PATH_INFO!.startsWith('/redirect'))
    return r.respond(`Location: ${decodeURIComponent(QUERY_STRING!)}\n\n`)
  const seen = { REQUEST_METHOD, PATH_INFO, QUERY_STRING, CONTENT_LENGTH, CONTENT_TYPE, HTTP_COOKIE, body }
  const before = { REQUEST_URI, REDIRECT_STATUS, REDIRECT_URL, REDIRECT_QUERY_STRING }
  r.respond(`Content-Type: application/json\n\n${JSON.stringify({ ...seen, ...before })}`)
}

describe('a local redirect (RFC 3875 section 6.2.2)', () => {
  test('requests the other path, with the variables that Apache sets for the first', async () => {
    const { url } = await open(redirector)
    const response = await fetch(`${url}/redirect%20a?/other%2520b%3fx=1`, { headers: { cookie: 'a=1' } })
    expect(response.redirected).toBe(false)
    expect(await response.json()).toEqual({
      REQUEST_METHOD: 'GET',
      PATH_INFO: '/other b',
      QUERY_STRING: 'x=1',
      HTTP_COOKIE: 'a=1',
      body: '',
      REQUEST_URI: '/redirect%20a?/other%2520b%3fx=1',
      REDIRECT_STATUS: '200',
      REDIRECT_URL: '/redirect a',
      REDIRECT_QUERY_STRING: '/other%2520b%3fx=1',
    })
  })

  test('a POST becomes a GET without a body, and the connection is reused', async () => {
    const { port } = await open(redirector)
    const post =
      'POST /redirect?/a HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello'
    const response = await raw(port, `${post}GET /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`)
    const [first, second] = response.match(/\{.*?\}/g)!.map((text) => JSON.parse(text))
    expect(first).toMatchObject({ REQUEST_METHOD: 'GET', PATH_INFO: '/a', body: '' })
    expect(first).not.toHaveProperty('CONTENT_LENGTH')
    expect(first).not.toHaveProperty('CONTENT_TYPE')
    expect(second).toMatchObject({ PATH_INFO: '/b' })
  })

  test('the application responds before it has the body', async () => {
    const { port } = await open((r) =>
      r.params.PATH_INFO === '/a' ? r.respond('\r\nthere') : r.respond('Location: /a\r\n\r\n'),
    )
    const post = `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\nConnection: close\r\n\r\n${'x'.repeat(3_000_000)}`
    expect(await raw(port, post)).toMatch(/^HTTP\/1\.1 200 OK\r\n.*there/s)
  })

  test('HEAD stays HEAD', async () => {
    const methods: string[] = []
    const { url } = await open((r) => {
      methods.push(r.params.REQUEST_METHOD!)
      void redirector(r)
    })
    expect((await fetch(`${url}/redirect?/a`, { method: 'HEAD' })).status).toBe(200)
    expect(methods).toEqual(['HEAD', 'HEAD'])
  })

  test('is followed up to ten times, then it is a 500', async () => {
    let asked = 0
    const { url, errors } = await open((r) => {
      asked++
      r.respond('Location: /again\n\n')
    })
    const response = await fetch(url)
    expect(response.status).toBe(500)
    expect(await response.text()).toContain('redirected 10 times within the site, at last to /again')
    expect(asked).toBe(11)
    expect(errors).toHaveLength(1)
  })

  test.each(['/../../etc/passwd', '/%00', '/%zz'])('to %s it is a 502', async (location) => {
    const { url } = await open((r) => r.respond(`Location: ${location}\n\n`))
    expect((await fetch(url)).status).toBe(502)
  })

  test('is passed to the client if it has a status or another header', async () => {
    const { url } = await open((r) =>
      r.respond(
        r.params.PATH_INFO === '/status'
          ? 'Status: 302\nLocation: /a\n\n'
          : 'Set-Cookie: a=1\nLocation: /a\n\n',
      ),
    )
    for (const path of ['/status', '/cookie']) {
      const response = await fetch(url + path, { redirect: 'manual' })
      expect(response.status).toBe(302)
      expect(response.headers.get('location')).toBe('/a')
    }
  })

  test('is passed to the client with localRedirects: false', async () => {
    const { url } = await open(redirector, { localRedirects: false })
    const response = await fetch(`${url}/redirect?/a`, { redirect: 'manual' })
    expect(response.status).toBe(302)
    expect(response.headers.get('location')).toBe('/a')
  })
})
