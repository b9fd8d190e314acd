// FastCGI 1.0, section 3.4: name-value pairs.

import {
  type Bytes,
  begin,
  bytes,
  GET,
  length,
  pair,
  pairs,
  record,
  stream,
  TYPES,
} from '@fcgi-bridge/testing'
import { describe, expect, test } from 'vitest'
import type { Exchange } from '../exchange/exchange.ts'
import { App, connected } from '../testing/serving.ts'

const BASE = pairs(Object.entries(GET))

/** Sends a PARAMS stream in these records, and returns the exchange. */
async function exchangeOf(...records: Bytes[]): Promise<Exchange> {
  const app = new App()
  const { peer } = await connected(app.handler)
  peer.write(begin(1), ...records.map((content) => stream(TYPES.PARAMS, 1, content)), record(TYPES.PARAMS, 1))
  return app.next()
}

/** Sends a PARAMS stream in these records, which must be refused, and returns the status line. */
async function refusalOf(...records: Bytes[]): Promise<string> {
  const app = new App()
  const { peer } = await connected(app.handler)
  peer.write(begin(1), ...records.map((content) => stream(TYPES.PARAMS, 1, content)), record(TYPES.PARAMS, 1))
  peer.endStdin(1)
  const { stdout } = await peer.response(1)
  await peer.end()
  expect(app.exchanges).toEqual([])
  return stdout.slice(0, stdout.indexOf('\r\n'))
}

test.each([
  [1, 1],
  [1, 4],
  [4, 1],
  [4, 4],
] as const)('12: lengths of %i and %i bytes are decoded', async (nameForm, valueForm) => {
  const { params, rawParams } = await exchangeOf(bytes(BASE, pair('NAME', 'value', nameForm, valueForm)))
  expect(params.NAME).toBe('value')
  expect(rawParams.slice(-2)).toEqual(['NAME', 'value'])
})

test.each([0, 1, 126, 127])('12: a length of %i in four bytes is decoded', async (size) => {
  const { params } = await exchangeOf(
    bytes(BASE, pair('n'.repeat(size), 'v'.repeat(size), 4, 4), pair('NEXT', 'here')),
  )
  expect(params['n'.repeat(size)]).toBe('v'.repeat(size))
  expect(params.NEXT).toBe('here')
})

test('13: an empty name, an empty value and both are accepted', async () => {
  const { params, rawParams } = await exchangeOf(
    bytes(pair('', 'value'), pair('EMPTY', ''), BASE, pair('', ''), pair('NEXT', 'here')),
  )
  expect(params).toMatchObject({ '': '', EMPTY: '', NEXT: 'here' })
  expect(rawParams.slice(0, 4)).toEqual(['', 'value', 'EMPTY', ''])
})

test.each([127, 128, 65535, 65536, 200_000])(
  '13: a value and a name of %i bytes are accepted',
  async (size) => {
    const { params } = await exchangeOf(
      bytes(BASE, pair('VALUE', 'v'.repeat(size)), pair('n'.repeat(size), 'name')),
    )
    expect(params.VALUE === 'v'.repeat(size)).toBe(true)
    expect(params['n'.repeat(size)]).toBe('name')
  },
)

// Appendix B, example 2: {"\013\002SERVER_PORT80\013\016SER"}, {"VER_ADDR199.170.183.42 ... "}.
test('14: the split pair of the specification is joined', async () => {
  const { params } = await exchangeOf(
    bytes([11, 2], 'SERVER_PORT80', [11, 14], 'SER'),
    bytes('VER_ADDR199.170.183.42', BASE),
  )
  expect(params).toMatchObject({ SERVER_ADDR: '199.170.183.42' })
  expect(params.SERVER_PORT).toBe('80')
})

test('14: pairs are joined if they are split at any offset, in lengths, names or values', async () => {
  const long = 'v'.repeat(130)
  const block = bytes(
    pair('REQUEST_METHOD', 'GET'),
    pair('LONG', long, 4, 4),
    pair('X', ''),
    pair('LAST', '1'),
  )
  const app = new App()
  const { peer } = await connected(app.handler)
  for (let at = 1; at < block.length; at++) {
    peer.write(begin(1, { keepConn: true }))
    peer.write(
      record(TYPES.PARAMS, 1, block.subarray(0, at), at % 8),
      record(TYPES.PARAMS, 1, block.subarray(at)),
    )
    peer.write(record(TYPES.PARAMS, 1), record(TYPES.STDIN, 1))
    const exchange = await app.next()
    expect({ ...exchange.params }, `split at ${at}`).toEqual({
      REQUEST_METHOD: 'GET',
      LONG: long,
      X: '',
      LAST: '1',
    })
    exchange.end()
    await peer.response(1)
    peer.forget()
  }
})

