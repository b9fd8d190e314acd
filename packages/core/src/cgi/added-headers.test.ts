import { pairs } from '@fcgi-bridge/testing'
import { describe, expect, it } from 'vitest'
import { Params } from './params.ts'
import { RequestHead } from './request-head.ts'

type Given = Record<string, string>

const SERVERS = {
  nginx: { SERVER_SOFTWARE: 'nginx/1.22.1' },
  lighttpd: { SERVER_SOFTWARE: 'lighttpd/1.4.69' },
  Caddy: { SERVER_SOFTWARE: 'Caddy/2.6.2' },
  H2O: { SERVER_SOFTWARE: 'h2o/2.2.5' },
  HAProxy: { SERVER_SOFTWARE: 'HAProxy 2.6.12-1+deb12u4' },
  mod_proxy_fcgi: {
    SERVER_SOFTWARE: 'Apache/2.4.71 (Debian)',
    SCRIPT_FILENAME: 'proxy:fcgi://127.0.0.1:9000/x',
  },
  mod_fcgid: { SERVER_SOFTWARE: 'Apache/2.4.71 (Debian)', SCRIPT_FILENAME: '/srv/app.fcgi' },
  gateway: { SERVER_SOFTWARE: 'fcgi-bridge' },
  unknown: {},
} satisfies Record<string, Given>

type Server = keyof typeof SERVERS

function headOf(server: Server, given: Given): RequestHead {
  const all = { REQUEST_METHOD: 'GET', REQUEST_URI: '/', ...SERVERS[server], ...given }
  return new RequestHead(new Params(pairs(Object.entries(all))))
}

function headersOf(server: Server, given: Given): Record<string, string> {
  const { headers } = headOf(server, given)
  return Object.fromEntries(headers.flatMap((name, i) => (i % 2 === 0 ? [[name, headers[i + 1]!]] : [])))
}

describe('a CONTENT_LENGTH of 0', () => {
  const methods = ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'PROPFIND', 'get', 'POST', 'PUT', 'PATCH']
  const withBody = ['POST', 'PUT', 'PATCH']

  it.each<[Server, string[]]>([
    // They repeat the client's own header as HTTP_CONTENT_LENGTH.
    ['lighttpd', []],
    ['Caddy', []],
    // The method decides.
    ['HAProxy', withBody],
    ['mod_fcgid', withBody],
    ['unknown', withBody],
    ['nginx', withBody],
    // They send it only if the client did.
    ['H2O', methods],
    ['gateway', methods],
    ['mod_proxy_fcgi', methods],
  ])('from %s is a header for the methods %j', (server, kept) => {
    const given = (REQUEST_METHOD: string): Given => ({ REQUEST_METHOD, CONTENT_LENGTH: '0' })
    expect(methods.filter((method) => 'content-length' in headersOf(server, given(method)))).toEqual(kept)
    for (const method of methods) expect(headOf(server, given(method)).contentLength).toBe(0)
  })

  it.each(Object.keys(SERVERS) as Server[])(
    'from %s is a header for every method if the client sent one',
    (server) => {
      for (const REQUEST_METHOD of methods) {
        const headers = headersOf(server, { REQUEST_METHOD, CONTENT_LENGTH: '0', HTTP_CONTENT_LENGTH: '0' })
        expect(headers).toEqual({ 'content-length': '0' })
      }
    },
  )

  it('from nginx is a header for an empty chunked body that nginx has buffered', () => {
    expect(headersOf('nginx', { CONTENT_LENGTH: '0', HTTP_TRANSFER_ENCODING: 'chunked' })).toEqual({
      'content-length': '0',
    })
  })

  it('does not hide a content-type', () => {
    expect(headersOf('HAProxy', { CONTENT_LENGTH: '0', CONTENT_TYPE: 'application/json' })).toEqual({
      'content-type': 'application/json',
    })
  })
})

describe('the CONTENT_TYPE of a form', () => {
  const FORM = 'application/x-www-form-urlencoded'
  const given = { REQUEST_METHOD: 'PUT', CONTENT_TYPE: FORM, CONTENT_LENGTH: '5' }

  it('from Caddy is omitted if the client sent no type, or an empty one', () => {
    expect(headersOf('Caddy', given)).toEqual({ 'content-length': '5' })
    expect(headersOf('Caddy', { ...given, HTTP_CONTENT_TYPE: '' })).toEqual({ 'content-length': '5' })
  })

  it('from Caddy is a header if the client sent it', () => {
    const headers = { 'content-type': FORM, 'content-length': '5' }
    expect(headersOf('Caddy', { ...given, HTTP_CONTENT_TYPE: FORM })).toEqual(headers)
  })

  it.each((Object.keys(SERVERS) as Server[]).filter((name) => name !== 'Caddy'))(
    'from %s is a header',
    (server) => {
      expect(headersOf(server, given)).toEqual({ 'content-type': FORM, 'content-length': '5' })
    },
  )
})

describe('an empty HTTP_USER_AGENT', () => {
  it('is omitted from Caddy, and kept from other servers', () => {
    expect(headersOf('Caddy', { HTTP_USER_AGENT: '' })).toEqual({})
    expect(headersOf('Caddy', { HTTP_USER_AGENT: 'curl/8' })).toEqual({ 'user-agent': 'curl/8' })
    expect(headersOf('nginx', { HTTP_USER_AGENT: '' })).toEqual({ 'user-agent': '' })
  })
})
