import { ExchangeError } from './error.ts'
import { allocatePiece, copyBytes } from './piece-memory.ts'

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

/** `chunk[start, end)`. */
interface Piece {
  readonly chunk: Buffer
  readonly start: number
  readonly end: number
}

/** What a filled queue tells the connection that fills it. */
export interface InputOwner {
  /** A reader took bytes, or the rest is not wanted: reading from the socket may go on. */
  onInputConsumed(): void
  /** Calls the reader's `onReadable` in the async context of its request. Does not throw what it throws. */
  callListener(listener: () => void): void
}

// Pieces that have been read are let go this many at a time.
const COMPACT_AT = 16

/** Bytes that a queued piece costs beside its own: a body may come in records of one byte. */
export const PIECE_COST = 128

// More may come; all of it is here, or was read; the rest is dropped; it can not be had whole.
const FLOWING = 0
const COMPLETE = 1
const DISCARDED = 2
const BROKEN = 3

/** The queue behind an {@link Input}; the connection fills it. */
export class InputQueue implements Input {
  readonly #owner: InputOwner
  // A body may be longer than was announced (it is cut, section 6.2 leaves it open); a filter's file may not.
  readonly #exact: boolean
  #expected: number | undefined
  #maxBytes: number = Number.POSITIVE_INFINITY
  #state = FLOWING
  #chunks: Buffer[] = []
  #next = 0
  // What came in the chunk that is being read, in memory that others use next.
  #borrowed: Piece[] | undefined
  #borrowedBytes = 0
  // Bytes in both.
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

  get ended(): boolean {
    return this.#state === COMPLETE && this.#queued === 0
  }

  get error(): ExchangeError | undefined {
    if (this.#state === DISCARDED) {
      this.#error ??= new ExchangeError(
        'FCGI_ERR_BODY_DISCARDED',
        'What was left of the request body was dropped: it had not been asked for when the answer was under way, or the answer ended before it.',
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
      this.#chunks = this.#chunks.slice(this.#next)
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

  // ---- the connection's side ----

  /** What waits to be read, as the bytes of memory that it takes. */
  get queuedBytes(): number {
    return this.#queued + (this.#chunks.length - this.#next) * PIECE_COST
  }

  /** Bytes that have come in so far. */
  get received(): number {
    return this.#received
  }

  /** Somebody has read, or waits to. */
  get wanted(): boolean {
    return this.#wanted && this.#state !== DISCARDED
  }

  /** All that was announced, or the end of the stream, has come in. */
  get complete(): boolean {
    return this.#streamEnded || (this.#expected !== undefined && this.#received >= this.#expected)
  }

  /** A body was announced, and nothing of it has come. */
  get missing(): boolean {
    return this.#received === 0 && this.#state === FLOWING && this.#expected !== undefined
  }

  /** Says how long the input will be (bytes), where that is known, and how long it may be where it is not. */
  expect(length: number | undefined, maxBytes: number): void {
    this.#expected = length
    this.#maxBytes = maxBytes
    this.#own()
    const early = this.#chunks
    const ended = this.#streamEnded
    this.#state = length === 0 ? COMPLETE : FLOWING
    if (early.length === 0 && !ended) return
    // It came before the params that announce it had ended.
    this.#clear()
    this.#received = 0
    this.#streamEnded = false
    for (const chunk of early) this.push(chunk, 0, chunk.length)
    this.keep()
    if (ended) this.finish()
  }

  /** Takes `chunk[start, end)`, which has to be valid until {@link keep} is called. */
  push(chunk: Buffer, start: number, end: number): void {
    const length = end - start
    this.#received += length
    const excess = this.#expected === undefined ? -1 : this.#received - this.#expected
    if (this.#exact && excess > 0) {
      if (this.#state <= COMPLETE) this.#break(lengthError('went on behind'))
    } else if (this.#state === FLOWING) {
      if (this.#expected === undefined && this.#received > this.#maxBytes) {
        this.#break(
          new ExchangeError('FCGI_ERR_BODY_TOO_LARGE', `The request body is over ${this.#maxBytes} bytes.`),
        )
      } else {
        if (excess >= 0) this.#state = COMPLETE
        this.#borrow({ chunk, start, end: excess > 0 ? end - excess : end })
      }
    }
  }

  /**
   * Copies what was pushed since the last call, as one piece, and tells the reader: of a large body a read brings several
   * records, and each piece costs a reader more than its copy.
   */
  keep(): void {
    if (this.#borrowed === undefined) return
    this.#own()
    this.#notify()
  }

  /** The peer ended the stream. */
  finish(): void {
    this.#streamEnded = true
    if (this.#state !== FLOWING) return
    if (this.#expected === undefined) {
      this.#state = COMPLETE
    } else {
      // What came can still be read: the error is behind it.
      this.#state = BROKEN
      this.#error = lengthError('ended before')
    }
    this.#notify()
  }

  /** The rest will never come. A body that is already here whole stays readable. */
  fail(error: ExchangeError): void {
    if (this.#state !== FLOWING) return
    // What came in front of an abort can still be read by whoever waits for it.
    this.keep()
    this.#break(error)
  }

  /** The answer has ended: the rest will not be handed on. A body that is already here whole stays readable. */
  abandon(): void {
    if (this.#state !== FLOWING) return
    this.#state = DISCARDED
    this.#clear()
    this.#notify()
  }

  #borrow(piece: Piece): void {
    const length = piece.end - piece.start
    if (length === 0) return
    this.#borrowed ??= []
    this.#borrowed.push(piece)
    this.#borrowedBytes += length
    this.#queued += length
  }

  #own(): void {
    const pieces = this.#borrowed
    if (pieces === undefined) return
    const buffer = allocatePiece(this.#borrowedBytes)
    let at = 0
    for (const { chunk, start, end } of pieces) at = copyBytes(chunk, start, end, buffer, at)
    this.#chunks.push(buffer)
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
    this.#chunks = []
    this.#next = 0
    this.#borrowed = undefined
    this.#borrowedBytes = 0
    this.#queued = 0
  }
}

function lengthError(how: string): ExchangeError {
  return new ExchangeError('FCGI_ERR_BODY_LENGTH', `The body ${how} the length that was announced for it.`)
}
