import { type Dispatcher, errors } from 'undici'
import { AnswerReader, type AnswerUser } from './answer.ts'
import { COPY_MAX } from './encode.ts'
import { noAnswer } from './error.ts'
import { type ResponseHandler, toRawHeaders } from './handler.ts'
import type { Observation } from './observer.ts'
import type { ClientRequest } from './request.ts'
import type { ResponseHead } from './response-head.ts'
import { type StdinTarget, type StdinUser, StdinWriter } from './stdin.ts'
import { RequestTimer, type TimerUser } from './timer.ts'

/** What holds for every request of a dispatcher. Times are in milliseconds, 0 is no limit. */
export interface ExchangeLimits {
  readonly headersTimeout: number
  readonly bodyTimeout: number
  readonly maxHeaderSize: number
}

/** The connection that a request is on, as the request sees it. */
export interface Carrier extends StdinTarget {
  /** Others run on it beside this one. */
  readonly shared: boolean
  /** BEGIN_REQUEST and PARAMS; with `stdin`, all of STDIN as well. */
  sendRequest(requestId: number, params: readonly string[], stdin: Uint8Array | undefined): void
  /** Holds what is written back until the end of this turn of the event loop, so that it leaves together. */
  corkOnce(): void
  /** `chunk[start, end)` of what it has brought, to be kept. */
  take(chunk: Buffer, start: number, end: number): Buffer
  /** The exchange takes no more for now. */
  hold(exchange: ClientExchange): void
  release(exchange: ClientExchange): void
  /** Nobody waits for this request any more: the application is told, and has a moment to end it. */
  abandon(requestId: number, exchange: ClientExchange): void
}

/**
 * The bytes of an answer that are held for a handler that does not take them, before the connection is stopped for the
 * other requests on it as well.
 */
const HOLD_MAX = 1024 * 1024

const NO_BYTES = new Uint8Array()

type RawHeaders = NonNullable<Dispatcher.DispatchController['rawHeaders']> | null

// What the request is doing for its handler. Where its connection stands is the connection's matter: it may still wait
// for the END_REQUEST of a request that is CLOSED here.
const WAITING = 0
const HEAD = 1
const BODY = 2
const CLOSED = 3

/** One request from BEGIN_REQUEST to END_REQUEST, seen by the client. It is the controller that undici's handlers are given. */
export class ClientExchange implements Dispatcher.DispatchController, AnswerUser, StdinUser, TimerUser {
  /** Replaced once, when its body was buffered: before a connection has it. */
  request: ClientRequest
  /** Who watches, from when the request has a connection. */
  observation: Observation | undefined
  readonly #handler: ResponseHandler
  readonly #limits: ExchangeLimits
  readonly #onStderr: ((chunk: Buffer) => void) | undefined

  #state = WAITING
  #carrier: Carrier | undefined
  #requestId = 0
  #timer: RequestTimer | undefined
  // The connection was up before this request came to it: the application may be closing it.
  #kept = false
  #begun = false
  #returned = false
  // Of a body that is not sent in one piece with what is before it.
  #stdin: StdinWriter | undefined

  #answered = false
  readonly #answer: AnswerReader
  #paused = false
  #aborted = false
  #reason: Error | null = null
  // Built when a handler first asks, and kept: undici's handlers edit and replace them in place.
  #rawHeaders: RawHeaders | undefined
  #rawTrailers: RawHeaders = null
  // What came while the handler was paused: on a connection of its own never more than that had read when it stopped.
  #held: Buffer[] | undefined
  #heldLength = 0
  #ended = false

  constructor(
    request: ClientRequest,
    handler: ResponseHandler,
    limits: ExchangeLimits,
    onStderr: ((chunk: Buffer) => void) | undefined,
  ) {
    this.request = request
    this.#handler = handler
    this.#limits = limits
    this.#onStderr = onStderr
    this.#answer = new AnswerReader(this, request.method, limits.maxHeaderSize)
  }

  // ---- the controller that handlers are given ----

  get aborted(): boolean {
    return this.#aborted
  }

  get paused(): boolean {
    return this.#paused
  }

  get reason(): Error | null {
    return this.#reason
  }

