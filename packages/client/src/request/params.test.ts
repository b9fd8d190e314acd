import { decodeNameValues } from '@fcgi-bridge/core'
import { describe, expect, test } from 'vitest'
import { buildParams, type FastCgiRequestInfo, type ParamsOptions } from './params.ts'
import { createScriptMapping } from './script.ts'

function paramsOf(
  request: Partial<FastCgiRequestInfo>,
  options: ParamsOptions = {},
  bodyLength: number | 'none' | 'unknown' = 'none',
): Record<string, string> {
  const info = { method: 'GET', path: '/', origin: 'http://example.test', headers: [], ...request }
  const contents = buildParams(info, bodyLength, createScriptMapping(options), options.params)
  return Object.fromEntries(decodeNameValues(Buffer.from(contents.join(''), 'latin1')))
}

test('a simple request has the variables of CGI and those of nginx', () => {
  const request = { path: '/a/b%20c?x=1&y=%20', headers: ['Accept', '*/*', 'X-Two-Words', 'v'] }
  expect(paramsOf(request)).toEqual({
    QUERY_STRING: 'x=1&y=%20',
    REQUEST_METHOD: 'GET',
    SCRIPT_NAME: '',
    PATH_INFO: '/a/b c',
    REQUEST_URI: '/a/b%20c?x=1&y=%20',
    DOCUMENT_URI: '/a/b c',
    SERVER_PROTOCOL: 'HTTP/1.1',
    REQUEST_SCHEME: 'http',
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_SOFTWARE: 'fcgi-bridge',
    REMOTE_ADDR: '127.0.0.1',
    SERVER_ADDR: '127.0.0.1',
    SERVER_PORT: '80',
    SERVER_NAME: 'example.test',
    REDIRECT_STATUS: '200',
    HTTP_HOST: 'example.test',
    HTTP_ACCEPT: '*/*',
    HTTP_X_TWO_WORDS: 'v',
  })
})

describe('the path', () => {
  test.each([
    // REQUEST_URI, which is sent unchanged, and the PATH_INFO that nginx would send
    ['/', '/'],
    ['/a%2Fb', '/a/b'],
    ['/caf%C3%A9', '/caf\xc3\xa9'],
    ['/caf\xc3\xa9', '/caf\xc3\xa9'],
    ['/100%', '/100%'],
    ['/%zz', '/%zz'],
    ['/a+b', '/a+b'],
    ['//g//h', '/g/h'],
    ['/x/./y/../z', '/x/z'],
    ['/a/', '/a/'],
    ['/a/.', '/a/'],
    ['/a/b/..', '/a/'],
    ['/..', '/'],
    ['/../../etc/passwd', '/etc/passwd'],
    ['/%2e%2e/etc', '/etc'],
    ['/.well-known/x', '/.well-known/x'],
    ['/a..b', '/a..b'],
    ['/p?a=/../b', '/p'],
    ['*', ''],
  ])('the PATH_INFO of %s is %s', (path, pathInfo) => {
    expect(paramsOf({ path })).toMatchObject({ REQUEST_URI: path, PATH_INFO: pathInfo, SCRIPT_NAME: '' })
  })

  test('a NUL byte in it is refused, because it would truncate file names', () => {
    expect(() => paramsOf({ path: '/a%00b' })).toThrow(expect.objectContaining({ code: 'FCGI_ERR_REQUEST' }))
  })

  test.each([
    ['/shop', '/shop', ''],
    ['/shop/', '/shop', '/'],
    ['/shop/cart?x=1', '/shop', '/cart'],
    ['/sh%6fp/cart', '/shop', '/cart'],
    ['/shopping', '/shopping', ''],
    ['/', '/', ''],
  ])('with scriptName /shop, %s is SCRIPT_NAME %s and PATH_INFO %j', (path, scriptName, pathInfo) => {
    const params = paramsOf({ path }, { scriptName: '/shop' })
    expect(params).toMatchObject({ SCRIPT_NAME: scriptName, PATH_INFO: pathInfo, REQUEST_URI: path })
  })
})

