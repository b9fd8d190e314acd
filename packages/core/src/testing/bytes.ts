// FastCGI 1.0 as the specification draws it, byte by byte, for tests alone: it shares no line with what it tests.

/** Record types by the names of section 8. */
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

/** Bytes of a latin1 string, a list of numbers, or bytes. */
export type Bytes = string | readonly number[] | Uint8Array

/** Text as latin1, numbers as they are. */
export function bytes(...parts: Bytes[]): Buffer {
  return Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))),
  )
}

/** One record (section 3.3), with padding that is not zero unless told, since nobody may look at it. */
export function record(type: number, requestId: number, content: Bytes = '', padding = 0): Buffer {
  const body = bytes(content)
  const header = [1, type, requestId >> 8, requestId % 256, body.length >> 8, body.length % 256, padding, 0]
  return bytes(header, body, Buffer.alloc(padding, 0xaa))
}

/** A length in the form of section 3.4 that takes one byte (below 128) or four. */
export function length(value: number, form: 1 | 4 = value < 128 ? 1 : 4): Buffer {
  if (form === 1) return bytes([value])
  return bytes([0x80 + (value >> 24), (value >> 16) % 256, (value >> 8) % 256, value % 256])
}

/** One name-value pair (section 3.4). */
export function pair(name: Bytes, value: Bytes, nameForm?: 1 | 4, valueForm?: 1 | 4): Buffer {
  const nameBytes = bytes(name)
  const valueBytes = bytes(value)
  return bytes(
    length(nameBytes.length, nameForm),
    length(valueBytes.length, valueForm),
    nameBytes,
    valueBytes,
  )
}

/** Pairs one after the other: the content of a PARAMS stream. */
export function pairs(list: Iterable<readonly [name: Bytes, value: Bytes]>): Buffer {
  return Buffer.concat([...list].map(([name, value]) => pair(name, value)))
}
