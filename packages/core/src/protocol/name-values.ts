import { ProtocolError } from './error.ts'

/** Decodes the length at `at` (section 3.4). It has one byte, or four if the high bit of the first is set. */
export function lengthAt(block: Uint8Array, at: number): number {
  const first = block[at]!
  return first <= 127
    ? first
    : ((first & 0x7f) << 24) | (block[at + 1]! << 16) | (block[at + 2]! << 8) | block[at + 3]!
}

/** Returns the offset after the length at `at`. It is beyond the end of the block if the length is truncated. */
export function afterLength(block: Uint8Array, at: number): number {
  return block[at]! <= 127 ? at + 1 : at + 4
}

/** Creates the error for a block that ends in the middle of a pair. */
export function truncatedPairError(): ProtocolError {
  return new ProtocolError(
    'FCGI_ERR_NAME_VALUE',
    'A name-value pair is longer than the stream that carries it.',
  )
}

/**
 * Decodes a complete block of name-value pairs (section 3.4) into strings with one character (latin1) per byte. Throws
 * {@link ProtocolError} if the block ends in the middle of a pair. A false length causes no allocation.
 */
export function decodeNameValues(
  block: Buffer,
  start = 0,
  end: number = block.length,
): [name: string, value: string][] {
  const pairs: [string, string][] = []
  for (let at = start; at < end; ) {
    const valueLengthAt = afterLength(block, at)
    const nameAt = afterLength(block, valueLengthAt)
    // Each length is below 2^31, so the sum is exact.
    const valueAt = nameAt + lengthAt(block, at)
    at = valueAt + lengthAt(block, valueLengthAt)
    if (!(at <= end)) throw truncatedPairError()
    pairs.push([block.toString('latin1', nameAt, valueAt), block.toString('latin1', valueAt, at)])
  }
  return pairs
}

/**
 * Encodes name-value pairs (section 3.4). Strings are encoded with one byte (latin1) per character. Pass UTF-8 text as a Buffer.
 */
export function encodeNameValues(
  pairs: Iterable<readonly [name: string, value: string | Uint8Array]>,
): Buffer {
  const parts: Uint8Array[] = []
  for (const [name, value] of pairs) {
    const nameBytes = Buffer.from(name, 'latin1')
    const valueBytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value
    parts.push(encodeLength(nameBytes.length), encodeLength(valueBytes.length), nameBytes, valueBytes)
  }
  return Buffer.concat(parts)
}

function encodeLength(length: number): Uint8Array {
  return length < 128
    ? Uint8Array.of(length)
    : Uint8Array.of((length >>> 24) | 0x80, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff)
}
