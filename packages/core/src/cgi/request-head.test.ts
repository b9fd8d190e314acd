import { pairs } from '@fcgi-bridge/testing'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { checkRequest } from './check-request.ts'
import { RequestError } from './error.ts'
import { Params } from './params.ts'
import { RequestHead } from './request-head.ts'

type Given = Record<string, string> | [string, string][]

function head(given: Given): RequestHead {
  return new RequestHead(new Params(pairs(Array.isArray(given) ? given : Object.entries(given))))
}

const GOOD = {
  REQUEST_METHOD: 'GET',
  REQUEST_URI: '/',
  HTTP_HOST: 'front.test',
}

function refusal(given: Given): [status: number, code: string] | undefined {
  try {
    checkRequest(head(given))
  } catch (error) {
    expect(error).toBeInstanceOf(RequestError)
    return [(error as RequestError).status, (error as RequestError).code]
  }
  return undefined
}

describe('target', () => {
  it.each([
    ['/sub/page?x=1&y=a%2Fb+c', 'a path and a query'],
    ['/a%2fb%2Fc%20d/%e2%82%ac', 'percent-encoding of any case'],
    ['//evil/a', 'two slashes at the beginning, which are not an authority'],
    ['/a/../b/./c//d', 'dot segments'],
    ['/?', 'an empty query'],
    ['/a?x=[1]|{2}"<>', 'invalid characters that are not ambiguous'],
    ['/\u00c3\u00a9', 'raw UTF-8 bytes, as latin1'],
    ['/http://other/x', 'a URL in the path'],
    ['/a#b?c', 'a number sign'],
    ['*', 'the server as a whole'],
  ])('is REQUEST_URI, unchanged: %s (%s)', (uri) => {
    expect(head({ ...GOOD, REQUEST_URI: uri, SCRIPT_NAME: '/no', PATH_INFO: '/no' }).target).toBe(uri)
  })

  it.each([
    ['http://abs.test:81/d?x=1', '/d?x=1', 'abs.test:81'],
    ['HTTPS://abs.test', '/', 'abs.test'],
    ['http://abs.test?x', '/?x', 'abs.test'],
    ['http://user:pass@abs.test/p', '/p', 'abs.test'],
    ['http://a@b@abs.test//p', '//p', 'abs.test'],
  ])('of the absolute-form %s is %s, at %s (Apache, h2o)', (uri, target, authority) => {
    const got = head({ ...GOOD, REQUEST_URI: uri })
    expect(got.target).toBe(target)
    expect(got.authority).toBe(authority)
    expect(got.scheme).toBe('http')
    expect(got.headers).toContain(authority)
    expect(got.headers).not.toContain('front.test')
  })

  it('is / for an empty REQUEST_URI (h2o)', () => {
    expect(head({ ...GOOD, REQUEST_URI: '' }).target).toBe('/')
  })

  it.each([
    [{ SCRIPT_NAME: '/app', PATH_INFO: '/sub/page', QUERY_STRING: 'x=1' }, '/app/sub/page?x=1'],
    [{ SCRIPT_NAME: '/app' }, '/app'],
    [{ SCRIPT_NAME: '', PATH_INFO: '/a', QUERY_STRING: '' }, '/a'],
    [{}, '/'],
    [{ PATH_INFO: 'a' }, '/a'],
    [{ SCRIPT_NAME: '/', PATH_INFO: '/x' }, '/x'],
    [{ SCRIPT_NAME: '/', PATH_INFO: '' }, '/'],
    [{ SCRIPT_NAME: '/app/', PATH_INFO: '/x', QUERY_STRING: 'y' }, '/app/x?y'],
    [{ SCRIPT_NAME: '/app', PATH_INFO: '//x' }, '/app//x'],
    [{ PATH_INFO: '/a b?c#d%41/\u00c3\u00a9\r\n"' }, '/a%20b%3Fc%23d%2541/%C3%A9%0D%0A%22'],
    [{ PATH_INFO: "/-._~!$&'()*+,;=:@" }, "/-._~!$&'()*+,;=:@"],
  ])('is built from the decoded params if REQUEST_URI is absent: %j', (given, target) => {
    const got = head({ REQUEST_METHOD: 'GET', ...given } as Given)
    expect(got.target).toBe(target)
    expect(new URL(got.url).href).toBe(got.url)
  })

  it.each(['file:///etc/passwd', 'ftp://h/p', 'a', 'front.test:443', '?x', ' /', '\\\\h\\p'])(
    'must be a valid target: %s causes a 400',
    (uri) => {
      expect(refusal({ ...GOOD, REQUEST_URI: uri })).toEqual([400, 'FCGI_ERR_TARGET'])
    },
  )
})

