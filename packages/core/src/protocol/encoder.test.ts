import { bytes, TYPES } from '@fcgi-bridge/testing'
import { describe, expect, it } from 'vitest'
import { FCGI_AUTHORIZER, FCGI_KEEP_CONN, FCGI_RESPONDER } from './constants.ts'
import {
  END_REQUEST_LENGTH,
  encodeBeginRequest,
  encodeEndRequest,
  encodeHeader,
  encodeHeaderText,
  encodeRecord,
  encodeUnknownType,
  paddingFor,
  RECORD_CONTENT_MAX,
  writeEndRequest,
  writeHeader,
} from './encoder.ts'

describe('encodeRecord', () => {
  it('writes a header, the content, and zeros as padding to a multiple of 8', () => {
    expect(encodeRecord(TYPES.STDOUT, 0x0102, bytes('hello'))).toEqual(
      bytes([1, 6, 1, 2, 0, 5, 3, 0], 'hello', [0, 0, 0]),
    )
    expect(encodeRecord(TYPES.STDERR, 255, bytes('12345678'))).toEqual(
      bytes([1, 7, 0, 255, 0, 8, 0, 0], '12345678'),
    )
  })

  it('writes the end of a stream as eight bytes', () => {
    expect(encodeRecord(TYPES.STDOUT, 1, bytes(''))).toEqual(bytes([1, 6, 0, 1, 0, 0, 0, 0]))
  })

  it.each([1, 7, 8, 9, 255, 256, 65_528, 65_535])('aligns a record with %i bytes of content', (length) => {
    const content = Buffer.alloc(length, 'v')
    const record = encodeRecord(TYPES.STDOUT, 1, content)
    expect(record.length % 8).toBe(0)
    expect(record.length - length).toBeLessThan(16)
    expect(record.readUInt16BE(4)).toBe(length)
    expect(record[6]).toBe(record.length - 8 - length)
    expect(record.subarray(8, 8 + length).equals(content)).toBe(true)
    expect(record.subarray(8 + length).every((byte) => byte === 0)).toBe(true)
  })

  it('never sends old memory as padding', () => {
    let dirty = 0
    for (let i = 0; i < 20; i++) {
      // Node allocates the next small buffers from this memory.
      const probe = Buffer.allocUnsafe(8)
      new Uint8Array(probe.buffer, probe.byteOffset + 8).fill(0xff)
      const record = encodeRecord(TYPES.STDOUT, 1, bytes('x'))
      if (record.buffer === probe.buffer) dirty++
      expect(record.subarray(9)).toEqual(Buffer.alloc(7))
    }
    expect(dirty).toBeGreaterThan(0)
  })
})

describe('RECORD_CONTENT_MAX', () => {
  it('is the largest multiple of 8 that fits into two bytes', () => {
    expect(RECORD_CONTENT_MAX).toBe(65_528)
    expect(paddingFor(RECORD_CONTENT_MAX)).toBe(0)
  })
})

describe('paddingFor', () => {
  it.each([
    [0, 0],
    [1, 7],
    [7, 1],
    [8, 0],
    [9, 7],
    [65_535, 1],
  ])('%i bytes: %i', (length, padding) => {
    expect(paddingFor(length)).toBe(padding)
  })
})

describe('encodeHeader, encodeHeaderText and writeHeader', () => {
  it('write every field big-endian', () => {
    expect(encodeHeader(TYPES.STDIN, 0xfffe, 0xabcd, 3)).toEqual(bytes([1, 5, 0xff, 0xfe, 0xab, 0xcd, 3, 0]))
    expect(encodeHeaderText(TYPES.STDIN, 0xfffe, 0xabcd, 3)).toBe('\x01\x05\xff\xfe\xab\xcd\x03\x00')
  })

  it('write at the given offset only', () => {
    const into = Buffer.alloc(12, 0xee)
    expect(writeHeader(into, 2, TYPES.DATA, 1, 2, 6)).toBe(10)
    expect(into).toEqual(bytes([0xee, 0xee], [1, 8, 0, 1, 0, 2, 6, 0], [0xee, 0xee]))
  })
})

describe('encodeEndRequest (section 5.5)', () => {
  it.each([
    [0, [0, 0, 0, 0]],
    [1, [0, 0, 0, 1]],
    [938, [0, 0, 3, 0xaa]],
    [0xffff_ffff, [0xff, 0xff, 0xff, 0xff]],
  ])('writes the appStatus %i big-endian', (appStatus, encoded) => {
    expect(encodeEndRequest(258, appStatus, 2)).toEqual(
      bytes([1, 3, 1, 2, 0, 8, 0, 0], encoded, [2, 0, 0, 0]),
    )
  })

  it('writes END_REQUEST_LENGTH bytes at the given offset only', () => {
    const into = Buffer.alloc(END_REQUEST_LENGTH + 2, 0xee)
    expect(writeEndRequest(into, 1, 1, 0, 3)).toBe(1 + END_REQUEST_LENGTH)
    expect(into).toEqual(bytes([0xee], [1, 3, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0], [0xee]))
  })
})

describe('encodeBeginRequest (section 5.1)', () => {
  it('writes role and flags', () => {
    expect(encodeBeginRequest(1, FCGI_RESPONDER, FCGI_KEEP_CONN)).toEqual(
      bytes([1, 1, 0, 1, 0, 8, 0, 0], [0, 1, 1, 0, 0, 0, 0, 0]),
    )
    expect(encodeBeginRequest(0x8001, FCGI_AUTHORIZER, 0)).toEqual(
      bytes([1, 1, 0x80, 1, 0, 8, 0, 0], [0, 2, 0, 0, 0, 0, 0, 0]),
    )
    expect(encodeBeginRequest(1, 0xabcd, 0).subarray(8, 10)).toEqual(bytes([0xab, 0xcd]))
  })
})

describe('encodeUnknownType (section 4.2)', () => {
  it('writes the type, with request id 0', () => {
    expect(encodeUnknownType(99)).toEqual(bytes([1, 11, 0, 0, 0, 8, 0, 0], [99, 0, 0, 0, 0, 0, 0, 0]))
  })
})
