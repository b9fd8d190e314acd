import { FCGI_DATA, FCGI_HEADER_LEN, FCGI_PARAMS, FCGI_VERSION_1 } from './constants.ts'
import { ProtocolError } from './error.ts'

/** Receives what a {@link RecordDecoder} reads. */
export interface RecordSink {
  /**
   * Content of a stream record (PARAMS, STDIN, STDOUT, STDERR, DATA): `chunk[start, end)`, a part of the chunk that was pushed.
   * A record that arrives in several chunks causes several calls. `start === end` only for an empty record, which ends the
   * stream (section 3.3).
   */
  onStream(type: number, requestId: number, chunk: Buffer, start: number, end: number): void
  /** A complete record of any other type; its content is `chunk[start, end)`. */
  onDiscrete(type: number, requestId: number, chunk: Buffer, start: number, end: number): void
}

// What the next byte belongs to.
const HEADER = 0
const STREAM = 1
const DISCRETE = 2
const PADDING = 3

const EMPTY = Buffer.alloc(0)

/**
 * Reads FastCGI records from a byte stream that arrives in chunks of any size (section 3.3). Content of stream records is never
 * buffered. A record of another type (up to 64 KiB) is buffered only if it arrives in several chunks. Padding and reserved
 * bytes are skipped.
 */
export class RecordDecoder {
  readonly #sink: RecordSink
  #state = HEADER
  #stopped = false
  #paused = false

  // A header that arrives in several chunks. It is allocated for the first one, because most connections never have any.
  #header: Buffer = EMPTY
  #headerLength = 0

  #type = 0
  #requestId = 0
  #contentLeft = 0
  #paddingLeft = 0

  #gathered: Buffer = EMPTY
  #gatheredLength = 0

  constructor(sink: RecordSink) {
    this.#sink = sink
  }

  /**
   * True between two records, where a byte stream may end cleanly. Also true after {@link stop}: how a stream ends that is no longer
   * read does not matter.
   */
  get atBoundary(): boolean {
    return this.#stopped || (this.#state === HEADER && this.#headerLength === 0)
  }

  /** The sink receives nothing more, not even the rest of the chunk that is being pushed. */
  stop(): void {
    this.#stopped = true
  }

  /** For the sink: `push` returns after the current record, and the rest of the chunk has to be pushed again. */
  pause(): void {
    this.#paused = true
  }

  /**
   * Reads the next bytes, `chunk[0, length)`. Returns how many of them were read: all, unless the sink called {@link pause}.
   * Throws {@link ProtocolError} for a version other than 1. The rest of the stream cannot be read then.
   */
  push(chunk: Buffer, length: number = chunk.length): number {
    this.#paused = false
    let at = 0
    while (at < length && !this.#stopped && !this.#paused) {
      switch (this.#state) {
        case HEADER:
          if (this.#headerLength === 0 && length - at >= FCGI_HEADER_LEN) {
            this.#readHeader(chunk, at)
            at += FCGI_HEADER_LEN
          } else {
            if (this.#header === EMPTY) this.#header = Buffer.alloc(FCGI_HEADER_LEN)
            this.#header[this.#headerLength++] = chunk[at++]!
            // The first byte shows a wrong version, so seven more are not waited for.
            if (this.#headerLength === 1) checkVersion(this.#header[0]!)
            if (this.#headerLength < FCGI_HEADER_LEN) break
            this.#headerLength = 0
            this.#readHeader(this.#header, 0)
          }
          // The usual case: the content is complete, and no state has to be kept.
          if (this.#contentLeft === 0 || length - at >= this.#contentLeft) {
            const end = at + this.#contentLeft
            this.#contentLeft = 0
            this.#state = this.#paddingLeft === 0 ? HEADER : PADDING
            if (isStream(this.#type)) this.#sink.onStream(this.#type, this.#requestId, chunk, at, end)
            else this.#sink.onDiscrete(this.#type, this.#requestId, chunk, at, end)
            at = end
          } else {
            this.#state = isStream(this.#type) ? STREAM : DISCRETE
            if (this.#state === DISCRETE) {
              this.#gathered = Buffer.allocUnsafe(this.#contentLeft)
              this.#gatheredLength = 0
            }
          }
          break
        case STREAM: {
          const end = Math.min(length, at + this.#contentLeft)
          this.#contentLeft -= end - at
          if (this.#contentLeft === 0) this.#state = this.#paddingLeft === 0 ? HEADER : PADDING
          this.#sink.onStream(this.#type, this.#requestId, chunk, at, end)
          at = end
          break
        }
        case DISCRETE: {
          const end = Math.min(length, at + this.#contentLeft)
          this.#gatheredLength += chunk.copy(this.#gathered, this.#gatheredLength, at, end)
          this.#contentLeft -= end - at
          at = end
          if (this.#contentLeft > 0) break
          this.#state = this.#paddingLeft === 0 ? HEADER : PADDING
          const content = this.#gathered
          this.#gathered = EMPTY
          this.#sink.onDiscrete(this.#type, this.#requestId, content, 0, content.length)
          break
        }
        case PADDING: {
          const end = Math.min(length, at + this.#paddingLeft)
          this.#paddingLeft -= end - at
          if (this.#paddingLeft === 0) this.#state = HEADER
          at = end
          break
        }
      }
    }
    return this.#stopped ? length : at
  }

  #readHeader(from: Buffer, at: number): void {
    checkVersion(from[at]!)
    this.#type = from[at + 1]!
    this.#requestId = (from[at + 2]! << 8) | from[at + 3]!
    this.#contentLeft = (from[at + 4]! << 8) | from[at + 5]!
    this.#paddingLeft = from[at + 6]!
  }
}

function checkVersion(version: number): void {
  if (version !== FCGI_VERSION_1) {
    throw new ProtocolError(
      'FCGI_ERR_VERSION',
      `A record of FastCGI version ${version}; only version 1 exists. Is something other than FastCGI speaking to this port?`,
    )
  }
}

// PARAMS, STDIN, STDOUT, STDERR and DATA are the types 4 to 8 (section 8).
function isStream(type: number): boolean {
  return type >= FCGI_PARAMS && type <= FCGI_DATA
}