describe('scheme', () => {
  it.each<[Given, string]>([
    [{}, 'http'],
    [{ HTTPS: 'on' }, 'https'],
    [{ HTTPS: 'ON' }, 'https'],
    [{ HTTPS: '1' }, 'https'],
    [{ HTTPS: 'off' }, 'http'],
    [{ HTTPS: '' }, 'http'],
    [{ REQUEST_SCHEME: 'https' }, 'https'],
    [{ HTTPS: 'on', REQUEST_SCHEME: 'http' }, 'https'],
    [{ REQUEST_SCHEME: 'ws' }, 'http'],
    [{ HTTP_X_FORWARDED_PROTO: 'https' }, 'http'],
  ])('of %j is %s', (given, scheme) => {
    expect(head(given).scheme).toBe(scheme)
  })
})

describe('authority', () => {
  it.each<[Given, string]>([
    [{ HTTP_HOST: 'Front.Test:8080', SERVER_NAME: 'no' }, 'Front.Test:8080'],
    [{ HTTP_HOST: '[::1]:8080' }, '[::1]:8080'],
    [{ HTTP_HOST: '127.0.0.1:65535' }, '127.0.0.1:65535'],
    [{ HTTP_HOST: 'xn--bcher-kva.example' }, 'xn--bcher-kva.example'],
    [{ HTTP_HOST: 'under_score.example.' }, 'under_score.example.'],
    [{ HTTP_HOST: 'a--b.test' }, 'a--b.test'],
    // HTTP/1.0 without Host: HTTP_HOST is absent (nginx, Apache, lighttpd, HAProxy) or empty (Caddy).
    [{ SERVER_NAME: 'front.test', SERVER_PORT: '8080' }, 'front.test:8080'],
    [{ HTTP_HOST: '', SERVER_NAME: 'front.test', SERVER_PORT: '80' }, 'front.test'],
    [{ SERVER_NAME: 'front.test', SERVER_PORT: '443', HTTPS: 'on' }, 'front.test'],
    [{ SERVER_NAME: 'front.test', SERVER_PORT: '80', HTTPS: 'on' }, 'front.test:80'],
    [{ SERVER_NAME: 'front.test:23071', SERVER_PORT: '23071' }, 'front.test:23071'],
    [{ SERVER_NAME: 'front.test:23071', SERVER_PORT: '80' }, 'front.test'],
    [{ SERVER_NAME: 'front.test:23071' }, 'front.test:23071'],
    [{ SERVER_NAME: '::1', SERVER_PORT: '8080' }, '[::1]:8080'],
    [{ SERVER_NAME: '[::1]', SERVER_PORT: '80' }, '[::1]'],
    [{ SERVER_NAME: '[::1]:81', SERVER_PORT: '81' }, '[::1]:81'],
    // nginx without a server_name, and with a pattern as server_name.
    [{ SERVER_NAME: '', SERVER_ADDR: '127.0.0.1', SERVER_PORT: '81' }, '127.0.0.1:81'],
    [{ SERVER_NAME: '~^(.+)\\.example$', SERVER_ADDR: '::1', SERVER_PORT: '80' }, '[::1]'],
    [{ SERVER_PORT: '8080' }, 'localhost:8080'],
    [{ SERVER_PORT: 'x' }, 'localhost'],
    [{}, 'localhost'],
  ])('of %j is %s', (given, authority) => {
    const got = head(given)
    expect(got.authority).toBe(authority)
    expect(URL.canParse(got.url)).toBe(true)
  })

  it.each([
    'a b/../c',
    'h/p',
    'h?q',
    'h#f',
    'u@h',
    'u:p@h',
    'h:x',
    'h:99999',
    'h:123456',
    'h:-1',
    ':80',
    ':',
    '[::1',
    '::1',
    '[::1]x',
    '[gg::]',
    'h[1]',
    'h%41',
    'h\\p',
    'h h',
    'h\t',
    'b\u00fccher',
    'a,b c',
    '<script>',
    '256.256.256.256',
    'a.1',
    '1.2.3.4.5',
    'a..b:1:2',
    // Forms of IPv4 addresses that a URL parser rewrites to 127.0.0.1, 0.0.0.0, 1.2.0.3 and so on.
    '127.1',
    '0x7f.1:8080',
    '2130706433',
    '017700000001',
    '0',
    '1.2.3',
    '1.2.3.4.',
    'a.0x1',
  ])('must be valid: a Host of %j causes a 400', (host) => {
    expect(refusal({ ...GOOD, HTTP_HOST: host })).toEqual([400, 'FCGI_ERR_AUTHORITY'])
  })

  it.each(['http://', 'http:///p', 'http://h h/p', 'http://user@/p', 'http://h:x/p', 'http://[/p'])(
    'must be valid in a target, too: %s causes a 400',
    (uri) => {
      expect(refusal({ ...GOOD, REQUEST_URI: uri })).toEqual([400, 'FCGI_ERR_AUTHORITY'])
    },
  )

  it('is the last of several HTTP_HOST, because nginx configurations override params this way', () => {
    const twice = (second: string): Given => [...Object.entries(GOOD), ['HTTP_HOST', second]]
    for (const last of ['other.test:8080', 'front.test']) {
      expect(refusal(twice(last))).toBeUndefined()
      expect(head(twice(last)).authority).toBe(last)
      expect(head(twice(last)).headers).toEqual(['host', last])
      expect(head(twice(last)).params.toRecord().HTTP_HOST).toBe(last)
      expect(head(twice(last)).params.get('HTTP_HOST')).toBe(last)
    }
    expect(refusal([['HTTP_HOST', 'a b'], ...Object.entries(GOOD)])).toBeUndefined()
    expect(refusal(twice('a b'))).toEqual([400, 'FCGI_ERR_AUTHORITY'])
    expect(head(twice('')).headers).toEqual([])
  })

  describe('of more than 255 bytes is refused without calling the URL parser', () => {
    const label = 'a'.repeat(63)
    const longest = `${label}.${label}.${label}.${'a'.repeat(61)}.`
    const tooLong = `${label}.${label}.${label}.${'a'.repeat(62)}.`

    it('a host of 255 bytes with a port of five digits is accepted', () => {
      expect(longest).toHaveLength(254)
      for (const host of [longest, `a${longest}`, `${longest}:65535`, `a${longest}:65535`]) {
        expect(refusal({ ...GOOD, HTTP_HOST: host })).toBeUndefined()
        expect(head({ SERVER_NAME: host }).authority).toBe(host)
      }
    })

    it.each([
      ['a name', `a${tooLong}`],
      ['a name with a port', `a${tooLong}:1`],
      ['a name of 256 bytes with a port of five digits', `a${tooLong}:65535`],
      ['a punycode label', `xn--${'a'.repeat(252)}`],
      ['a punycode label of 128 KB', `xn--${'a'.repeat(128 * 1024)}`],
      ['percent signs', '%'.repeat(300)],
      ['an IPv6 address', `[${'0:'.repeat(140)}0]`],
      ['a port', `a:${'0'.repeat(300)}`],
    ])('%s', (_, host) => {
      const canParse = vi.spyOn(URL, 'canParse')
      onTestFinished(() => canParse.mockRestore())
      expect(refusal({ ...GOOD, HTTP_HOST: host })).toEqual([400, 'FCGI_ERR_AUTHORITY'])
      expect(refusal({ ...GOOD, REQUEST_URI: `http://${host}/` })).toEqual([400, 'FCGI_ERR_AUTHORITY'])
      expect(refusal({ ...GOOD, REQUEST_URI: `http://user@${host}/` })).toEqual([400, 'FCGI_ERR_AUTHORITY'])
      expect(head({ SERVER_NAME: host }).authority).toBe('localhost')
      expect(head({ SERVER_ADDR: host, SERVER_PORT: '80' }).authority).toBe('localhost')
      expect(canParse).not.toHaveBeenCalled()
    })
  })

  it('is not the path of a Unix socket (nginx)', () => {
    const got = head({ SERVER_NAME: '', SERVER_ADDR: 'unix:/run/front.sock', SERVER_PORT: '80' })
    expect(got.authority).toBe('localhost')
  })

  it('is checked in linear time for a long invalid name', () => {
    const long = `${'a-'.repeat(30_000)}!`
    expect(refusal({ ...GOOD, HTTP_HOST: `${long}/` })).toEqual([400, 'FCGI_ERR_AUTHORITY'])
  })
})

