// Generators for fast-check: bytes that are nearly valid FastCGI, and params that are nearly a valid request. Purely random bytes would be
// refused at the first byte, so they would test nothing else.

import { bytes, length, pair, record, TYPES } from '@fcgi-bridge/testing'
import fc from 'fast-check'

/** Bytes that consist mostly of valid records. */
export const anyWire: fc.Arbitrary<Buffer> = fc
  .array(
    fc.oneof(
      { weight: 8, arbitrary: anyRecord() },
      // A truncated record: the decoder takes the next bytes as the rest of it.
      { weight: 1, arbitrary: fc.tuple(anyRecord(), fc.nat(20)).map(([one, end]) => one.subarray(0, end)) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 12 }).map((array) => Buffer.from(array)) },
    ),
  )
  .map((parts) => Buffer.concat(parts))

function anyRecord(): fc.Arbitrary<Buffer> {
  return fc
    .record({
      type: fc.oneof(fc.constantFrom(...Object.values(TYPES)), fc.nat(255)),
      requestId: fc.oneof(fc.nat(2), fc.nat(0xffff)),
      content: fc.uint8Array({ maxLength: 40 }),
      padding: fc.oneof(fc.nat(8), fc.nat(255)),
    })
    .map(({ type, requestId, content, padding }) => record(type, requestId, content, padding))
}

/** Splits `wire` at `offsets`, which can be any numbers. */
export function splitAt(wire: Buffer, offsets: readonly number[]): Buffer[] {
  const inside = offsets.map((offset) => offset % (wire.length + 1)).sort((a, b) => a - b)
  return [0, ...inside].map((offset, i) => wire.subarray(offset, inside[i] ?? wire.length))
}

/** Bytes that consist mostly of valid name-value pairs (section 3.4). */
export const anyNameValueBlock: fc.Arbitrary<Buffer> = fc
  .array(
    fc.oneof(
      { weight: 8, arbitrary: anyPair() },
      // A length without a pair: it spans the next bytes, or exceeds the block.
      {
        weight: 1,
        arbitrary: fc.tuple(fc.integer({ min: 0, max: 0x7fff_ffff }), fc.nat(4)).map(toLengthPart),
      },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 12 }).map((array) => Buffer.from(array)) },
    ),
  )
  .map((parts) => Buffer.concat(parts))

function toLengthPart([value, end]: [number, number]): Buffer {
  return length(value, 4).subarray(0, end)
}

function anyPair(): fc.Arbitrary<Buffer> {
  const content = fc.uint8Array({ maxLength: 12 })
  const form = fc.constantFrom<1 | 4>(1, 4)
  return fc
    .tuple(content, content, form, form)
    .map(([name, value, nameForm, valueForm]) => pair(name, value, nameForm, valueForm))
}

// Fragments that have a meaning in a URL or a header, or for a parser of them.
const FRAGMENTS = [
  ...[
    '/',
    '//',
    '\\',
    '/..',
    '/.',
    '%2e%2e',
    '%2F',
    '%00',
    '%',
    '?',
    '#',
    '@',
    ':',
    ';',
    '&',
    '=',
    '*',
    ',',
    '.',
  ],
  ...[
    'a',
    'shop',
    'front.test',
    'user:secret',
    'localhost',
    '192.0.2.7',
    '[::1]',
    '::1',
    '[',
    ']',
    '0x7f.1',
    'xn--a',
  ],
  ...['80', '443', ':0', ':65535', ':65536', '-1', '+1', '1e3', '12', '007', ' 5', '99999999999999999999'],
  ...[
    'http://',
    'https://',
    'HTTP://',
    'javascript:',
    'data:,',
    '~',
    '_',
    '-',
    ' ',
    '\t',
    '"',
    "'",
    '<',
    '\u007f',
  ],
  ...['\u00e9', '\u00c3\u00a9', '\u00ad', '\u00ff', '\r', '\n', '\r\n', '\0'],
]

const anyText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...FRAGMENTS) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 8 }).map(latin1) },
    ),
    { maxLength: 6 },
  )
  .map((parts) => parts.join(''))

