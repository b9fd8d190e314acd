/** A decoded record. */
export interface WireRecord {
  type: number
  id: number
  content: Buffer
  padding: Buffer
  /** The reserved byte, the last one of the header. */
  reserved: number
}

/** Decodes records from a stream of bytes. */
export class RecordReader {
  readonly #onRecord: (record: WireRecord) => void
  /** The bytes of an incomplete record. If `invalid` is true, all bytes from the invalid record on. */
  rest: Buffer = Buffer.alloc(0)
  /** A record's version was not 1, so the bytes from there on cannot be decoded. */
  invalid = false

  constructor(onRecord: (record: WireRecord) => void) {
    this.#onRecord = onRecord
  }

  push(chunk: Buffer): void {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])
    while (this.rest.length > 0 && !this.invalid) {
      const { rest } = this
      if (rest[0] !== 1) {
        this.invalid = true
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