describe('url', () => {
  it.each([
    ['/sub/page?x=1', 'http://front.test/sub/page?x=1'],
    ['//evil/a', 'http://front.test//evil/a'],
    ['/a%2Fb/%7e', 'http://front.test/a%2Fb/%7e'],
    ['/\u00c3\u00a9?\u00e2\u0082\u00ac', 'http://front.test/%C3%A9?%E2%82%AC'],
    ['/a b\tc\\d', 'http://front.test/a%20b%09c%5Cd'],
    ['/@host:80/', 'http://front.test/@host:80/'],
    ['*', 'http://front.test/'],
  ])('of the target %j is %s, which a URL parser does not change', (uri, url) => {
    const got = head({ ...GOOD, REQUEST_URI: uri })
    expect(got.url).toBe(url)
    expect(new URL(got.url).href).toBe(url)
    expect(new URL(got.url).host).toBe('front.test')
  })
})

describe('headers', () => {
  const headersOf = (given: Given): readonly string[] => head(given).headers

  it('are the HTTP_* params in order, with names in lower case and hyphens, including repeated ones', () => {
    expect(
      headersOf([
        ['HTTP_X_A', '1'],
        ['REQUEST_METHOD', 'GET'],
        ['HTTP_ACCEPT_LANGUAGE', 'de'],
        ['HTTP_X_A', '2'],
        ['HTTPS', 'on'],
        ['HTTP_COOKIE', 'a=1'],
        ['HTTP_COOKIE', 'b=2'],
        ['HTTP_X_EMPTY', ''],
        ['HTTP_X.DOT', 'd'],
        ["HTTP_X'Q", 'q'],
        ['HTTP_X_LATIN1', '\u00e9'],
      ]),
    ).toEqual(
      [
        ['x-a', '1'],
        ['accept-language', 'de'],
        ['x-a', '2'],
        ['cookie', 'a=1'],
        ['cookie', 'b=2'],
        ['x-empty', ''],
        ['x.dot', 'd'],
        ["x'q", 'q'],
        ['x-latin1', '\u00e9'],
      ].flat(),
    )
  })

  it('treat X_Same and X-Same, which have the same param name, as one header (lighttpd, h2o)', () => {
    expect(
      headersOf([
        ['HTTP_X_SAME', 'dash'],
        ['HTTP_X_SAME', 'under'],
      ]),
    ).toEqual(['x-same', 'dash', 'x-same', 'under'])
  })

  it('omit HTTP_PROXY (httpoxy; nginx, Caddy and h2o send it)', () => {
    expect(headersOf({ HTTP_PROXY: 'http://evil/', HTTP_PROXY_AUTHORIZATION: 'Basic eDp5' })).toEqual([
      'proxy-authorization',
      'Basic eDp5',
    ])
  })

  it('use CONTENT_TYPE and CONTENT_LENGTH instead of HTTP_CONTENT_* (nginx and Caddy send both)', () => {
    expect(
      headersOf({
        HTTP_CONTENT_TYPE: 'text/evil',
        HTTP_CONTENT_LENGTH: '999',
        CONTENT_TYPE: 'text/plain',
        CONTENT_LENGTH: '5',
      }),
    ).toEqual(['content-type', 'text/plain', 'content-length', '5'])
    expect(headersOf({ CONTENT_TYPE: '', HTTP_CONTENT_TYPE: 'text/plain', CONTENT_LENGTH: '' })).toEqual([
      'content-type',
      'text/plain',
    ])
  })

  it('have no content-length without a body: lighttpd sends authorizers only HTTP_CONTENT_LENGTH', () => {
    expect(headersOf({ REQUEST_METHOD: 'POST', HTTP_CONTENT_LENGTH: '5' })).toEqual([])
  })

  it.each<[string, Given, string[]]>([
    ['GET without a body (nginx)', { CONTENT_TYPE: '', CONTENT_LENGTH: '' }, []],
    ['GET without a body (Apache)', {}, []],
    ['GET without a body (lighttpd)', { REQUEST_METHOD: 'GET', CONTENT_LENGTH: '0' }, []],
    [
      'buffered chunked upload (nginx)',
      { CONTENT_LENGTH: '19', HTTP_TRANSFER_ENCODING: 'chunked' },
      ['content-length', '19'],
    ],
    [
      'streamed chunked upload (nginx)',
      { CONTENT_LENGTH: '', HTTP_TRANSFER_ENCODING: 'chunked' },
      ['transfer-encoding', 'chunked'],
    ],
    [
      'streamed chunked upload (Apache)',
      { HTTP_TRANSFER_ENCODING: 'chunked' },
      ['transfer-encoding', 'chunked'],
    ],
    ['chunked upload (Caddy)', { CONTENT_LENGTH: '-1' }, ['transfer-encoding', 'chunked']],
    [
      'HTTP/2 upload without a length (nginx, unbuffered)',
      { REQUEST_METHOD: 'POST', SERVER_PROTOCOL: 'HTTP/2.0', CONTENT_LENGTH: '' },
      ['transfer-encoding', 'chunked'],
    ],
    ['HTTP/2 GET', { REQUEST_METHOD: 'GET', SERVER_PROTOCOL: 'HTTP/2.0', CONTENT_LENGTH: '' }, []],
    [
      'POST over HTTP/1.1 without a body',
      { REQUEST_METHOD: 'POST', SERVER_PROTOCOL: 'HTTP/1.1', CONTENT_LENGTH: '' },
      [],
    ],
  ])('announce a body with either content-length or transfer-encoding: %s', (_, given, headers) => {
    expect(headersOf(given)).toEqual(headers)
  })

  it("omit headers about the client's connection to the front server", () => {
    expect(
      headersOf({
        HTTP_CONNECTION: 'Upgrade',
        HTTP_UPGRADE: 'websocket',
        HTTP_KEEP_ALIVE: '300',
        HTTP_PROXY_CONNECTION: 'x',
        HTTP_TE: 'trailers',
        HTTP_TRAILER: 'X-T',
        HTTP_EXPECT: '100-continue',
        HTTP_HTTP2_SETTINGS: 'AAMAAABk',
        HTTP_VIA: '1.0 x',
      }),
    ).toEqual(['via', '1.0 x'])
    expect(headersOf({ HTTP_CONNECTION: 'close' })).toEqual(['connection', 'close'])
    expect(headersOf({ HTTP_CONNECTION: 'Keep-Alive' })).toEqual(['connection', 'Keep-Alive'])
  })

  it('have no blanks around their values (nginx does not remove tabs, nor h2o trailing blanks)', () => {
    expect(headersOf({ HTTP_X_TAB: '\tv\tw \t', HTTP_X_BLANK: ' ' })).toEqual([
      'x-tab',
      'v\tw',
      'x-blank',
      '',
    ])
    expect(headersOf({ CONTENT_TYPE: '\t text/a b \t' })).toEqual(['content-type', 'text/a b'])
    expect(headersOf({ CONTENT_TYPE: ' ', HTTP_CONTENT_TYPE: ' text/b\t' })).toEqual([
      'content-type',
      'text/b',
    ])
  })

  describe('include the Authorization that Apache renames in an internal redirect', () => {
    const NAME = 'REDIRECT_HTTP_AUTHORIZATION'

    it.each<[string, Given, string[]]>([
      ['one redirect', { [NAME]: 'Basic eDp5' }, ['authorization', 'Basic eDp5']],
      ['three redirects', { [`REDIRECT_REDIRECT_${NAME}`]: 'Basic eDp5' }, ['authorization', 'Basic eDp5']],
      [
        'several params: the latest has the shortest name',
        {
          [`REDIRECT_${NAME}`]: 'Basic old',
          [NAME]: 'Basic new',
          [`REDIRECT_REDIRECT_${NAME}`]: 'Basic older',
        },
        ['authorization', 'Basic new'],
      ],
      [
        'the header itself',
        { [NAME]: 'Basic a', HTTP_AUTHORIZATION: 'Basic b' },
        ['authorization', 'Basic b'],
      ],
      ['an empty header', { [NAME]: 'Basic a', HTTP_AUTHORIZATION: '' }, ['authorization', 'Basic a']],
      ['no credentials', { [NAME]: '' }, []],
      ['no credentials, without a redirect', { HTTP_AUTHORIZATION: '' }, []],
    ])('%s', (_, given, headers) => {
      expect(headersOf(given)).toEqual(headers)
    })

    it.each([
      `HTTP_${NAME}`,
      'REDIRECT_AUTHORIZATION',
      'XREDIRECT_HTTP_AUTHORIZATION',
      'REDIRECT_XXXXXXXXXHTTP_AUTHORIZATION',
      `REDIRECTx${NAME}`,
      `${NAME}S`,
      'redirect_http_authorization',
    ])('but not from %s', (name) => {
      expect(headersOf({ [name]: 'Basic forged' })).not.toContain('authorization')
    })

    it('but not with a line break, which causes a 400', () => {
      expect(refusal({ ...GOOD, [NAME]: 'Basic a\r\nX: y' })).toEqual([400, 'FCGI_ERR_HEADER'])
    })
  })

  it('can have names of object members', () => {
    expect(headersOf({ HTTP_CONSTRUCTOR: 'a', HTTP___PROTO__: 'b' })).toEqual([
      'constructor',
      'a',
      '--proto--',
      'b',
    ])
  })

  it('are correct when a client sends more names than are cached', () => {
    const names = Array.from({ length: 600 }, (_, i) => `HTTP_X_NAME_${i}`)
    for (const _ of [1, 2]) {
      expect(headersOf(names.map((name): [string, string] => [name, 'v']))).toEqual(
        names.flatMap((_, i) => [`x-name-${i}`, 'v']),
      )
    }
  })
})

