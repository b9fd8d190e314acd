import { pairs } from '@fcgi-bridge/testing'
import { describe, expect, it } from 'vitest'
import { Params } from './params.ts'
import { createRequest } from './request.ts'
import { RequestHead } from './request-head.ts'

function head(given: Record<string, string> | [string, string][]): RequestHead {
  const list = Array.isArray(given) ? given : Object.entries(given)
  return new RequestHead(new Params(pairs([['HTTP_HOST', 'front.test'], ...list])))
}

function stream(text: string): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text))
      controller.close()
    },
  })
}

function noBody(): null {
  throw new Error('body() was called.')
}

describe('createRequest', () => {
  it('creates a Request of the global class, which can be cloned and passed to new Request()', async () => {
    const request = createRequest(
      head({ REQUEST_METHOD: 'POST', REQUEST_URI: '/a?x=1', CONTENT_TYPE: 'text/plain' }),
      () => stream('text'),
    )
    expect(request).toBeInstanceOf(Request)
    expect(request.url).toBe('http://front.test/a?x=1')
    expect(await request.clone().text()).toBe('text')
    const next = new Request(request, { headers: { 'x-a': '1' } })
    expect(next.headers.get('x-a')).toBe('1')
    expect(await next.text()).toBe('text')
  })

  it('keeps every repeated header', () => {
    const { headers } = createRequest(
      head([
        ['REQUEST_METHOD', 'GET'],
        ['HTTP_ACCEPT', 'text/html'],
        ['HTTP_COOKIE', 'a=1'],
        ['HTTP_ACCEPT', '*/*'],
        ['HTTP_COOKIE', 'b=2'],
        ['HTTP___PROTO__', 'x'],
      ]),
      noBody,
    )
    expect(headers.get('accept')).toBe('text/html, */*')
    expect(headers.get('cookie')).toBe('a=1; b=2')
    expect(headers.get('--proto--')).toBe('x')
  })

  it('keeps headers that a Request of a browser drops', () => {
    const { headers } = createRequest(
      head([
        ['REQUEST_METHOD', 'GET'],
        ['HTTP_CONNECTION', 'close'],
        ['HTTP_COOKIE', 'a=1'],
        ['HTTP_ORIGIN', 'http://other.test'],
        ['HTTP_SEC_FETCH_MODE', 'navigate'],
        ['CONTENT_LENGTH', '5'],
      ]),
      noBody,
    )
    expect(Object.fromEntries(headers)).toEqual({
      connection: 'close',
      'content-length': '5',
      cookie: 'a=1',
      host: 'front.test',
      origin: 'http://other.test',
      'sec-fetch-mode': 'navigate',
    })
  })

  it.each(['GET', 'HEAD', 'get'])('has no body for %s, even if one was sent', (method) => {
    const request = createRequest(head({ REQUEST_METHOD: method, CONTENT_LENGTH: '5' }), noBody)
    expect(request.body).toBeNull()
    expect(request.headers.get('content-length')).toBe('5')
  })

  it('has no body if body() returns null', () => {
    expect(createRequest(head({ REQUEST_METHOD: 'POST' }), () => null).body).toBeNull()
  })

  it.each(['patch', 'PATCH', 'PROPFIND', 'FOO', 'M-SEARCH'])('keeps the method %s as it is', (method) => {
    expect(createRequest(head({ REQUEST_METHOD: method }), () => null).method).toBe(method)
  })

  it.each(['TRACE', 'CONNECT'])('throws the TypeError of Request for %s', (method) => {
    expect(() => createRequest(head({ REQUEST_METHOD: method }), () => null)).toThrow(TypeError)
  })

  it.each([
    ['/a/../b/%2e%2e/c', 'http://front.test/c'],
    ['//evil/a', 'http://front.test//evil/a'],
    ['/%2f%C3%A9', 'http://front.test/%2f%C3%A9'],
    ['/\u00c3\u00a9', 'http://front.test/%C3%A9'],
    ['/a\\..\\b', 'http://front.test/a%5C..%5Cb'],
    ['/?', 'http://front.test/?'],
    ['http://user:pass@other.test:80/x', 'http://other.test/x'],
    ['*', 'http://front.test/'],
  ])('has for the target %j the URL %s', (uri, url) => {
    expect(createRequest(head({ REQUEST_METHOD: 'GET', REQUEST_URI: uri }), noBody).url).toBe(url)
  })
})
