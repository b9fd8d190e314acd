const CR = 13
const LF = 10

// The states of the reader, named after the part of the body that follows. They are numbers for speed.
const SIZE = 0
const SIZE_LF = 1
const DATA = 2
const DATA_CR = 3
const DATA_LF = 4
const END_CR = 5
const END_LF = 6
const NOTHING = 7

/**
 * Reads a body in chunks (RFC 9112, section 7.1). Throws for malformed chunks. Also throws for chunk extensions and trailers, because no
 * server here sends them.
 */
export class ChunkedBody {
  /** The number of bytes so far. */
  length = 0
  /** The content so far as latin1, if it is kept. @type {string | undefined} */
  content
  #next = SIZE
  #digits = 0
  // The size of the chunk so far, or the number of its bytes that are missing.
  #size = 0

  /** @param {boolean} keepsContent */
  constructor(keepsContent) {
    if (keepsContent) this.content = ''
  }

  get ended() {
    return this.#next === NOTHING
  }

  /** Reads bytes until the body ends. Returns how many belong to the body. @param {Buffer} data */
  push(data) {
    let next = this.#next
    let size = this.#size
    let at = 0
    while (at < data.length && next !== NOTHING) {
      if (next === DATA) {
        const end = Math.min(data.length, at + size)
        if (this.content !== undefined) this.content += data.toString('latin1', at, end)
        this.length += end - at
        size -= end - at
        at = end
        if (size === 0) next = DATA_CR
        continue
      }
      const byte = data[at++]
      if (next === SIZE && byte !== CR) {
        size = size * 16 + hexDigit(byte)
        this.#digits++
        continue
      }
      const expected = next === SIZE || next === DATA_CR || next === END_CR ? CR : LF
      if (byte !== expected) throw new Error(`A chunk has the byte ${byte} instead of ${expected}.`)
      if (next === SIZE) {
        if (this.#digits === 0) throw new Error('A chunk has no size.')
        this.#digits = 0
        next = SIZE_LF
      } else if (next === SIZE_LF) next = size === 0 ? END_CR : DATA
      else if (next === DATA_CR) next = DATA_LF
      else if (next === DATA_LF) next = SIZE
      else next = next === END_CR ? END_LF : NOTHING
    }
    this.#next = next
    this.#size = size
    return at
  }
}

function hexDigit(byte) {
  if (byte >= 48 && byte <= 57) return byte - 48
  const lower = byte | 32
  if (lower >= 97 && lower <= 102) return lower - 87
  throw new Error(`A chunk size contains the byte ${byte}.`)
}