describe('contentLength', () => {
  it.each([
    [undefined, undefined],
    ['', undefined],
    ['-1', undefined],
    ['0', 0],
    ['5', 5],
    ['0000000000000000000000005', 5],
    ['9007199254740991', 9_007_199_254_740_991],
  ])('of CONTENT_LENGTH %j is %j', (text, value) => {
    const given: Given = text === undefined ? GOOD : { ...GOOD, CONTENT_LENGTH: text }
    expect(refusal(given)).toBeUndefined()
    expect(head(given).contentLength).toBe(value)
  })

  it.each(['+5', '-5', ' 5', '5 ', '5,5', '0x5', '1e3', '5.0', '-', '9007199254740992', '-1 ', '\u00b2'])(
    'must be a plain decimal number: %j causes a 400',
    (text) => {
      expect(refusal({ ...GOOD, CONTENT_LENGTH: text })).toEqual([400, 'FCGI_ERR_CONTENT_LENGTH'])
    },
  )

  it.each([
    ['5', '5', 5],
    ['5', '6', 6],
    ['', '0', 0],
    ['5', '', undefined],
    ['5, 6', '7', 7],
  ])('is the last one for CONTENT_LENGTH %j, then %j: %j', (first, last, value) => {
    const given = twice(first, last)
    expect(refusal(given)).toBeUndefined()
    expect(head(given).contentLength).toBe(value)
  })

  it('causes a 400 if the last of several is not a plain decimal number', () => {
    expect(refusal(twice('5', '5, 6'))).toEqual([400, 'FCGI_ERR_CONTENT_LENGTH'])
  })

  function twice(first: string, last: string): Given {
    return [...Object.entries(GOOD), ['CONTENT_LENGTH', first], ['CONTENT_LENGTH', last]]
  }
})

