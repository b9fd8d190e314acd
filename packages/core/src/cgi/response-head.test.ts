import { describe, expect, it } from 'vitest'
import { bodyAllowed, encodeResponseHead } from './response-head.ts'

function lines(...text: string[]): string {
  return [...text, '', ''].join('\r\n')
}

describe('encodeResponseHead', () => {
  it('always includes the status with its default reason', () => {
    expect(encodeResponseHead(200)).toBe(lines('Status: 200 OK'))
    expect(encodeResponseHead(404, [])).toBe(lines('Status: 404 Not Found'))
    expect(encodeResponseHead(299)).toBe(lines('Status: 299 unknown'))
  })

  it('puts Location before the status, because HAProxy otherwise changes the status to 302', () => {
    expect(encodeResponseHead(308, ['X-A', '1', 'location', '/x', 'X-B', '2'])).toBe(
      lines('location: /x', 'Status: 308 Permanent Redirect', 'X-A: 1', 'X-B: 2'),
    )
  })

  it('uses the given reason, unless it is empty', () => {
    expect(encodeResponseHead(200, [], 'Fine')).toBe(lines('Status: 200 Fine'))
    expect(encodeResponseHead(200, [], '')).toBe(lines('Status: 200 OK'))
    expect(encodeResponseHead(200)).toBe(lines('Status: 200 OK'))
  })

  it('removes line breaks from the reason, and replaces invalid characters', () => {
    expect(encodeResponseHead(200, [], 'OK\r\nSet-Cookie: a=b')).toBe(lines('Status: 200 OKSet-Cookie: a=b'))
    expect(encodeResponseHead(200, [], '\r\n')).toBe(lines('Status: 200 '))
    expect(encodeResponseHead(200, [], 'a\0b\u20ac\u00e9')).toBe(lines('Status: 200 a?b?\u00e9'))
  })

  it('keeps the order and the case of headers, repeated headers, and latin1 values', () => {
    expect(
      encodeResponseHead(200, [
        'Set-Cookie',
        'a=1',
        'x-Y',
        '',
        'Set-Cookie',
        'b=2',
        'content-type',
        'text/plain;\tcharset="\u00e9"',
      ]),
    ).toBe(
      lines(
        'Status: 200 OK',
        'Set-Cookie: a=1',
        'x-Y: ',
        'Set-Cookie: b=2',
        'content-type: text/plain;\tcharset="\u00e9"',
      ),
    )
  })

  it.each([
    'Connection',
    'Keep-Alive',
    'Proxy-Connection',
    'Status',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
  ])('omits %s', (name) => {
    for (const written of [name, name.toLowerCase(), name.toUpperCase()]) {
      expect(encodeResponseHead(200, ['A', '1', written, 'x', 'B', '2'])).toBe(
        lines('Status: 200 OK', 'A: 1', 'B: 2'),
      )
    }
  })

  it('omits Content-Length for a 204, sets it to 0 for a 205, and keeps it for other statuses', () => {
    expect(encodeResponseHead(204, ['Content-Length', '0'])).toBe(lines('Status: 204 No Content'))
    for (const length of ['0', '5']) {
      expect(encodeResponseHead(205, ['A', '1', 'Content-length', length])).toBe(
        lines('Status: 205 Reset Content', 'A: 1', 'Content-length: 0'),
      )
    }
    expect(encodeResponseHead(205)).toBe(lines('Status: 205 Reset Content'))
    expect(encodeResponseHead(304, ['content-length', '5'])).toBe(
      lines('Status: 304 Not Modified', 'content-length: 5'),
    )
  })

  it.each([
    '',
    ' ',
    'abc',
    'NaN',
    'undefined',
    '-1',
    '+5',
    '5.0',
    '1e3',
    '0x5',
    '5, 5',
    '5 ',
    ' 5',
    '5\r\n',
    '\u0665',
    '9007199254740992',
  ])('refuses the Content-Length %j, which node:http would send', (value) => {
    for (const name of ['Content-Length', 'content-length', 'CONTENT-LENGTH']) {
      expect(() => encodeResponseHead(200, ['x', 'y', name, value])).toThrow(
        expect.objectContaining({ name: 'TypeError', code: 'ERR_HTTP_INVALID_HEADER_VALUE' }),
      )
    }
    expect(encodeResponseHead(204, ['Content-Length', value])).toBe(lines('Status: 204 No Content'))
  })

  it.each(['0', '5', '0005', '9007199254740991'])('sends the Content-Length %j', (value) => {
    expect(encodeResponseHead(200, ['Content-Length', value])).toBe(
      lines('Status: 200 OK', `Content-Length: ${value}`),
    )
  })

  it('sends a repeated Content-Length once, and refuses two different ones', () => {
    expect(encodeResponseHead(200, ['Content-Length', '5', 'A', '1', 'content-length', '5'])).toBe(
      lines('Status: 200 OK', 'Content-Length: 5', 'A: 1'),
    )
    for (const second of ['6', '05', '']) {
      expect(() => encodeResponseHead(200, ['Content-Length', '5', 'Content-Length', second])).toThrow(
        expect.objectContaining({ code: 'ERR_HTTP_INVALID_HEADER_VALUE' }),
      )
    }
  })

  it.each([199, 100, 103, 0, -200, 1000, 200.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'refuses the status %s',
    (status) => {
      for (const reason of [undefined, 'reason']) {
        expect(() => encodeResponseHead(status, [], reason)).toThrow(
          expect.objectContaining({ name: 'RangeError', code: 'ERR_HTTP_INVALID_STATUS_CODE' }),
        )
      }
    },
  )

  it.each(['', 'a b', 'a:', 'a\r\nb', '\u00e9', 'a\0', '(a)'])('refuses the name %j', (name) => {
    for (const _ of ['first', 'again']) {
      expect(() => encodeResponseHead(200, [name, 'x'])).toThrow(
        expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_HTTP_TOKEN' }),
      )
    }
  })

  it.each(['a\r\nb: c', 'a\n', '\ra', 'a\0', '\u20ac', 'a\u007f', '\u0001'])(
    'refuses the value %j',
    (value) => {
      expect(() => encodeResponseHead(200, ['x', value])).toThrow(
        expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_CHAR' }),
      )
    },
  )

  it('is correct for more names than are cached', () => {
    const names = Array.from({ length: 600 }, (_, i) => `x-${i}`)
    for (const _ of [1, 2]) {
      expect(
        encodeResponseHead(
          200,
          names.flatMap((name) => [name, 'v']),
        ),
      ).toBe(lines('Status: 200 OK', ...names.map((name) => `${name}: v`)))
    }
    expect(encodeResponseHead(200, ['TRANSFER-encoding', 'chunked'])).toBe(lines('Status: 200 OK'))
  })
})

describe('bodyAllowed', () => {
  it.each([
    ['GET', 200, true],
    ['HEAD', 200, false],
    ['head', 200, true],
    ['POST', 204, false],
    ['GET', 205, false],
    ['GET', 304, false],
    ['GET', 404, true],
    ['DELETE', 206, true],
  ])('%s, %i: %s', (method, status, allowed) => {
    expect(bodyAllowed(method, status)).toBe(allowed)
  })
})
