import { type Bytes, bytes, length, pair, pairs } from '@fcgi-bridge/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RequestError } from './error.ts'
import { Params } from './params.ts'

function params(...list: [name: Bytes, value: Bytes][]): Params {
  return new Params(pairs(list))
}

function errorOf(run: () => unknown): RequestError {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(RequestError)
    return error as RequestError
  }
  throw new Error('Nothing was thrown.')
}

describe('Params', () => {
  it('returns values by name, and undefined for absent params', () => {
    const got = params(['REQUEST_METHOD', 'GET'], ['CONTENT_TYPE', ''], ['PATH', '/x'])
    expect(got.get('REQUEST_METHOD')).toBe('GET')
    expect(got.get('CONTENT_TYPE')).toBe('')
    expect(got.get('PATH_INFO')).toBeUndefined()
    expect(got.count).toBe(3)
  })

  it('reads a block inside a larger buffer, and stays valid when the buffer is reused', () => {
    const block = pairs([
      ['A', '1'],
      ['B', '2'],
    ])
    const chunk = bytes('before', block, 'after\r\n\0')
    const got = new Params(chunk, 6, 6 + block.length)
    chunk.fill(0)
    expect(got.toList()).toEqual(['A', '1', 'B', '2'])
    expect(got.get('B')).toBe('2')
  })

  it('uses the last of several pairs with the same name, because nginx configurations override params this way', () => {
    const got = params(['SCRIPT_NAME', '/stock'], ['A', 'x'], ['SCRIPT_NAME', '/mine'])
    expect(got.get('SCRIPT_NAME')).toBe('/mine')
    expect(got.toRecord().SCRIPT_NAME).toBe('/mine')
  })

  it('joins repeated HTTP_* as Node joins repeated headers', () => {
    const got = params(
      ['HTTP_ACCEPT', 'text/html'],
      ['HTTP_COOKIE', 'a=1'],
      ['HTTP_USER_AGENT', 'first'],
      ['HTTP_X_A', '1'],
      ['HTTP_ACCEPT', '*/*'],
      ['HTTP_COOKIE', 'b=2'],
      ['HTTP_USER_AGENT', 'second'],
      ['HTTP_X_A', ''],
      ['HTTP_X_A', '3'],
    )
    expect({ ...got.toRecord() }).toEqual({
      HTTP_ACCEPT: 'text/html, */*',
      HTTP_COOKIE: 'a=1; b=2',
      HTTP_USER_AGENT: 'first',
      HTTP_X_A: '1, , 3',
    })
  })

  it("treats empty params about the client's identity as absent (Caddy, nginx)", () => {
    const names = [
      ...['REMOTE_USER', 'REMOTE_ADDR', 'REMOTE_PORT', 'REMOTE_HOST', 'REMOTE_IDENT', 'AUTH_TYPE'],
      ...['SSL_CLIENT_S_DN', 'SSL_CLIENT_VERIFY'],
    ]
    const remaining = ['CONTENT_TYPE', 'PATH_INFO', 'REMOTE_PASSWD', 'HTTP_REMOTE_USER', 'XREMOTE_USER']
    const got = params(...[...names, ...remaining].map((name): [string, string] => [name, '']))
    for (const name of names) expect(got.get(name)).toBeUndefined()
    expect(Object.keys(got.toRecord())).toEqual(remaining)
    expect(got.toList()).toHaveLength(2 * (names.length + remaining.length))

    const overridden = params(['REMOTE_USER', 'ann'], ['REMOTE_USER', ''])
    expect(overridden.get('REMOTE_USER')).toBeUndefined()
    expect('REMOTE_USER' in overridden.toRecord()).toBe(false)
    const set = params(['REMOTE_USER', ''], ['REMOTE_USER', 'ann'])
    expect([set.get('REMOTE_USER'), set.toRecord().REMOTE_USER]).toEqual(['ann', 'ann'])
  })

  it('keeps every pair in the list, in order', () => {
    const got = params(['HTTP_X_A', '1'], ['B', ''], ['HTTP_X_A', '2'], ['', ''], ['', 'v'])
    expect(got.toList()).toEqual(['HTTP_X_A', '1', 'B', '', 'HTTP_X_A', '2', '', '', '', 'v'])
  })

  it('treats __proto__, constructor and toString as plain data', () => {
    const got = params(['__proto__', 'a'], ['constructor', 'b'], ['toString', 'c'], ['HTTP___PROTO__', 'd'])
    const record = got.toRecord()
    expect(Object.getPrototypeOf(record)).toBeNull()
    expect(Object.keys(record)).toEqual(['__proto__', 'constructor', 'toString', 'HTTP___PROTO__'])
    expect(Object.values(record)).toEqual(['a', 'b', 'c', 'd'])
    expect(params().get('toString')).toBeUndefined()
    expect(params().toRecord().toString).toBeUndefined()
  })

  it('keeps the bytes 0x80 to 0xFF as one character each', () => {
    const all = Buffer.from(Array.from({ length: 255 }, (_, i) => i + 1))
    const got = params(['X', all], [Buffer.from([0xc3, 0xa9]), 'v'])
    expect(Buffer.from(got.get('X')!, 'latin1')).toEqual(all)
    expect(got.get('\u00c3\u00a9')).toBe('v')
  })

  it.each([127, 128, 65_535, 65_536])('reads a value of %i bytes', (size) => {
    expect(params(['X', Buffer.alloc(size, 'v')], ['Y', 'y']).get('X')).toBe('v'.repeat(size))
  })

  it.each([
    ['a value', 'A', 'x\0y'],
    ['a value with nothing else', 'A', '\0'],
    ['a name', 'A\0B', 'v'],
    ['a header', 'HTTP_X', '\0x'],
    ['the last byte', 'QUERY_STRING', 'x\0'],
  ])('refuses a NUL in %s', (_, name, value) => {
    for (const list of [
      [[name, value]],
      [
        ['', ''],
        [name, value],
        ['Z', ''],
      ],
    ] as [string, string][][]) {
      const error = errorOf(() => params(...list))
      expect(error.status).toBe(400)
      expect(error.code).toBe('FCGI_ERR_PARAMS')
    }
  })

  it('does not mistake length bytes of 0, 10 or 13 for NUL, LF or CR', () => {
    const name = 'HTTP_X_TEN' // 10
    const other = 'HTTP_THIRTEEN' // 13
    const block = bytes(
      pair(name, '0123456789', 4, 4),
      pair(other, '', 1, 4),
      pair('', 'thirteen char', 1, 1),
      pair(other, '0123456789', 1, 1),
      pair('REQUEST_METHOD', 'GET'),
    )
    const got = new Params(block)
    expect(got.faults).toBe(0)
    expect(got.count).toBe(5)
  })

  it.each<[string, Buffer]>([
    ['a name longer than the block', bytes(length(5), length(0), 'ABCD')],
    ['a value longer than the block', bytes(length(1), length(5), 'A', 'abcd')],
    ['a length of 0xFFFFFFFF', bytes([0xff, 0xff, 0xff, 0xff, 1], 'A')],
    ['two lengths of 0xFFFFFFFF', bytes([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
    ['a block that ends within a length', bytes(pair('A', 'b'), [0x80, 0])],
    ['a block that ends before the second length', bytes(pair('A', 'b'), [3])],
  ])('refuses %s', (_, block) => {
    const error = errorOf(() => new Params(block))
    expect(error.status).toBe(400)
    expect(error.code).toBe('FCGI_ERR_PARAMS')
  })

  it('refuses more pairs than maxParamsCount with a 431', () => {
    const list = Array.from({ length: 2001 }, (_, i): [string, string] => [`X${i}`, ''])
    expect(errorOf(() => params(...list)).status).toBe(431)
    expect(params(...list.slice(1)).count).toBe(2000)
    const two = pairs(list.slice(0, 2))
    expect(new Params(two, 0, two.length, { maxParamsCount: 2 }).count).toBe(2)
    expect(errorOf(() => new Params(two, 0, two.length, { maxParamsCount: 1 })).code).toBe(
      'FCGI_ERR_PARAMS_COUNT',
    )
  })

  it('returns all pairs that were encoded, if they contain no NUL', () => {
    const text = fc
      .uint8Array({ min: 1, maxLength: 300 })
      .map((array) => Buffer.from(array).toString('latin1'))
    const name = fc.oneof(
      text,
      fc.constantFrom('', 'HTTP_HOST', 'HTTP_X', 'CONTENT_LENGTH', 'REQUEST_METHOD'),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(name, text)), fc.nat(9), (list, before) => {
        const block = bytes(new Uint8Array(before), pairs(list), '\0')
        const got = new Params(block, before, block.length - 1)
        expect(got.toList()).toEqual(list.flat())
        for (const [name] of list) {
          expect(got.get(name)).toBe(list.findLast(([other]) => other === name)![1])
        }
        expect(Object.keys(got.toRecord()).length).toBe(new Set(list.map(([name]) => name)).size)
      }),
    )
  })

  it('returns the same pairs after other params have been decoded, and after others could not be', () => {
    const list: [string, string][] = [
      ['SCRIPT_NAME', '/a'],
      ['HTTP_X_LONG', 'é'.repeat(200)],
      ['HTTP_HOST', 'one.test'],
      ['HTTP_COOKIE', 'a=1'],
      ['HTTP_COOKIE', 'b=2'],
      ['N'.repeat(130), ''],
    ]
    const read = (got: Params): unknown => ({
      list: got.toList(),
      record: { ...got.toRecord() },
      headers: Array.from({ length: got.count }, (_, i) => [got.headerNameAt(i)?.header, got.valueAt(i)]),
      named: list.map(([name]) => got.get(name)),
    })
    const before = read(params(...list))
    const got = params(...list)
    const next = params(['HTTP_HOST', 'two.test'], ['SCRIPT_NAME', '/b'])
    expect(next.get('SCRIPT_NAME')).toBe('/b')
    expect(read(got)).toEqual(before)
    const third = params(...list)
    errorOf(() => new Params(bytes(pair('HTTP_ACCEPT', 'x'), 'truncated')))
    expect(read(third)).toEqual(before)
    expect(next.toList()).toEqual(['HTTP_HOST', 'two.test', 'SCRIPT_NAME', '/b'])
  })

  it('finds a NUL in any name or value', () => {
    const value = fc.uint8Array({ min: 0, max: 14, maxLength: 20 })
    fc.assert(
      fc.property(fc.array(fc.tuple(value, value), { minLength: 1 }), (list) => {
        const block = pairs(list)
        if (list.some((pair) => pair.some((text) => text.includes(0)))) {
          expect(errorOf(() => new Params(block)).code).toBe('FCGI_ERR_PARAMS')
        } else {
          expect(new Params(block).count).toBe(list.length)
        }
      }),
    )
  })
})
