import { describe, expect, test } from 'vitest'
import { bytes } from './bytes.ts'
import { pairs, readPairs } from './name-values.ts'
import { RecordReader, type WireRecord } from './record-reader.ts'
import { record, TYPES } from './records.ts'

function read(...chunks: Buffer[]): { records: WireRecord[]; invalid: boolean } {
  const records: WireRecord[] = []
  const reader = new RecordReader((one) => records.push(one))
  for (const chunk of chunks) reader.push(chunk)
  return { records, invalid: reader.invalid }
}

describe('RecordReader', () => {
  // Version 1, STDOUT, id 0x0102, 3 bytes of content, 2 bytes of padding.
  const wire = Buffer.from([1, 6, 1, 2, 0, 3, 2, 0, 97, 98, 99, 0xaa, 0xaa])

  test('reads a record however its bytes are split', () => {
    const expected = { type: 6, id: 0x0102, content: Buffer.from('abc'), padding: Buffer.alloc(2, 0xaa) }
    expect(record(TYPES.STDOUT, 0x0102, 'abc', 2)).toEqual(wire)
    for (let at = 0; at <= wire.length; at++) {
      expect(read(wire.subarray(0, at), wire.subarray(at)).records).toEqual([expected])
    }
  })

  test('waits for the last byte of the padding', () => {
    expect(read(wire.subarray(0, -1)).records).toEqual([])
  })

  test('stops at a header of another version', () => {
    const { records, invalid } = read(bytes(wire, Buffer.alloc(8), wire))
    expect(records).toHaveLength(1)
    expect(invalid).toBe(true)
  })
})

describe('readPairs', () => {
  test('reads lengths of one byte and of four', () => {
    const long = 'v'.repeat(300)
    expect(bytes([1, 1], 'ab', [3, 0x80, 0, 1, 0x2c], 'ccc', long)).toEqual(
      pairs([
        ['a', 'b'],
        ['ccc', long],
      ]),
    )
    expect(readPairs(bytes([1, 1], 'ab', [3, 0x80, 0, 1, 0x2c], 'ccc', long))).toEqual([
      ['a', 'b'],
      ['ccc', long],
    ])
  })

  test('throws for a truncated pair', () => {
    expect(() => readPairs(bytes([1, 2], 'ab'))).toThrow(RangeError)
    expect(() => readPairs(bytes([1, 0x80, 0]))).toThrow(RangeError)
  })
})
