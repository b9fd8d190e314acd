import { bytes, length, pair, pairs, record, TYPES } from '@fcgi-bridge/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyNameValueBlock } from '../testing/arbitraries.ts'
import { FCGI_PARAMS } from './constants.ts'
import { RecordDecoder } from './decoder.ts'
import { decodeNameValues, encodeNameValues } from './name-values.ts'

const CUT_SHORT = expect.objectContaining({ name: 'ProtocolError', code: 'FCGI_ERR_NAME_VALUE' })

describe('decodeNameValues (section 3.4)', () => {
  const long = 'n'.repeat(200)

  it.each([
    ['1 and 1', pair('NAME', 'value'), ['NAME', 'value']],
    ['1 and 4', pair('NAME', long), ['NAME', long]],
    ['4 and 1', pair(long, 'value'), [long, 'value']],
    ['4 and 4', pair(long, long), [long, long]],
    ['4 and 4 for lengths below 128', pair('NAME', 'value', 4, 4), ['NAME', 'value']],
    ['4 and 4 for empty strings', pair('', '', 4, 4), ['', '']],
  ])('reads lengths of %s bytes', (_, block, read) => {
    expect(decodeNameValues(block)).toEqual([read])
    expect(decodeNameValues(bytes(block, pair('B', 'b')))).toEqual([read, ['B', 'b']])
  })

  it('reads an empty name, an empty value, both, and an empty block', () => {
    expect(
      decodeNameValues(
        pairs([
          ['', 'v'],
          ['N', ''],
          ['', ''],
        ]),
      ),
    ).toEqual([
      ['', 'v'],
      ['N', ''],
      ['', ''],
    ])
    expect(decodeNameValues(Buffer.alloc(0))).toEqual([])
  })

  it.each([127, 128, 65_535, 65_536, 1_000_000])('reads a value and a name of %i bytes', (size) => {
    const text = 'x'.repeat(size)
    expect(decodeNameValues(bytes(pair('N', text), pair(text, 'v')))).toEqual([
      ['N', text],
      [text, 'v'],
    ])
  })

  it('keeps every byte, and repeated names in order', () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i)).toString('latin1')
    expect(
      decodeNameValues(
        pairs([
          [all, all],
          ['A', '1'],
          ['A', '2'],
        ]),
      ),
    ).toEqual([
      [all, all],
      ['A', '1'],
      ['A', '2'],
    ])
  })

  it('ignores the bytes before and after the block', () => {
    const block = pair('NAME', 'value')
    expect(decodeNameValues(bytes([0xff, 0xff], block, [9]), 2, 2 + block.length)).toEqual([
      ['NAME', 'value'],
    ])
  })

  it('refuses a block that ends in the middle of a pair', () => {
    const first = pair('NAME', 'value', 4, 4)
    const block = bytes(first, pair('B', 'b'))
    for (let end = 0; end <= block.length; end++) {
      // The bytes after the block must not complete the pair.
      const read = (): unknown => decodeNameValues(block, 0, end)
      if (end === 0 || end === first.length || end === block.length) expect(read).not.toThrow()
      else expect(read).toThrow(CUT_SHORT)
    }
  })

  it.each<[string, Buffer]>([
    ['of the name', bytes([0xff, 0xff, 0xff, 0xff], [1], 'NV')],
    ['of the value', bytes([1], [0xff, 0xff, 0xff, 0xff], 'NV')],
    ['of both', bytes([0xff, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0xff], 'NV')],
    ['of both, summing up to 2 ** 32 - 2', bytes(length(0x7fff_ffff), length(0x7fff_ffff), 'NV')],
  ])('refuses a length %s that exceeds the block, without allocating memory for it', (_, block) => {
    const before = process.memoryUsage().arrayBuffers
    expect(() => decodeNameValues(block)).toThrow(CUT_SHORT)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000)
  })
})

