/** A record as it came, or as it was sent. */
export interface WireRecord {
  type: number
  id: number
  content: Buffer
  padding: Buffer
  /** The last byte of its header. */
  reserved: number
}

/** Reads records out of bytes, and keeps whatever of them is none. */
export class RecordReader {
  readonly #onRecord: (record: WireRecord) => void
  /** What has begun and is not whole; from the first version on that is not 1, all that follows. */
  rest: Buffer = Buffer.alloc(0)
  /** A version other than 1 was read: what follows is not understood. */
  lost = false

  constructor(onRecord: (record: WireRecord) => void) {
    this.#onRecord = onRecord
  }

  push(chunk: Buffer): void {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])
    while (this.rest.length > 0 && !this.lost) {
      const { rest } = this
      if (rest[0] !== 1) {
        this.lost = true
        return
      }
      if (rest.length < 8) return
      const end = 8 + rest.readUInt16BE(4)
      const size = end + rest[6]!
      if (rest.length < size) return
      this.rest = rest.subarray(size)
      this.#onRecord({
        type: rest[1]!,
        id: rest.readUInt16BE(2),
        content: rest.subarray(8, end),
        padding: rest.subarray(end, size),
        reserved: rest[7]!,
      })
    }
  }
}
