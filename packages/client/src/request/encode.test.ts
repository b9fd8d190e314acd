import { expect, test } from 'vitest'
import { encodeRequest as encodeText } from './encode.ts'
import { ParamName, ParamsWriter } from './params-writer.ts'

function encodeRequest(
  requestId: number,
  keepConn: boolean,
  params: ReadonlyMap<string, string>,
  stdin: Uint8Array | undefined,
): Buffer {
  const writer = new ParamsWriter(undefined)
  for (const [name, value] of params) writer.add(new ParamName(name), value)
  return Buffer.from(encodeText(requestId, keepConn, writer.end(), stdin), 'latin1')
}

// Encodes a record as section 3.3 of the specification defines it, independently of the code under test.
function record(type: number, requestId: number, content: Uint8Array): Buffer {
  const padding = (8 - (content.length % 8)) % 8
  const { length } = content
  const header = [1, type, requestId >> 8, requestId & 0xff, length >> 8, length & 0xff, padding, 0]
  return Buffer.concat([Buffer.from(header), content, Buffer.alloc(padding)])
}

const EMPTY = Buffer.alloc(0)
const BEGIN_KEEP = record(1, 1, Buffer.from([0, 1, 1, 0, 0, 0, 0, 0]))

test('a request without a body is one string: BEGIN_REQUEST, PARAMS and its end, the end of STDIN', () => {
  const params = new Map([
    ['A', 'x'],
    ['EMPTY', ''],
  ])
  const block = Buffer.from('\x01\x01Ax\x05\x00EMPTY', 'latin1')
  expect(encodeRequest(1, true, params, EMPTY)).toEqual(
    Buffer.concat([BEGIN_KEEP, record(4, 1, block), record(4, 1, EMPTY), record(5, 1, EMPTY)]),
  )
})

test('a small body is in the same string', () => {
  const block = Buffer.from('\x01\x01Ax', 'latin1')
  expect(encodeRequest(1, true, new Map([['A', 'x']]), Buffer.from('hello'))).toEqual(
    Buffer.concat([
      BEGIN_KEEP,
      record(4, 1, block),
      record(4, 1, EMPTY),
      record(5, 1, Buffer.from('hello')),
      record(5, 1, EMPTY),
    ]),
  )
})

test('without stdin, the string ends after PARAMS; ids have two bytes, KEEP_CONN is a flag', () => {
  expect(encodeRequest(0x1234, false, new Map([['A', 'x']]), undefined)).toEqual(
    Buffer.concat([
      record(1, 0x1234, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0])),
      record(4, 0x1234, Buffer.from('\x01\x01Ax', 'latin1')),
      record(4, 0x1234, EMPTY),
    ]),
  )
})

test('lengths of 128 and more take four bytes, and values have one byte per character', () => {
  const long = '\xe9'.repeat(128)
  const block = Buffer.from(`\x01\x7fA${'a'.repeat(127)}\x01\x80\x00\x00\x80B${long}`, 'latin1')
  const params = new Map([
    ['A', 'a'.repeat(127)],
    ['B', long],
  ])
  expect(encodeRequest(1, true, params, undefined)).toEqual(
    Buffer.concat([BEGIN_KEEP, record(4, 1, block), record(4, 1, EMPTY)]),
  )
})

test('long params are split between pairs, and within a pair only if it does not fit in one record', () => {
  const params = new Map([
    ['A', 'a'.repeat(40_000)],
    ['B', 'b'.repeat(40_000)],
    ['C', 'c'.repeat(70_000)],
  ])
  const [a, b, c] = [...params].map(([name, value]) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(value.length + 0x8000_0000)
    return Buffer.concat([Buffer.from([1]), length, Buffer.from(name + value)])
  })
  expect(encodeRequest(1, true, params, undefined)).toEqual(
    Buffer.concat([
      BEGIN_KEEP,
      record(4, 1, a!),
      record(4, 1, b!),
      record(4, 1, c!.subarray(0, 65_528)),
      record(4, 1, c!.subarray(65_528)),
      record(4, 1, EMPTY),
    ]),
  )
})