describe('the origin', () => {
  test.each([
    ['http://example.test', 'http', 'example.test', '80', 'example.test'],
    ['http://example.test:8080', 'http', 'example.test', '8080', 'example.test:8080'],
    ['https://example.test', 'https', 'example.test', '443', 'example.test'],
    ['http://[::1]:81', 'http', '[::1]', '81', '[::1]:81'],
    ['http://[::1]', 'http', '[::1]', '80', '[::1]'],
    [undefined, 'http', 'localhost', '80', 'localhost'],
  ])('%s', (origin, scheme, name, port, host) => {
    const params = paramsOf({ origin })
    expect(params).toMatchObject({
      REQUEST_SCHEME: scheme,
      SERVER_NAME: name,
      SERVER_PORT: port,
      HTTP_HOST: host,
    })
    expect(params.HTTPS).toBe(scheme === 'https' ? 'on' : undefined)
  })
})

describe('headers', () => {
  test('Proxy never becomes HTTP_PROXY', () => {
    expect(paramsOf({ headers: ['Proxy', 'http://evil.test', 'pRoXy', 'x'] })).not.toHaveProperty(
      'HTTP_PROXY',
    )
  })

  test('Host overrides the origin', () => {
    expect(paramsOf({ headers: ['host', 'other.test:81'] }).HTTP_HOST).toBe('other.test:81')
  })

  test('repeated headers are joined: cookies by semicolons, others by commas', () => {
    const headers = ['Cookie', 'a=1', 'X-A', '1', 'cookie', 'b=2', 'x-a', '2']
    expect(paramsOf({ headers })).toMatchObject({ HTTP_COOKIE: 'a=1; b=2', HTTP_X_A: '1, 2' })
  })

  test('the type and the length of the body have their own variables, and no HTTP_* variables', () => {
    const params = paramsOf({ headers: ['Content-Type', 'text/plain', 'Content-Length', '3'] }, {}, 3)
    expect(params).toMatchObject({ CONTENT_TYPE: 'text/plain', CONTENT_LENGTH: '3' })
    expect(Object.keys(params).filter((name) => name.startsWith('HTTP_'))).toEqual(['HTTP_HOST'])
  })

  test('a body of unknown length is marked as chunked', () => {
    const params = paramsOf({}, {}, 'unknown')
    expect(params.HTTP_TRANSFER_ENCODING).toBe('chunked')
    expect(params).not.toHaveProperty('CONTENT_LENGTH')
  })

  test('hop-by-hop headers and those that Connection names are not sent', () => {
    const headers = [
      'TE',
      'trailers',
      'Keep-Alive',
      '3',
      'Upgrade',
      'h2c',
      'Expect',
      '100-continue',
      'X-Hop',
      '1',
    ]
    headers.push('Connection', 'close, X-Hop', 'Connection', 'TE')
    expect(Object.keys(paramsOf({ headers })).filter((name) => name.startsWith('HTTP_'))).toEqual([
      'HTTP_HOST',
    ])
  })

  test('values are bytes', () => {
    expect(paramsOf({ headers: ['X', 'caf\xe9'] }).HTTP_X).toBe('caf\xe9')
  })
})

describe('the option params', () => {
  test('adds, replaces and removes variables', () => {
    const params = paramsOf(
      {},
      { params: { SCRIPT_FILENAME: '/srv/index.php', SERVER_PORT: '81', HTTP_HOST: undefined } },
    )
    expect(params).toMatchObject({ SCRIPT_FILENAME: '/srv/index.php', SERVER_PORT: '81' })
    expect(params).not.toHaveProperty('HTTP_HOST')
  })

  test('a function gets the request', () => {
    const params = paramsOf(
      { path: '/x.php' },
      { params: ({ path }) => ({ SCRIPT_FILENAME: `/srv${path}` }) },
    )
    expect(params.SCRIPT_FILENAME).toBe('/srv/x.php')
  })

  test.each([81, null, ['a'], { a: 1 }])('%j is not a valid value', (value) => {
    const params = { SERVER_PORT: value as unknown as string }
    expect(() => paramsOf({}, { params })).toThrow('the param SERVER_PORT must be a string')
  })

  test('text is sent as UTF-8, and bytes are sent unchanged', () => {
    const params = paramsOf({}, { documentRoot: '/srv/é', params: { A: 'é', B: Uint8Array.of(0xe9) } })
    expect(params).toMatchObject({ DOCUMENT_ROOT: '/srv/\xc3\xa9', A: '\xc3\xa9', B: '\xe9' })
  })
})
