// Builds records of FastCGI 1.0, valid and invalid ones. It shares no code with any server under test.

/** The record types (section 8). */
export const TYPES = {
  BEGIN_REQUEST: 1,
  ABORT_REQUEST: 2,
  END_REQUEST: 3,
  PARAMS: 4,
  STDIN: 5,
  STDOUT: 6,
  STDERR: 7,
  DATA: 8,
  GET_VALUES: 9,
  GET_VALUES_RESULT: 10,
  UNKNOWN_TYPE: 11,
} as const

/** The roles (section 5.1). */
export const ROLES = { RESPONDER: 1, AUTHORIZER: 2, FILTER: 3 } as const

/** The values of protocolStatus (section 5.5). */
export const STATUSES = { REQUEST_COMPLETE: 0, CANT_MPX_CONN: 1, OVERLOADED: 2, UNKNOWN_ROLE: 3 } as const

/** The flag of BEGIN_REQUEST that keeps the connection open (section 5.1). */
const KEEP_CONN = 1

/** The largest content of a record, in bytes (section 3.3). */
export const CONTENT_MAX = 65_535

/** Bytes. Text is encoded as latin1. */
export type Bytes = string | readonly number[] | Uint8Array

/** A name-value pair, such as a param. */
export type Pair = readonly [name: Bytes, value: Bytes]

/** Concatenates bytes. */
export function bytes(...parts: Bytes[]): Buffer {
  return Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))),
  )
}

/** Fields of a record that are usually constant. */
interface RecordOptions {
  version?: number
  padding?: Uint8Array
  reserved?: number
}

/** Builds a record (section 3.3). */
export function record(type: number, id: number, content: Bytes = '', options: RecordOptions = {}): Buffer {
  const { version = 1, padding = new Uint8Array(), reserved = 0 } = options
  const body = bytes(content)
  const lengths = [body.length >> 8, body.length & 255, padding.length, reserved]
  return bytes([version, type, id >> 8, id & 255, ...lengths], body, padding)
}

/** Encodes a length in one byte or in four (section 3.4). Default: one byte below 128. */
export function length(value: number, form: 1 | 4 = value < 128 ? 1 : 4): Buffer {
  if (form === 1) return bytes([value])
  return bytes([0x80 | (value >> 24), (value >> 16) & 255, (value >> 8) & 255, value & 255])
}

/** Encodes a name-value pair (section 3.4). */
export function pair(name: Bytes, value: Bytes, nameForm?: 1 | 4, valueForm?: 1 | 4): Buffer {
  const [nameBytes, valueBytes] = [bytes(name), bytes(value)]
  const lengths = [length(nameBytes.length, nameForm), length(valueBytes.length, valueForm)]
  return bytes(...lengths, nameBytes, valueBytes)
}

/** Encodes name-value pairs, as the content of a PARAMS stream or of a GET_VALUES record. */
export function pairs(list: Iterable<Pair>): Buffer {
  return Buffer.concat([...list].map(([name, value]) => pair(name, value)))
}

/** Decodes name-value pairs. Throws a RangeError if the block ends in the middle of one. */
export function readPairs(block: Buffer): [name: string, value: string][] {
  const list: [string, string][] = []
  let at = 0
  const readLength = (): number => {
    if (block.readUInt8(at) < 128) return block[at++]!
    at += 4
    return block.readUInt32BE(at - 4) & 0x7fffffff
  }
  const readText = (size: number): string => {
    if (at + size > block.length) throw new RangeError('A pair is longer than its block.')
    at += size
    return block.toString('latin1', at - size, at)
  }
  while (at < block.length) {
    const [nameSize, valueSize] = [readLength(), readLength()]
    list.push([readText(nameSize), readText(valueSize)])
  }
  return list
}

/** The fields of a BEGIN_REQUEST. */
export interface BeginOptions {
  role?: number
  keepConn?: boolean
  /** More bits of the flags byte. */
  flags?: number
}

/** Builds a BEGIN_REQUEST record (section 5.1). */
export function begin(id: number, options: BeginOptions = {}): Buffer {
  const { role = ROLES.RESPONDER, keepConn = false, flags = 0 } = options
  const flagByte = flags | (keepConn ? KEEP_CONN : 0)
  return record(TYPES.BEGIN_REQUEST, id, [role >> 8, role & 255, flagByte, 0, 0, 0, 0, 0])
}

/** Builds records of a stream that carry `content` in pieces of `size` bytes. The empty record that ends the stream is not included. */
export function stream(type: number, id: number, content: Bytes, size: number = CONTENT_MAX): Buffer {
  const all = bytes(content)
  const records: Buffer[] = []
  for (let at = 0; at < all.length; at += size) records.push(record(type, id, all.subarray(at, at + size)))
  return Buffer.concat(records)
}

/** Builds a whole stream: `content`, and the empty record that ends the stream. */
export function wholeStream(type: number, id: number, content: Bytes = ''): Buffer {
  return bytes(stream(type, id, content), record(type, id))
}
