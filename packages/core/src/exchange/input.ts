import { ExchangeError } from './error.ts'
import { allocatePiece, copyBytes } from './piece-memory.ts'

/**
 * The body of a request (FCGI_STDIN), or the file of a filter (FCGI_DATA). Bytes are queued until the app reads them. The connection
 * stops reading from the socket while the queue is full.
 */
export interface Input {
  /** Returns the next piece, or null if nothing is queued. The piece's memory is never reused. */
  read(): Buffer | null
  /** The input is complete and has been read to its end. */
  readonly ended: boolean
  /** The announced length, or the end of the stream, has arrived. Some of it may wait to be read. */
  readonly complete: boolean
  /** Why the input is incomplete: truncated, aborted, too large or discarded. Undefined while queued bytes remain. */
  readonly error: ExchangeError | undefined
  /**
   * Called when `read()` has a new piece to return, or `ended` or `error` has changed. Setting it marks the input as wanted: the connection
   * then does not discard it after the response has begun.
   */
  onReadable: (() => void) | undefined
  /** Drops the rest of the input. The connection still reads it from the front server, but does not queue it. */
  discard(): void
}

/** `chunk[start, end)`. */
interface Piece {
  readonly chunk: Buffer
  readonly start: number
  readonly end: number
}

/** What an {@link InputQueue} needs from its request. */
export interface InputOwner {
  /** Called when a reader took bytes or discarded the rest: the connection may resume reading. */
  onInputConsumed(): void
  /** Calls the reader's `onReadable` in the async context of its request. Does not throw if `onReadable` throws. */
  callListener(listener: () => void): void
}

const NONE: readonly Buffer[] = []

// Remove pieces that have been read from the array this many at a time.
const COMPACT_AT = 16

/** The overhead of a queued piece, in bytes. It matters because a body may arrive in records of one byte. */
export const PIECE_COST = 128

// FLOWING: more can arrive. COMPLETE: everything has arrived. DISCARDED: the rest is dropped. BROKEN: the input stays incomplete.
const FLOWING = 0
const COMPLETE = 1
const DISCARDED = 2
const BROKEN = 3

/** The queue of an {@link Input}. The connection fills it. */
export class InputQueue implements Input {
  readonly #owner: InputOwner
  // True for a filter's file, whose length must be the announced one. A request body that is too long is truncated instead (section 6.2
  // does not define this case).
  readonly #exact: boolean
  #expected: number | undefined
  #maxBytes: number = Number.POSITIVE_INFINITY
  #state = FLOWING
  #chunks: readonly Buffer[] = NONE
  #next = 0
  // Pieces of the chunk that is being decoded, whose memory is reused for the next chunk.
  #borrowed: Piece[] | undefined
  #borrowedBytes = 0
  // Bytes in #chunks (unread ones) and #borrowed.
  #queued = 0
  #received = 0
  #streamEnded = false
  #wanted = false
  #error: ExchangeError | undefined
  #onReadable: (() => void) | undefined

  constructor(owner: InputOwner, exact: boolean) {
    this.#owner = owner
    this.#exact = exact
  }

  // ---- for apps; see Input ----

  get ended(): boolean {
    return this.#state === COMPLETE && this.#queued === 0
  }

  get complete(): boolean {
    return this.#streamEnded || (this.#expected !== undefined && this.#received >= this.#expected)
  }

