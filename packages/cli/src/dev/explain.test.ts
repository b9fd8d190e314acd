import { expect, test } from 'vitest'
import { explain, explainHeaders } from './explain.ts'
import type { ReadRequest } from './messages.ts'

const READ: ReadRequest = {
  url: 'https://shop.example:8443/shop/cart?x=1',
  mount: '',
  remoteAddress: '192.0.2.1',
  headers: ['content-type', 'text/plain', 'x-a', '1'],
}

function from(params: [string, string][], read = READ): Record<string, string[]> {
  return Object.fromEntries(explain(params, read).map(({ what, from }) => [what, from]))
}

test('the values are those that the app sees', () => {
  const values = explain([], { ...READ, mount: '/shop' }).map(({ what, value }) => [what, value])
  expect(values).toEqual([
    ['scheme', 'https'],
    ['host', 'shop.example:8443'],
    ['path and query', '/shop/cart?x=1'],
    ['mount', '/shop'],
    ['client', '192.0.2.1'],
  ])
})

test.each<[string, [string, string][], string[]]>([
  [
    'scheme',
    [
      ['HTTPS', 'on'],
      ['REQUEST_SCHEME', 'http'],
    ],
    ['HTTPS'],
  ],
  [
    'scheme',
    [
      ['HTTPS', 'off'],
      ['REQUEST_SCHEME', 'http'],
    ],
    ['REQUEST_SCHEME'],
  ],
  ['scheme', [], []],
  ['host', [['HTTP_HOST', 'x']], ['HTTP_HOST']],
  ['host', [['HTTP_HOST', '']], ['SERVER_NAME', 'SERVER_PORT']],
  ['path and query', [['REQUEST_URI', '/']], ['REQUEST_URI']],
  ['path and query', [], ['SCRIPT_NAME', 'PATH_INFO', 'QUERY_STRING']],
])('the sources of the %s for the params %j', (what, params, expected) => {
  expect(from(params)[what]).toEqual(expected)
})

test('the explanation of a mount has the values of Express', () => {
  const why = explain([], { ...READ, mount: '/shop' }).find(({ what }) => what === 'mount')!.why
  expect(why).toContain('req.baseUrl /shop, and req.url /cart?x=1')
})

test('each header has the param that it comes from', () => {
  expect(explainHeaders(READ)).toEqual([
    { name: 'content-type', value: 'text/plain', from: 'CONTENT_TYPE' },
    { name: 'x-a', value: '1', from: 'HTTP_X_A' },
  ])
})

test('there are no explanations for a request that did not reach the app', () => {
  expect(explain([], undefined)).toEqual([])
  expect(explainHeaders(undefined)).toEqual([])
})