  /** Null until there is a response head; then always the same array, unless a handler assigns another. */
  get rawHeaders(): RawHeaders {
    if (this.#rawHeaders === undefined) {
      const { head } = this.#answer
      if (head === undefined) return null
      this.#rawHeaders = toRawHeaders(head.headers)
    }
    return this.#rawHeaders
  }

  set rawHeaders(headers: RawHeaders | undefined) {
    this.#rawHeaders = headers
  }

  /** Null until the response has ended. FastCGI responses have no trailers. */
  get rawTrailers(): RawHeaders {
    return this.#rawTrailers
  }

  set rawTrailers(trailers: RawHeaders | undefined) {
    this.#rawTrailers = trailers ?? null
  }

  abort(reason?: Error): void {
    if (this.#aborted) return
    this.#aborted = true
    this.fail(reason ?? new errors.RequestAbortedError())
  }

  pause(): void {
    if (this.#paused || this.#state === CLOSED) return
    this.#paused = true
    // On a shared connection, and before there is one, what comes is held first.
    if (this.#carrier?.shared === false) this.#carrier.hold(this)
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    if (!this.#ended) this.#timer?.refresh()
    this.#deliver()
    if (!this.#paused) this.#carrier?.release(this)
  }

  // ---- the way out, called by the dispatcher, the pool and the connection ----

  /** Tells the handler that its request has begun; false when the handler does not want it any more. */
  begin(): boolean {
    try {
      this.#handler.onStart(this)
    } catch (error) {
      this.fail(error as Error)
    }
    return this.#state !== CLOSED
  }

  get closed(): boolean {
    return this.#state === CLOSED
  }

  /** It has been sent, at least in part. */
  get begun(): boolean {
    return this.#begun
  }

  /** All of the request has gone out: a kept connection can take the next one. */
  get sent(): boolean {
    return this.#stdin === undefined || this.#stdin.ended
  }

  /** The connection has taken this request, and sends it by {@link send} as soon as it is open. */
  attach(carrier: Carrier, requestId: number, kept: boolean): void {
    this.#carrier = carrier
    this.#requestId = requestId
    this.#kept = kept
  }

  /** The application has done nothing of it that is known, and it can be sent again as a whole. */
  get returnable(): boolean {
    return this.#state === HEAD && !this.#answered && !this.#returned && this.#resendable
  }

  /** It does no harm when it is sent again, and can be. */
  get repeatable(): boolean {
    return this.request.idempotent && this.#resendable
  }

  /** It may have met a kept connection that was closing, and does no harm when it is sent again. */
  get retryable(): boolean {
    return this.#kept && this.repeatable && this.returnable
  }

  /** It was sent before, in vain: only a connection of its own will do. */
  get returned(): boolean {
    return this.#returned
  }

  get #resendable(): boolean {
    const { body } = this.request
    return body === null || body.bytes !== undefined
  }

  /** Undoes {@link attach} and {@link send}: it has no connection, and waits for the next. */
  detach(): void {
    this.#returned = this.#begun
    this.#begun = false
    this.#state = WAITING
    this.observation = undefined
    this.#stdin = undefined
    this.#letGo()
  }

  send(): void {
    const carrier = this.#carrier!
    const { body, contentLength, params } = this.request
    this.#state = HEAD
    this.#begun = true
    this.#timer = RequestTimer.take()
    this.#timer.start(this.#limits.headersTimeout, this)
    const bytes = body === null ? NO_BYTES : body.bytes
    if (bytes !== undefined && bytes.length <= COPY_MAX) {
      carrier.sendRequest(this.#requestId, params, bytes)
      if (bytes.length > 0) this.onBodySent(bytes)
      this.onRequestSent()
      return
    }
    // The first of the body goes out with the head where it is there at once.
    carrier.corkOnce()
    carrier.sendRequest(this.#requestId, params, undefined)
    this.#stdin = new StdinWriter(this, carrier, this.#requestId, body!, contentLength)
    this.#stdin.start()
  }

  onStdinProgress(): void {
    this.#timer?.refresh()
  }

  onBodySent(chunk: Uint8Array): void {
    try {
      this.#handler.onBodySent?.(chunk)
    } catch (error) {
      this.fail(error as Error)
    }
  }

  onRequestSent(): void {
    if (this.#state === CLOSED) return
    try {
      this.#handler.onRequestSent?.()
    } catch (error) {
      this.fail(error as Error)
    }
  }

  /** The connection takes more. */
  onDrain(): void {
    this.#stdin?.onDrain()
  }

  // ---- the way back, called by the connection ----

  /** A piece of STDOUT: `chunk[start, end)`, which is gone when this returns. */
  onStdout(chunk: Buffer, start: number, end: number): void {
    this.#answered = true
    if (this.#state === CLOSED) return
    try {
      this.#answer.push(chunk, start, end)
    } catch (error) {
      this.fail(error as Error)
    }
  }

  onHead(head: ResponseHead): void {
    this.#state = BODY
    this.#timer!.start(this.#limits.bodyTimeout, this)
    this.observation?.head(head.status, head.headers)
    this.#handler.onHead(this, head)
  }

  onBody(chunk: Buffer, start: number, end: number): void {
    this.#timer!.refresh()
    const piece = this.#carrier!.take(chunk, start, end)
    if (this.#paused || this.#held !== undefined) this.#hold(piece)
    else this.#tellData(piece)
  }

  #hold(piece: Buffer): void {
    this.#held ??= []
    this.#held.push(piece)
    this.#heldLength += piece.length
    const carrier = this.#carrier!
    if (!carrier.shared || this.#heldLength > HOLD_MAX) carrier.hold(this)
  }

  /** A piece of STDERR. */
  onStderr(chunk: Buffer): void {
    this.#answered = true
    this.observation?.stderr(chunk)
    if (this.#state !== CLOSED) this.#onStderr?.(chunk)
  }

  /** The connection has seen END_REQUEST, and is this request's no more. */
  onEndRequest(appStatus: number, protocolStatus: number): void {
    this.#carrier = undefined
    this.#finish(appStatus, protocolStatus)
    this.observation?.end({ appStatus, protocolStatus, ...(this.#reason && { error: this.#reason }) })
  }

  #finish(appStatus: number, protocolStatus: number): void {
    if (this.#state === CLOSED) return
    // An answer may come before all of the request was sent.
    this.#stdin?.stop()
    if (this.#state === HEAD) {
      this.fail(noAnswer(appStatus, protocolStatus))
    } else if (!this.#answer.whole) {
      this.fail(new errors.ResponseContentLengthMismatchError())
    } else {
      this.#ended = true
      this.#letGo()
      this.#deliver()
    }
  }

  /** The connection is gone. */
  onConnectionLost(error: Error): void {
    this.#carrier = undefined
    if (!this.#ended) this.fail(error)
    this.observation?.end({ error: this.#reason ?? error })
  }

  /** Ends the request with an error, once; the application is told to stop. */
  fail(error: Error): void {
    if (this.#state === CLOSED) return
    const carrier = this.#carrier
    this.#state = CLOSED
    this.#reason = error
    this.#held = undefined
    this.#letGo()
    carrier?.abandon(this.#requestId, this)
    if (this.#stdin !== undefined) this.#stdin.stop(error)
    else this.request.body?.source?.stop(error)
    this.#handler.onError(this, error)
  }

  #letGo(): void {
    this.#carrier = undefined
    this.#timer?.give()
    this.#timer = undefined
  }

  // ---- telling the handler ----

  #deliver(): void {
    while (!this.#paused && this.#held !== undefined) {
      const piece = this.#held.shift()!
      this.#heldLength -= piece.length
      if (this.#held.length === 0) this.#held = undefined
      this.#tellData(piece)
    }
    if (this.#paused || !this.#ended || this.#state === CLOSED) return
    this.#state = CLOSED
    this.#rawTrailers ??= []
    try {
      this.#handler.onEnd(this)
    } catch (error) {
      this.#handler.onError(this, error as Error)
    }
  }

  // What a handler throws is its own request's failure, as undici has it.
  #tellData(piece: Buffer): void {
    try {
      this.#handler.onData(this, piece)
    } catch (error) {
      this.fail(error as Error)
    }
  }

  onTimeout(): void {
    if (this.#state === HEAD) {
      // While the request body is slow to come, it is not the application that keeps us waiting.
      if (this.sent || this.#stdin!.blocked) this.fail(new errors.HeadersTimeoutError())
      else this.#timer!.refresh()
    } else if (this.#paused) {
      this.#timer!.refresh()
    } else {
      this.fail(new errors.BodyTimeoutError())
    }
  }
}
