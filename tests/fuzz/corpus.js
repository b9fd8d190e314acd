import { readdirSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

const CAPTURES = new URL('../captures/', import.meta.url)

// A session of 1 MB tests no more than one of 64 KiB, and takes the time of a thousand others.
const BYTES_MAX = 100_000

/**
 * @typedef {object} Capture The bytes that one front server sent on one connection.
 * @property {string} name
 * @property {Buffer[]} records
 */

/** The recordings of tests/captures/, record by record. @returns {Capture[]} */
export function readCorpus() {
  return readdirSync(CAPTURES, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.bin(?:\.gz)?$/.test(name))
    .sort()
    .map((name) => {
      const stored = readFileSync(new URL(name, CAPTURES))
      const bytes = name.endsWith('.gz') ? gunzipSync(stored) : stored
      return { name, bytes }
    })
    .filter(({ bytes }) => bytes.length <= BYTES_MAX)
    .map(({ name, bytes }) => ({ name, records: [...split(bytes)] }))
}

/** @param {Buffer} bytes */
function* split(bytes) {
  for (let at = 0; at < bytes.length; ) {
    const end = at + 8 + bytes.readUInt16BE(at + 4) + bytes[at + 6]
    yield bytes.subarray(at, end)
    at = end
  }
}