describe('checkRequest', () => {
  it('accepts a valid request', () => {
    expect(refusal(GOOD)).toBeUndefined()
  })

  it('does not require SCRIPT_NAME, PATH_INFO or CONTENT_LENGTH for an authorizer', () => {
    // The params that lighttpd sends before a POST.
    expect(
      refusal({
        QUERY_STRING: 's=1',
        REQUEST_URI: '/f.txt?s=1',
        SCRIPT_FILENAME: '/srv/www/f.txt',
        DOCUMENT_ROOT: '/srv/www',
        REQUEST_METHOD: 'POST',
        SERVER_PROTOCOL: 'HTTP/1.1',
        HTTP_HOST: 'front.test',
        CONTENT_TYPE: 'text/plain',
        HTTP_CONTENT_LENGTH: '5',
      }),
    ).toBeUndefined()
  })

  it.each([undefined, '', 'GET ', 'G T', 'GE\tT', 'GET/', 'GET\r\nX: y', '(x)', 'G\u00cbT'])(
    'refuses the method %j',
    (method) => {
      const { REQUEST_METHOD: _, ...rest } = GOOD
      expect(refusal(method === undefined ? rest : { ...GOOD, REQUEST_METHOD: method })).toEqual([
        400,
        'FCGI_ERR_METHOD',
      ])
    },
  )

  it.each(['get', 'FOO', 'PROPFIND', 'M-SEARCH', "!#$%&'*+.^_`|~0"])('accepts the method %s', (method) => {
    expect(refusal({ ...GOOD, REQUEST_METHOD: method })).toBeUndefined()
    expect(head({ ...GOOD, REQUEST_METHOD: method }).method).toBe(method)
  })

  it.each(['HTTP_', 'HTTP_X Y', 'HTTP_X:', 'HTTP_X\r\nY', 'HTTP_\u00e9', 'HTTP_X(', 'HTTP_X\t'])(
    'refuses the header name in %j',
    (name) => {
      expect(refusal({ ...GOOD, [name]: 'v' })).toEqual([400, 'FCGI_ERR_HEADER'])
    },
  )

  it.each(['HTTP_X', 'HTTP_HOST', 'CONTENT_TYPE', 'REQUEST_URI', 'QUERY_STRING'])(
    'refuses a line break in %s',
    (name) => {
      for (const value of ['/a\r\nb', '/\n', '/a\r']) {
        expect(refusal({ ...GOOD, [name]: value })).toEqual([400, 'FCGI_ERR_HEADER'])
        // Also if an earlier param contains a line break, too.
        expect(refusal({ PATH_INFO: '/\r\n', ...GOOD, [name]: value })).toEqual([400, 'FCGI_ERR_HEADER'])
      }
    },
  )

  it('accepts a line break in PATH_INFO, because %0D%0A is valid in a path', () => {
    expect(refusal({ ...GOOD, PATH_INFO: '/a\r\nb', PATH_TRANSLATED: '/srv/a\r\nb' })).toBeUndefined()
  })

  it('throws errors whose message is one short line', () => {
    try {
      checkRequest(head({ ...GOOD, HTTP_HOST: `\t${'x'.repeat(100_000)}` }))
      expect.unreachable()
    } catch (error) {
      expect((error as Error).message.length).toBeLessThan(200)
      expect((error as Error).message).not.toMatch(/[\r\n\t]/)
    }
    try {
      checkRequest(head({ ...GOOD, HTTP_HOST: 'a\u001b[2J\u009b2J\u007f\u00e9"' }))
      expect.unreachable()
    } catch (error) {
      // The message contains no terminal control characters.
      expect((error as Error).message).toMatch(/^[ -~]+$/)
    }
  })
})
