import { ProtocolError } from './error.ts'

/** The length that begins at `at` in a block (section 3.4): one byte, or four whose first has the high bit set. */
export function lengthAt(block: Uint8Array, at: number): number {
  const first = block[at]!
  return first <= 127
    ? first
    : ((first & 0x7f) << 24) | (block[at + 1]! << 16) | (block[at + 2]! << 8) | block[at + 3]!
}

/** The place behind the length that begins at `at`. Where the block ends within it, that is behind the block's end. */
export function afterLength(block: Uint8Array, at: number): number {
  return block[at]! <= 127 ? at + 1 : at + 4
}

/** The error for a block whose last pair does not end where the block does. */
export function cutShort(): ProtocolError {
  return new ProtocolError(
    'FCGI_ERR_NAME_VALUE',
    'A name-value pair is longer than the stream that carries it.',
  )
}

/**
 * The pairs in a whole block as strings, one character a byte (latin1). Throws {@link ProtocolError} when a length runs past
 * the end or the last pair is cut short; allocates nothing beyond the block, whatever the lengths claim.
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
    // No overflow: each length is below 2^31, and numbers are exact to 2^53.
    const valueAt = nameAt + lengthAt(block, at)
    at = valueAt + lengthAt(block, valueLengthAt)
    if (!(at <= end)) throw cutShort()
    pairs.push([block.toString('latin1', nameAt, valueAt), block.toString('latin1', valueAt, at)])
  }
  return pairs
}

/**
 * Encodes name-value pairs (section 3.4). Strings are written one byte a character (latin1), the way they are
 * read back; give UTF-8 text as a Buffer.
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
