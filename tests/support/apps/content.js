import { createHash } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'

const BLOCK_LENGTH = 64 * 1024

/**
 * Generates `length` bytes in blocks. They are the same for the same length, and no two blocks are equal: a lost,
 * repeated or swapped piece changes the hash.
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
 * The SHA-256, in hex, of all bytes of `chunks`.
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

const PAUSE_EVERY = 8 * 1024 * 1024
const PAUSE = 120

/**
 * Reads `chunks` slowly, with a pause of 120 ms every 8 MiB. Returns the number of bytes.
 *
 * @param {AsyncIterable<Uint8Array>} chunks
 * @returns {Promise<number>}
 */
export async function readSlowly(chunks) {
  let length = 0
  let nextPause = PAUSE_EVERY
  for await (const chunk of chunks) {
    length += chunk.length
    if (length < nextPause) continue
    nextPause += PAUSE_EVERY
    await setTimeout(PAUSE)
  }
  return length
}
