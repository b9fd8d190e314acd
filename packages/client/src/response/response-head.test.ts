import { describe, expect, test } from 'vitest'
import { type ResponseHead, ResponseHeadParser } from './response-head.ts'

/** Parses `text`, cut at the given positions. Returns the head and the body after it. */
function parse(text: string, cuts: number[] = [], maxSize = 65_536): { head: ResponseHead; body: string } {
  const bytes = Buffer.from(text, 'latin1')
  const parser = new ResponseHeadParser(maxSize)
  const ends = [...cuts, bytes.length]
  let start = 0
  for (const [i, end] of ends.entries()) {
    const at = parser.push(bytes, start, end)
    if (at !== -1) {
      const body = bytes.toString('latin1', at, ends[i] === end ? bytes.length : end)
      return { head: parser.head, body }
    }
    start = end
  }
  throw new Error('the head is incomplete')
}

test('status, reason and headers, in order and with repeats', () => {
  const text =
    'Status: 404 Not Found\r\nX-One: 1\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\nx-one: 3\r\n\r\nbody'
  expect(parse(text)).toEqual({
    head: {
      status: 404,
      reason: 'Not Found',
      headers: ['X-One', '1', 'set-cookie', 'a=1', 'Set-Cookie', 'b=2', 'x-one', '3'],
      contentLength: undefined,
    },
    body: 'body',
  })
})

describe('the status', () => {
  test.each([
    ['Content-Type: text/plain', 200, 'OK'],
    ['Status: 201', 201, ''],
    ['status:500 It  broke', 500, 'It  broke'],
    ['Status: 999 x', 999, 'x'],
    ['Location: /elsewhere', 302, 'Found'],
    ['Location: https://example.com/', 302, 'Found'],
    ['Status: 201 Created\nLocation: /new', 201, 'Created'],
    ['Status: 200\nStatus: 500', 200, ''],
  ])('%j is %d %s', (lines, status, reason) => {
    expect(parse(`${lines}\n\n`).head).toMatchObject({ status, reason })
  })

  test('a head without any line is 200', () => {
    expect(parse('\r\nbody')).toMatchObject({ head: { status: 200, headers: [] }, body: 'body' })
    expect(parse('\nbody')).toMatchObject({ head: { status: 200, headers: [] }, body: 'body' })
  })
})

test('lines may end in LF, in CRLF, and in both', () => {
  const expected = { status: 200, headers: ['A', '1', 'B', '2'] }
  expect(parse('A: 1\nB: 2\n\n\nx')).toMatchObject({ head: expected, body: '\nx' })
  expect(parse('A: 1\r\nB: 2\r\n\r\n\r\nx')).toMatchObject({ head: expected, body: '\r\nx' })
  expect(parse('A: 1\r\nB: 2\n\r\nx')).toMatchObject({ head: expected, body: 'x' })
  expect(parse('A: 1\nB: 2\r\n\nx')).toMatchObject({ head: expected, body: 'x' })
})

test('a head that is cut anywhere gives the same result', () => {
  for (const text of ['Status: 201 Made\r\nA: 1\r\n\r\n', 'Status: 201 Made\nA: 1\n\n', '\r\n']) {
    const whole = parse(text)
    for (let cut = 0; cut <= text.length; cut++) expect(parse(text, [cut])).toEqual(whole)
    expect(
      parse(
        text,
        [...text].map((_, i) => i),
      ),
    ).toEqual(whole)
  }
})

test('values are bytes, without the blanks around them', () => {
  expect(parse('X: \t caf\xe9 \xc3\xa9\t\r\nEmpty:\r\n\r\n').head.headers).toEqual([
    'X',
    'caf\xe9 \xc3\xa9',
    'Empty',
    '',
  ])
})

test('Content-Length is parsed, and an equal repeated one counts once', () => {
  const { head } = parse('Content-Length: 12\r\ncontent-length: 12\r\n\r\n')
  expect(head.contentLength).toBe(12)
  expect(head.headers).toEqual(['Content-Length', '12'])
})

test.each([
  ['Location: /x?y=1', '/x?y=1'],
  ['location:/', '/'],
  ['Status: 302\nLocation: /x', undefined],
  ['Location: /x\nSet-Cookie: a=1', undefined],
  ['Content-Type: text/html\nLocation: /x', undefined],
  ['Location: http://h/x', undefined],
  ['Location: //h/x', undefined],
  ['Location: /x#y', undefined],
  ['Location: x', undefined],
])('%j is a local redirect to %s', (lines, location) => {
  const { head } = parse(`${lines}\n\n`)
  expect(head).toMatchObject({ status: 302, localLocation: location })
})

test.each([
  ['HTTP/1.1 200 OK', 'This line is not a header: "HTTP/1.1 200 OK"'],
  ['no colon here', 'This line is not a header: "no colon here"'],
  ['A: 1\n continued', 'This line is not a header: " continued"'],
  [': no name', 'This is not a valid header name: ""'],
  ['Bad Name: 1', 'This is not a valid header name: "Bad Name"'],
  [' Folded: 1', 'This is not a valid header name: " Folded"'],
  ['A : 1', 'This is not a valid header name: "A "'],
  ['A: 1\0', 'The value of the header A contains a character that HTTP does not allow: "1\\u0000"'],
  ['A: 1\r2', 'The value of the header A contains a character that HTTP does not allow: "1\\r2"'],
  ['A: \x1b[31m', 'The value of the header A contains a character that HTTP does not allow: "\\u001b[31m"'],
  ['Status: OK', 'Status must be a number from 100 to 999, and may have a reason: "OK"'],
  ['Status: 20', 'Status must be a number from 100 to 999, and may have a reason: "20"'],
  ['Status: 2000', 'Status must be a number from 100 to 999, and may have a reason: "2000"'],
  ['Status: 099', 'Status must be a number from 100 to 999, and may have a reason: "099"'],
  ['Content-Length: -1', 'Content-Length must be a decimal number of at most 15 digits: "-1"'],
  ['Content-Length: 1, 1', 'Content-Length must be a decimal number of at most 15 digits: "1, 1"'],
  ['Content-Length: 1\nContent-Length: 2', 'Content-Length is repeated with another value than 1: "2"'],
])('%j is refused as a malformed CGI head', (lines, problem) => {
  expect(() => parse(`${lines}\n\n`)).toThrow(
    expect.objectContaining({
      code: 'FCGI_ERR_RESPONSE_HEAD',
      message: `The application's response does not begin with a valid CGI head. ${problem}`,
    }),
  )
})

test('a head up to the limit is accepted, and one byte more is refused, regardless of where it is cut', () => {
  const text = `A: ${'x'.repeat(92)}\n\n`
  const every = [...text].map((_, i) => i)
  const tooLong = expect.objectContaining({
    code: 'FCGI_ERR_RESPONSE_HEAD_SIZE',
    message: expect.stringContaining('Raise maxHeaderSize'),
  })
  for (const cuts of [[], [50], every]) {
    expect(parse(text, cuts, text.length).head.headers).toHaveLength(2)
    expect(() => parse(text, cuts, text.length - 1)).toThrow(tooLong)
  }
  expect(() => parse('x'.repeat(1000), [], 100)).toThrow(tooLong)
})