function latin1(array: Uint8Array): string {
  return Buffer.from(array).toString('latin1')
}

// The params that a request is built from, with typical values of each.
const KNOWN_PARAMS: Readonly<Record<string, readonly string[]>> = {
  REQUEST_METHOD: [
    'GET',
    'POST',
    'HEAD',
    'OPTIONS',
    'get',
    'DELETE',
    'M-SEARCH',
    'CONNECT',
    'TRACE',
    'constructor',
  ],
  REQUEST_URI: [
    '/',
    '/a?b=c',
    '*',
    '',
    '//host/a',
    '/\\host',
    'http://front.test/a',
    'http://u@front.test',
    '/a#b',
  ],
  SCRIPT_NAME: ['', '/shop', '/shop/'],
  PATH_INFO: ['', '/', '/cart', '/..//cart'],
  QUERY_STRING: ['', 'x=1', '?', '#'],
  HTTP_HOST: [
    'front.test',
    'front.test:8080',
    '',
    '[::1]:80',
    'front.test@evil.test',
    'FRONT.TEST.',
    '1.2.3',
  ],
  SERVER_NAME: ['front.test', '_', '::1', '~^(?<name>.+)$', ''],
  SERVER_ADDR: ['192.0.2.1', '2001:db8::1'],
  SERVER_PORT: ['80', '443', '8080', '', '0', '70000'],
  HTTPS: ['on', 'off', '1', ''],
  REQUEST_SCHEME: ['http', 'https', 'HTTPS', 'ftp'],
  SERVER_PROTOCOL: ['HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/3.0', 'INCLUDED'],
  CONTENT_LENGTH: ['', '0', '-1', '0005', '5x', '1.5'],
  CONTENT_TYPE: ['', 'text/plain', 'multipart/form-data; boundary=x'],
  REMOTE_ADDR: ['192.0.2.7', '', '::1'],
  REMOTE_PORT: ['40000', '', 'x'],
  HTTP_COOKIE: ['a=1', ''],
  HTTP_CONNECTION: ['close', 'upgrade'],
  HTTP_TRANSFER_ENCODING: ['chunked', 'gzip, chunked'],
  HTTP_X_FORWARDED_HOST: ['evil.test'],
  HTTP___PROTO__: ['x'],
  SCRIPT_FILENAME: ['/srv/app.fcgi'],
}

const anyKnownParam: fc.Arbitrary<[name: string, value: string]> = fc
  .constantFrom(...Object.keys(KNOWN_PARAMS))
  .chain((name) =>
    fc.tuple(
      fc.constant(name),
      fc.oneof(
        { weight: 3, arbitrary: fc.constantFrom(...KNOWN_PARAMS[name]!) },
        { weight: 1, arbitrary: anyText },
      ),
    ),
  )

const anyOtherParam: fc.Arbitrary<[name: string, value: string]> = fc.tuple(
  fc.oneof(
    anyText.map((text) => `HTTP_${text}`),
    fc.constantFrom('__proto__', 'constructor', 'toString', 'HTTP_', 'HTTP_PROXY', ''),
    anyText,
  ),
  anyText,
)

/**
 * Params of a request, one character per byte (latin1). Most of them are valid, because otherwise no test would get past the checks. Names
 * can be repeated, and any param can be absent.
 */
export const anyParams: fc.Arbitrary<[name: string, value: string][]> = fc
  .tuple(
    fc.oneof(
      { weight: 5, arbitrary: fc.constant<[string, string][]>([['REQUEST_METHOD', 'GET']]) },
      { weight: 1, arbitrary: fc.constant<[string, string][]>([]) },
    ),
    fc.array(anyKnownParam, { maxLength: 8 }),
    fc.oneof(
      { weight: 3, arbitrary: fc.constant<[string, string][]>([]) },
      { weight: 1, arbitrary: fc.array(anyOtherParam, { maxLength: 3 }) },
    ),
  )
  .map((parts) => parts.flat())

/** Encodes `list` as the content of a PARAMS stream. */
export function paramsBlock(list: readonly (readonly [name: string, value: string])[]): Buffer {
  return bytes(...list.map(([name, value]) => pair(name, value)))
}
