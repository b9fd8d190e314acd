import { ExchangeError } from './error.ts'

/**
 * The body of a request (FCGI_STDIN), or the file of a filter (FCGI_DATA), to be pulled: bytes wait in a
 * bounded queue, and the connection stops reading while that is full.
 */
export interface Input {
  /** The next piece, valid for ever; null when nothing is there now. */
  read(): Buffer | null
  /** All of it has been read. */
  readonly ended: boolean
  /** Why it can not be had whole: cut short, aborted, too large, discarded. Undefined while queued bytes remain. */
  readonly error: ExchangeError | undefined
  /**
   * Called when `read()`, `ended` or `error` has something new. Setting it says that somebody wants this
   * body: it is then never discarded behind an answer that has begun.
   */
  onReadable: (() => void) | undefined
  /** Nobody wants the rest: it is read from the front server and dropped. */
  discard(): void
}

/** What a filled queue tells the connection that fills it. */
export interface InputOwner {
  /** A reader took bytes, or the rest is not wanted: reading from the socket may go on. */
  onInputConsumed(): void
  /** The reader's `onReadable` threw. */
  onListenerError(error: unknown): void
}

// Pieces that have been read are let go this many at a time.
const COMPACT_AT = 16

/** The queue behind an {@link Input}; the connection fills it. */
export class InputQueue implements Input {
  readonly #owner: InputOwner
  // A body may be longer than was announced (it is cut, section 6.2 leaves it open); a filter's file may not.
  readonly #exact: boolean
  #expected: number | undefined
  #maxBytes: number
  #chunks: Buffer[] = []
  #next = 0
  #queued = 0
  #received = 0
  #complete = false
  #wanted = false
  #dropping = false
  #error: ExchangeError | undefined
  #onReadable: (() => void) | undefined

  constructor(owner: InputOwner, exact: boolean) {
    this.#owner = owner
    this.#exact = exact
    this.#maxBytes = Number.POSITIVE_INFINITY
  }

  get ended(): boolean {
    return this.#complete && this.#error === undefined && this.#next === this.#chunks.length
  }

  get error(): ExchangeError | undefined {
    return this.#next === this.#chunks.length ? this.#error : undefined
  }

  get onReadable(): (() => void) | undefined {
    return this.#onReadable
  }

  set onReadable(listener: (() => void) | undefined) {
    this.#onReadable = listener
    if (listener !== undefined) this.#wanted = true
  }

  read(): Buffer | null {
    this.#wanted = true
    if (this.#next === this.#chunks.length) return null
    const chunk = this.#chunks[this.#next++]!
    if (this.#next === this.#chunks.length || this.#next === COMPACT_AT) {
      this.#chunks = this.#chunks.slice(this.#next)
      this.#next = 0
    }
    this.#queued -= chunk.length
    this.#owner.onInputConsumed()
    return chunk
  }

  discard(): void {
    if (this.#dropping) return
    this.#dropping = true
    if (!this.#complete || this.#queued > 0) {
      this.#error ??= new ExchangeError(
        'FCGI_ERR_BODY_DISCARDED',
        'The request body was dropped: the answer had begun and nobody had asked for the body.',
      )
    }
    this.#clear()
    this.#owner.onInputConsumed()
  }

  // ---- the connection's side ----

  /** Bytes that wait to be read. */
  get queuedBytes(): number {
    return this.#queued
  }

  /** Somebody has read, or waits to. */
  get wanted(): boolean {
    return this.#wanted && !this.#dropping
  }

  /** All that was announced, or the end of the stream, has come in. */
  get complete(): boolean {
    return this.#complete
  }

  /** Says how long the input will be (bytes), where that is known, and how long it may be where it is not. */
  expect(length: number | undefined, maxBytes: number): void {
    this.#expected = length
    this.#maxBytes = maxBytes
    if (length === 0) this.#complete = true
  }

  /** Takes `chunk[start, end)`. */
  push(chunk: Buffer, start: number, end: number): void {
    if (this.#error !== undefined || this.#dropping) return
    let length = end - start
    if (this.#complete) {
      if (this.#exact && length > 0) this.#break(lengthError('went on behind'))
      return
    }
    this.#received += length
    const excess = this.#expected === undefined ? -1 : this.#received - this.#expected
    if (excess > 0 && this.#exact) {
      this.#break(lengthError('went on behind'))
      return
    }
    if (this.#expected === undefined && this.#received > this.#maxBytes) {
      this.#break(
        new ExchangeError('FCGI_ERR_BODY_TOO_LARGE', `The request body is over ${this.#maxBytes} bytes.`),
      )
      return
    }
    if (excess >= 0) {
      length -= excess
      this.#complete = true
    }
    if (length > 0) {
      this.#chunks.push(
        start === 0 && length === chunk.length ? chunk : chunk.subarray(start, start + length),
      )
      this.#queued += length
    }
    this.#notify()
  }

  /** The peer ended the stream. */
  finish(): void {
    if (this.#complete || this.#error !== undefined || this.#dropping) return
    if (this.#expected !== undefined) {
      this.#break(lengthError('ended before'))
      return
    }
    this.#complete = true
    this.#notify()
  }

  /** The rest will never come. A body that is already here whole stays readable. */
  fail(error: ExchangeError): void {
    if (!this.#complete && this.#error === undefined) this.#break(error)
  }

  #break(error: ExchangeError): void {
    this.#error = error
    this.#clear()
    this.#notify()
  }

  // What the app throws must not reach the decoder, and with it the connection's other requests.
  #notify(): void {
    try {
      this.#onReadable?.()
    } catch (error) {
      this.#owner.onListenerError(error)
    }
  }

  #clear(): void {
    this.#chunks = []
    this.#next = 0
    this.#queued = 0
  }
}

function lengthError(how: string): ExchangeError {
  return new ExchangeError('FCGI_ERR_BODY_LENGTH', `The body ${how} the length that was announced for it.`)
}