describe('decodeNameValues of any bytes', () => {
  // A simple implementation of section 3.4, which checks each bound separately.
  function reference(block: Uint8Array): [string, string][] | undefined {
    const list: [string, string][] = []
    const rest = [...block]
    const takeLength = (): number | undefined => {
      const first = rest.shift()
      if (first === undefined || first < 128) return first
      const others = rest.splice(0, 3)
      return others.length < 3 ? undefined : others.reduce((sum, byte) => sum * 256 + byte, first - 128)
    }
    while (rest.length > 0) {
      const nameLength = takeLength()
      const valueLength = takeLength()
      if (nameLength === undefined || valueLength === undefined) return undefined
      if (nameLength + valueLength > rest.length) return undefined
      list.push([
        String.fromCharCode(...rest.splice(0, nameLength)),
        String.fromCharCode(...rest.splice(0, valueLength)),
      ])
    }
    return list
  }

  it('returns the pairs or throws the error, independent of the bytes around the block', () => {
    fc.assert(
      fc.property(anyNameValueBlock, fc.nat(9), fc.nat(255), (block, before, filler) => {
        const around = bytes(new Uint8Array(before).fill(filler), block, new Uint8Array(9).fill(filler))
        const read = (): unknown => decodeNameValues(around, before, before + block.length)
        const expected = reference(block)
        if (expected === undefined) expect(read).toThrow(CUT_SHORT)
        else expect(read()).toEqual(expected)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('pairs split over records', () => {
  // Joins the contents of the records like a server does.
  function join(...records: Buffer[]): Buffer {
    const pieces: Buffer[] = []
    const decoder = new RecordDecoder({
      onStream: (type, _requestId, chunk, start, end) => {
        expect(type).toBe(FCGI_PARAMS)
        pieces.push(chunk.subarray(start, end))
      },
      onDiscrete: () => expect.unreachable(),
    })
    for (const one of records) decoder.push(one)
    return Buffer.concat(pieces)
  }

  it('are decoded as in the specification (Appendix B, example 2)', () => {
    expect(
      decodeNameValues(
        join(
          record(TYPES.PARAMS, 1, '\u000b\u0002SERVER_PORT80\u000b\u000eSER'),
          record(TYPES.PARAMS, 1, 'VER_ADDR199.170.183.42'),
          record(TYPES.PARAMS, 1),
        ),
      ),
    ).toEqual([
      ['SERVER_PORT', '80'],
      ['SERVER_ADDR', '199.170.183.42'],
    ])
  })

  it('are decoded wherever they are split: in a length, the name or the value', () => {
    const block = bytes(pair('NAME', 'value', 4, 4), pair('B', 'b'))
    for (let at = 0; at <= block.length; at++) {
      const split = join(
        record(TYPES.PARAMS, 1, block.subarray(0, at), 7),
        record(TYPES.PARAMS, 1, block.subarray(at), 1),
      )
      expect(decodeNameValues(split)).toEqual([
        ['NAME', 'value'],
        ['B', 'b'],
      ])
    }
  })
})

describe('encodeNameValues', () => {
  it('writes lengths below 128 as one byte, others as four', () => {
    const list: [string, string][] = [
      ['NAME', 'value'],
      ['', ''],
      ['A', 'x'.repeat(127)],
      ['B', 'x'.repeat(128)],
      ['y'.repeat(65_536), 'z'],
    ]
    expect(encodeNameValues(list)).toEqual(pairs(list))
  })

  it('writes strings with one byte per character, and buffers unchanged', () => {
    expect(
      encodeNameValues([
        ['A', '\u00e9'],
        ['B', Buffer.from('\u20ac')],
      ]),
    ).toEqual(bytes([1, 1], 'A', [0xe9], [1, 3], 'B', [0xe2, 0x82, 0xac]))
  })

  it('encodes pairs that decodeNameValues decodes to the same pairs', () => {
    const text = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array).toString('latin1'))
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text)), (list) => {
        expect(decodeNameValues(encodeNameValues(list))).toEqual(list)
      }),
    )
  })
})
