/** A record as it arrived. */
export interface WireRecord {
  type: number
  id: number
  content: Buffer
  padding: Buffer
}

const HEADER_LENGTH = 8

/** Reads whole records (section 3.3) from the chunks of a stream. */
export class RecordReader {
  readonly #onRecord: (record: WireRecord) => void
  #rest: Buffer = Buffer.alloc(0)
  /** A header with a version other than 1 arrived. The reader ignores it and all that follows. */
  invalid = false

  /** Each record is passed to `onRecord` once its padding has arrived. */
  constructor(onRecord: (record: WireRecord) => void) {
    this.#onRecord = onRecord
  }

  /** Reads the records that `chunk` completes. */
  push(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    while (this.#rest.length >= HEADER_LENGTH && !this.invalid) {
      if (this.#rest[0] !== 1) {
        this.invalid = true
        return
      }
      const contentEnd = HEADER_LENGTH + this.#rest.readUInt16BE(4)
      const end = contentEnd + this.#rest[6]!
      if (this.#rest.length < end) return
      const record = {
        type: this.#rest[1]!,
        id: this.#rest.readUInt16BE(2),
        content: this.#rest.subarray(HEADER_LENGTH, contentEnd),
        padding: this.#rest.subarray(contentEnd, end),
      }
      this.#rest = this.#rest.subarray(end)
      this.#onRecord(record)
    }
  }
}
