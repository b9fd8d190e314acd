import { FCGI_DATA, FCGI_HEADER_LEN, FCGI_PARAMS, FCGI_VERSION_1 } from './constants.ts'
import { ProtocolError } from './error.ts'

/** Receives the records that a {@link RecordDecoder} reads. */
export interface RecordSink {
  /**
   * Called with content of a stream record (PARAMS, STDIN, STDOUT, STDERR, DATA): `chunk[start, end)`, a view of the chunk that was pushed.
   * A record that arrives in several chunks causes several calls. `start === end` only for an empty record, which ends the stream
   * (section 3.3).
   */
  onStream(type: number, requestId: number, chunk: Buffer, start: number, end: number): void
  /** Called with a complete record of any other type. Its content is `chunk[start, end)`. */
  onDiscrete(type: number, requestId: number, chunk: Buffer, start: number, end: number): void
}

// The states of the decoder: which part of a record the next byte belongs to. STOPPED: all bytes are ignored.
const HEADER = 0
const STREAM = 1
const DISCRETE = 2
const PADDING = 3
const STOPPED = 4

const EMPTY = Buffer.alloc(0)

/**
 * Reads FastCGI records from a byte stream that arrives in chunks of any size (section 3.3). Content of stream records is never
 * buffered. A record of another type (up to 64 KiB) is buffered only if it arrives in several chunks. Padding and reserved
 * bytes are skipped.
 */
export class RecordDecoder {
  readonly #sink: RecordSink
  #state = HEADER
  #paused = false

  // A header that arrives in several chunks. It is allocated when it is first needed, because most connections never need it.
  #header: Buffer = EMPTY
  #headerLength = 0

  #type = 0
  #requestId = 0
  #contentLeft = 0
  #paddingLeft = 0

  // The content of a discrete record that arrives in several chunks.
  #content: Buffer = EMPTY
  #contentFilled = 0

  constructor(sink: RecordSink) {
    this.#sink = sink
  }

  /**
   * True between two records, where a byte stream can end cleanly. Also true after {@link stop}, because the rest of the stream is then
   * ignored.
   */
  get atBoundary(): boolean {
    return this.#state === STOPPED || (this.#state === HEADER && this.#headerLength === 0)
  }

  /** Stops decoding. The sink receives nothing more, not even from the rest of the current chunk. */
  stop(): void {
    this.#state = STOPPED
  }

  /** Called by the sink: `push` returns after the current record. Push the rest of the chunk again later. */
  pause(): void {
    this.#paused = true
  }

  /**
   * Decodes the next bytes, `chunk[0, length)`. Returns how many of them were read: all, unless the sink called {@link pause}. Throws a
   * {@link ProtocolError} for a version other than 1. The rest of the stream cannot be decoded then.
   */
  push(chunk: Buffer, length: number = chunk.length): number {
    this.#paused = false
    let at = 0
    while (at < length && this.#state !== STOPPED && !this.#paused) {
      switch (this.#state) {
        case HEADER:
          at = this.#readHeader(chunk, at, length)
          break
        case STREAM:
          at = this.#readStream(chunk, at, length)
          break
        case DISCRETE:
          at = this.#readDiscrete(chunk, at, length)
          break
        case PADDING:
          at = this.#skipPadding(at, length)
          break
      }
    }
    return this.#state === STOPPED ? length : at
  }

  // Each of the following methods reads from `chunk[at, length)`, and returns the offset after the bytes that it has read. They change the
  // state before they call the sink, because the sink may call stop().

  // Decodes a header that is complete in the chunk in place. Collects any other header byte by byte.
  #readHeader(chunk: Buffer, at: number, length: number): number {
    if (this.#headerLength === 0 && length - at >= FCGI_HEADER_LEN) {
      this.#decodeHeader(chunk, at)
      return this.#readContent(chunk, at + FCGI_HEADER_LEN, length)
    }
    if (this.#header === EMPTY) this.#header = Buffer.alloc(FCGI_HEADER_LEN)
    this.#header[this.#headerLength++] = chunk[at]!
    // Detect a wrong version with the first byte. Do not wait for the other seven.
    if (this.#headerLength === 1) checkVersion(this.#header[0]!)
    if (this.#headerLength < FCGI_HEADER_LEN) return at + 1
    this.#headerLength = 0
    this.#decodeHeader(this.#header, 0)
    return this.#readContent(chunk, at + 1, length)
  }

  // The usual case: the chunk contains the whole content, so the decoder need not remember anything.
  #readContent(chunk: Buffer, at: number, length: number): number {
    const end = at + this.#contentLeft
    if (end > length) {
      this.#beginContent()
      return at
    }
    this.#contentLeft = 0
    this.#endContent()
    if (isStream(this.#type)) this.#sink.onStream(this.#type, this.#requestId, chunk, at, end)
    else this.#sink.onDiscrete(this.#type, this.#requestId, chunk, at, end)
    return end
  }

  #readStream(chunk: Buffer, at: number, length: number): number {
    const end = Math.min(length, at + this.#contentLeft)
    this.#contentLeft -= end - at
    if (this.#contentLeft === 0) this.#endContent()
    this.#sink.onStream(this.#type, this.#requestId, chunk, at, end)
    return end
  }

  #readDiscrete(chunk: Buffer, at: number, length: number): number {
    const end = Math.min(length, at + this.#contentLeft)
    this.#contentFilled += chunk.copy(this.#content, this.#contentFilled, at, end)
    this.#contentLeft -= end - at
    if (this.#contentLeft > 0) return end
    this.#endContent()
    const content = this.#content
    this.#content = EMPTY
    this.#sink.onDiscrete(this.#type, this.#requestId, content, 0, content.length)
    return end
  }

  #skipPadding(at: number, length: number): number {
    const end = Math.min(length, at + this.#paddingLeft)
    this.#paddingLeft -= end - at
    if (this.#paddingLeft === 0) this.#state = HEADER
    return end
  }

  // Section 3.3. The bytes of a header are: version, type, requestId (2), contentLength (2), paddingLength, reserved.
  #decodeHeader(from: Buffer, at: number): void {
    checkVersion(from[at]!)
    this.#type = from[at + 1]!
    this.#requestId = (from[at + 2]! << 8) | from[at + 3]!
    this.#contentLeft = (from[at + 4]! << 8) | from[at + 5]!
    this.#paddingLeft = from[at + 6]!
  }

  #beginContent(): void {
    if (isStream(this.#type)) {
      this.#state = STREAM
    } else {
      this.#state = DISCRETE
      this.#content = Buffer.allocUnsafe(this.#contentLeft)
      this.#contentFilled = 0
    }
  }

  #endContent(): void {
    this.#state = this.#paddingLeft === 0 ? HEADER : PADDING
  }
}

function checkVersion(version: number): void {
  if (version !== FCGI_VERSION_1) {
    throw new ProtocolError(
      'FCGI_ERR_VERSION',
      `A record has the FastCGI version ${version}, but only version 1 exists. Check that the peer uses FastCGI, and not HTTP, on this port.`,
    )
  }
}

// PARAMS, STDIN, STDOUT, STDERR and DATA are the types 4 to 8 (section 8).
function isStream(type: number): boolean {
  return type >= FCGI_PARAMS && type <= FCGI_DATA
}