test('14: pairs in records of one byte are joined', async () => {
  const { params } = await exchangeOf(...[...BASE].map((byte) => [byte]))
  expect({ ...params }).toEqual(GET)
})

// CVE-2025-23016 in libfcgi: such lengths overflowed the size of an allocation.
describe('15: lengths that exceed the stream', () => {
  const huge = [0xff, 0xff, 0xff, 0xff]
  test.each<[string, Bytes]>([
    ['name and value 0xFFFFFFFF', bytes(huge, huge, 'x')],
    ['name 0xFFFFFFFF', bytes(huge, [1], 'x')],
    ['value 0xFFFFFFFF', bytes([1], huge, 'x')],
    ['value one past the end', bytes([1], [6], 'Nvalue')],
    ['name past the end', bytes([100], [0], 'NAME')],
  ])('15: %s: the request is refused without a large allocation', async (_, content) => {
    const before = process.memoryUsage().arrayBuffers
    expect(await refusalOf(bytes(BASE, content))).toBe('Status: 400 Bad Request')
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024)
  })
})

test.each<[string, Bytes]>([
  ['in its first length', length(200, 4).subarray(0, 2)],
  ['after its first length', [4]],
  ['in its second length', bytes([4], length(200, 4).subarray(0, 3))],
  ['in its name', bytes([4, 5], 'NA')],
  ['in its value', bytes([4, 5], 'NAMEval')],
])('16: a last pair that is truncated %s is refused', async (_, truncated) => {
  expect(await refusalOf(bytes(BASE, truncated))).toBe('Status: 400 Bad Request')
})

test('17: bytes 0x80 to 0xFF are kept, one character each, in names and values', async () => {
  const high = Array.from({ length: 128 }, (_, i) => i + 0x80)
  const text = String.fromCharCode(...high)
  const { params, rawParams } = await exchangeOf(bytes(BASE, pair('HIGH', high), pair(high, 'name')))
  expect(params.HIGH).toBe(text)
  expect(params[text]).toBe('name')
  expect(Buffer.from(params.HIGH!, 'latin1')).toEqual(Buffer.from(high))
  expect(rawParams.slice(-4)).toEqual(['HIGH', text, text, 'name'])
})

test('17: control characters and blanks are kept in params that are not headers', async () => {
  const { params } = await exchangeOf(bytes(BASE, pair('REMOTE_IDENT', ' \t\r\n\x01\x7f ')))
  expect(params.REMOTE_IDENT).toBe(' \t\r\n\x01\x7f ')
})

test.each([
  ['value', pair('NAME', 'a\0b')],
  ['name', pair('NA\0ME', 'value')],
])('17: NUL in a %s is refused', async (_, content) => {
  expect(await refusalOf(bytes(BASE, content))).toBe('Status: 400 Bad Request')
})

test('18: the last of repeated names counts, repeated HTTP_* are joined as Node joins headers, and rawParams has all', async () => {
  const exchange = await exchangeOf(
    bytes(
      pair('DOCUMENT_ROOT', '/first'),
      pair('HTTP_COOKIE', 'a=1'),
      pair('HTTP_X_LIST', '1'),
      pair('HTTP_USER_AGENT', 'first'),
      BASE,
      pair('DOCUMENT_ROOT', '/last'),
      pair('HTTP_COOKIE', 'b=2'),
      pair('HTTP_X_LIST', '2'),
      pair('HTTP_USER_AGENT', 'second'),
    ),
  )
  expect(exchange.params).toMatchObject({
    DOCUMENT_ROOT: '/last',
    HTTP_COOKIE: 'a=1; b=2',
    HTTP_X_LIST: '1, 2',
    HTTP_USER_AGENT: 'first',
  })
  expect(exchange.rawParams.filter((text) => text.startsWith('/'))).toEqual(['/first', '/', '/', '/last'])
  expect(exchange.headers.filter((_, i, list) => list[i - (i % 2)] === 'cookie')).toEqual([
    'cookie',
    'a=1',
    'cookie',
    'b=2',
  ])
})

test('18: __proto__, constructor and toString are plain data', async () => {
  const { params, headers } = await exchangeOf(
    bytes(
      BASE,
      pair('__proto__', 'polluted'),
      pair('constructor', 'c'),
      pair('toString', 't'),
      pair('HTTP___PROTO__', 'p'),
    ),
  )
  expect(Object.getPrototypeOf(params)).toBeNull()
  expect(Object.entries(params).slice(-4)).toEqual([
    ['__proto__', 'polluted'],
    ['constructor', 'c'],
    ['toString', 't'],
    ['HTTP___PROTO__', 'p'],
  ])
  expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  expect(headers).toEqual(expect.arrayContaining(['--proto--', 'p']))
})
