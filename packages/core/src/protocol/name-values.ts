import { ProtocolError } from './error.ts'

/**
 * Finds the name-value pairs in `block[start, end)` (section 3.4) without reading their text: four numbers a
 * pair in the result (nameStart, nameEnd, valueStart, valueEnd). Of more than `maxPairs` pairs one too many is found and no
 * more: empty pairs take two bytes here and far more in the result.
 *
 * Throws {@link ProtocolError} when a length runs past the end or the last pair is cut short. Allocates
 * nothing but the index, whatever the lengths claim.
 */
export function indexNameValues(
  block: Buffer,
  start: number,
  end: number,
  maxPairs: number = Number.POSITIVE_INFINITY,
): number[] {
  const index: number[] = []
  const maxIndex = maxPairs * 4
  let at = start
  while (at < end && index.length <= maxIndex) {
    let nameLength = block[at++]!
    if (nameLength > 127) {
      if (at + 3 > end) throw cutShort()
      nameLength = longLength(block, at, nameLength)
      at += 3
    }
    if (at >= end) throw cutShort()
    let valueLength = block[at++]!
    if (valueLength > 127) {
      if (at + 3 > end) throw cutShort()
      valueLength = longLength(block, at, valueLength)
      at += 3
    }
    // No overflow: each length is below 2^31, and numbers are exact to 2^53.
    const valueStart = at + nameLength
    const valueEnd = valueStart + valueLength
    if (valueEnd > end) throw cutShort()
    index.push(at, valueStart, valueStart, valueEnd)
    at = valueEnd
  }
  return index
}

// The four-byte form: the high bit of the first byte marks it, 31 bits remain.
function longLength(block: Buffer, at: number, first: number): number {
  return ((first & 0x7f) << 24) | (block[at]! << 16) | (block[at + 1]! << 8) | block[at + 2]!
}

function cutShort(): ProtocolError {
  return new ProtocolError(
    'FCGI_ERR_NAME_VALUE',
    'A name-value pair is longer than the stream that carries it.',
  )
}

/** The pairs in a whole block as strings, one character a byte (latin1). Throws as {@link indexNameValues} does. */
export function decodeNameValues(
  block: Buffer,
  start = 0,
  end: number = block.length,
): [name: string, value: string][] {
  const index = indexNameValues(block, start, end)
  const pairs: [string, string][] = []
  for (let i = 0; i < index.length; i += 4) {
    pairs.push([
      block.toString('latin1', index[i], index[i + 1]),
      block.toString('latin1', index[i + 2], index[i + 3]),
    ])
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
