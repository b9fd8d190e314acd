import { createHash } from 'node:crypto'

const BLOCK_LENGTH = 64 * 1024

/**
 * `length` bytes in blocks, the same ones for the same length, no block like another: a lost, doubled or
 * swapped piece changes the hash.
 *
 * @param {number} length
 * @returns {Generator<Buffer, void, void>}
 */
export function* content(length) {
  for (let at = 0, index = 0; at < length; at += BLOCK_LENGTH, index++) {
    const block = Buffer.alloc(Math.min(BLOCK_LENGTH, length - at), `block ${index}, `)
    yield block
  }
}

/**
 * The SHA-256, in hex, of all bytes that `chunks` gives.
 *
 * @param {Iterable<Uint8Array> | AsyncIterable<Uint8Array>} chunks
 * @returns {Promise<{ length: number, sha256: string }>}
 */
export async function digest(chunks) {
  const hash = createHash('sha256')
  let length = 0
  for await (const chunk of chunks) {
    hash.update(chunk)
    length += chunk.length
  }
  return { length, sha256: hash.digest('hex') }
}