  get error(): ExchangeError | undefined {
    if (this.#state === DISCARDED) {
      this.#error ??= new ExchangeError(
        'FCGI_ERR_BODY_DISCARDED',
        'The rest of the request body was dropped, because the response ended, or began before the app read the body. Read the body first.',
      )
    }
    return this.#queued === 0 ? this.#error : undefined
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
    if (this.#queued === 0) return null
    if (this.#next === this.#chunks.length) this.#own()
    const chunk = this.#chunks[this.#next++]!
    if (this.#next === this.#chunks.length || this.#next === COMPACT_AT) {
      this.#chunks = this.#next === this.#chunks.length ? NONE : this.#chunks.slice(this.#next)
      this.#next = 0
    }
    this.#queued -= chunk.length
    this.#owner.onInputConsumed()
    return chunk
  }

  discard(): void {
    if (this.ended || this.#state === DISCARDED) return
    if (this.#state !== BROKEN) this.#state = DISCARDED
    this.#clear()
    this.#owner.onInputConsumed()
  }

  // ---- for the connection ----

  /** The memory that unread bytes take, in bytes. */
  get queuedBytes(): number {
    return this.#queued + (this.#chunks.length - this.#next) * PIECE_COST
  }

  /** Bytes that have been received so far. */
  get received(): number {
    return this.#received
  }

  /** The app has begun to read, or has set `onReadable`. */
  get wanted(): boolean {
    return this.#wanted && this.#state !== DISCARDED
  }

  /** A body was announced, but no byte of it has arrived. */
  get missing(): boolean {
    return this.#received === 0 && this.#state === FLOWING && this.#expected !== undefined
  }

  /** The peer ended the stream, and it has the announced length. */
  get receivedAll(): boolean {
    return this.#streamEnded && this.#state === COMPLETE
  }

  /** Sets the announced length in bytes, or the largest length if none was announced. */
  expect(length: number | undefined, maxBytes: number): void {
    this.#expected = length
    this.#maxBytes = maxBytes
    this.#own()
    const early = this.#chunks
    const ended = this.#streamEnded
    this.#state = length === 0 ? COMPLETE : FLOWING
    if (early.length === 0 && !ended) return
    // Input arrived before the end of the params, which announce its length. Count it again.
    this.#clear()
    this.#received = 0
    this.#streamEnded = false
    for (const chunk of early) this.push(chunk, 0, chunk.length)
    this.keep()
    if (ended) this.finish()
  }

  /** Queues `chunk[start, end)`, which must stay valid until {@link keep} is called. */
  push(chunk: Buffer, start: number, end: number): void {
    const length = end - start
    this.#received += length
    const excess = this.#expected === undefined ? -1 : this.#received - this.#expected
    if (this.#exact && excess > 0) {
      if (this.#state <= COMPLETE) this.#break(lengthError('exceeds'))
    } else if (this.#state === FLOWING) {
      if (this.#expected === undefined && this.#received > this.#maxBytes) {
        this.#break(
          new ExchangeError(
            'FCGI_ERR_BODY_TOO_LARGE',
            `The request body exceeds ${this.#maxBytes} bytes (maxBodyBytes).`,
          ),
        )
      } else {
        if (excess >= 0) this.#state = COMPLETE
        this.#borrow({ chunk, start, end: excess > 0 ? end - excess : end })
      }
    }
  }

  /**
   * Copies the bytes that were pushed since the last call into one piece, and notifies the reader. One read from the socket contains
   * several records of a large body, and each piece costs the reader more than the copy does.
   */
  keep(): void {
    if (this.#borrowed === undefined) return
    this.#own()
    this.#notify()
  }

  /** Ends the input, because the peer ended the stream. */
  finish(): void {
    this.#streamEnded = true
    if (this.#state !== FLOWING) return
    if (this.#expected === undefined) {
      this.#state = COMPLETE
    } else {
      // The queued bytes can still be read. The error follows them.
      this.#state = BROKEN
      this.#error = lengthError('ended before reaching')
    }
    this.#notify()
  }

  /** Fails the input with `error`, because the rest will not arrive. A complete input stays readable. */
  fail(error: ExchangeError): void {
    if (this.#state !== FLOWING) return
    // A reader that is waiting still receives the bytes that arrived before the abort.
    this.keep()
    this.#break(error)
  }

  /** Drops the rest, because the response has ended. A complete input stays readable. */
  abandon(): void {
    if (this.#state !== FLOWING) return
    this.#state = DISCARDED
    this.#clear()
    this.#notify()
  }

  #borrow(piece: Piece): void {
    const length = piece.end - piece.start
    if (length === 0) return
    if (this.#borrowed === undefined) this.#borrowed = [piece]
    else this.#borrowed.push(piece)
    this.#borrowedBytes += length
    this.#queued += length
  }

  #own(): void {
    const pieces = this.#borrowed
    if (pieces === undefined) return
    const buffer = allocatePiece(this.#borrowedBytes)
    let at = 0
    for (const { chunk, start, end } of pieces) at = copyBytes(chunk, start, end, buffer, at)
    if (this.#chunks.length === 0) this.#chunks = [buffer]
    else (this.#chunks as Buffer[]).push(buffer)
    this.#borrowed = undefined
    this.#borrowedBytes = 0
  }

  #break(error: ExchangeError): void {
    this.#state = BROKEN
    this.#error = error
    this.#clear()
    this.#notify()
  }

  #notify(): void {
    if (this.#onReadable !== undefined) this.#owner.callListener(this.#onReadable)
  }

  #clear(): void {
    this.#chunks = NONE
    this.#next = 0
    this.#borrowed = undefined
    this.#borrowedBytes = 0
    this.#queued = 0
  }
}

function lengthError(how: string): ExchangeError {
  return new ExchangeError('FCGI_ERR_BODY_LENGTH', `The body ${how} its announced length.`)
}
