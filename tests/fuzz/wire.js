// FastCGI records (section 3.3), written from the specification for the fuzzer. It does not use packages/testing, because the fuzzer
// runs in plain Node 20, which cannot load TypeScript.

export const BEGIN_REQUEST = 1
export const ABORT_REQUEST = 2
export const END_REQUEST = 3
export const PARAMS = 4
export const STDIN = 5
export const STDOUT = 6
export const STDERR = 7
export const GET_VALUES = 9
export const GET_VALUES_RESULT = 10
export const UNKNOWN_TYPE = 11

const HEADER = 8

/**
 * @typedef {object} WireRecord
 * @property {number} version
 * @property {number} type
 * @property {number} id
 * @property {Buffer} content
 * @property {Buffer} padding
 */

/**
 * Reads the records of `bytes` up to the first one of another version. `rest` holds the bytes after the last whole record.
 * @param {Buffer} bytes
 * @returns {{ records: WireRecord[], rest: Buffer }}
 */
export function readRecords(bytes) {
  const records = []
  let at = 0
  while (bytes.length - at >= HEADER && bytes[at] === 1) {
    const contentEnd = at + HEADER + bytes.readUInt16BE(at + 4)
    const end = contentEnd + bytes[at + 6]
    if (contentEnd > bytes.length) break
    // The content is complete, so read it even if part of the padding is missing.
    records.push({
      version: bytes[at],
      type: bytes[at + 1],
      id: bytes.readUInt16BE(at + 2),
      content: bytes.subarray(at + HEADER, contentEnd),
      padding: bytes.subarray(contentEnd, end),
    })
    if (end > bytes.length) break
    at = end
  }
  return { records, rest: bytes.subarray(at) }
}

/**
 * Builds a record without padding.
 * @param {number} type
 * @param {number} id
 * @param {Buffer | string} content
 */
export function record(type, id, content = '') {
  const body = Buffer.from(content)
  return Buffer.concat([
    Buffer.from([1, type, id >> 8, id & 0xff, body.length >> 8, body.length & 0xff, 0, 0]),
    body,
  ])
}
