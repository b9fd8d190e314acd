import { type Dispatcher, errors } from 'undici'
import type { Body, BodySink } from './body.ts'
import type { ClientConnection } from './connection.ts'
import { COPY_MAX } from './encode.ts'
import { noAnswer } from './error.ts'
import { type ResponseHandler, toRawHeaders } from './handler.ts'
import type { Observation } from './observer.ts'
import { type ResponseHead, ResponseHeadParser } from './response-head.ts'

/** One request, ready to be sent. */
export interface ClientRequest {
  readonly method: string
  /** To send it twice does no more than to send it once (RFC 9110 section 9.2.2). */
  readonly idempotent: boolean
  /** Path and query that were asked for. */
  readonly target: string
  readonly params: ReadonlyMap<string, string>
  readonly body: Body | null
  /** What CONTENT_LENGTH says; undefined when it says nothing. */
  readonly contentLength: number | undefined
}

/** What holds for every request of a dispatcher. Times are in milliseconds, 0 is no limit. */
export interface ExchangeLimits {
  readonly headersTimeout: number
  readonly bodyTimeout: number
  readonly maxHeaderSize: number
}

/**
 * The bytes of an answer that are held for a handler that does not take them, before the connection is stopped for the
 * other requests on it as well.
 */
const HOLD_MAX = 1024 * 1024

// What the request is doing for its handler. Where its connection stands is the connection's matter: it may still wait
// for the END_REQUEST of a request that is CLOSED here.
const WAITING = 0
const HEAD = 1
const BODY = 2
const CLOSED = 3

/**
 * One request from BEGIN_REQUEST to END_REQUEST, seen by the client. It is the controller that undici's handlers
 * are given, and takes the bytes of its own request body.
 */
export class ClientExchange implements Dispatcher.DispatchController, BodySink {
  readonly request: ClientRequest
  /** Who watches, from when the request has a connection. */
  observation: Observation | undefined
  readonly #handler: ResponseHandler
  readonly #limits: ExchangeLimits
  readonly #onStderr: ((chunk: Buffer) => void) | undefined

  #state = WAITING
  #connection: ClientConnection | undefined
  #requestId = 0
  #timer: NodeJS.Timeout | undefined
  // The connection was up before this request came to it: the application may be closing it.
  #kept = false
  #returned = false

  #stdinLeft: number | undefined
  #stdinEnded = false
  #stdinBlocked = false

  #answered = false
  #parser: ResponseHeadParser | undefined
  #head: ResponseHead | undefined
  #bodyLeft: number | undefined
  #bodyDropped = false
  #paused = false
  #reason: Error | null = null
  // What came while the handler was paused: on a connection of its own never more than that had read when it stopped.
  #held: Buffer[] = []
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
    this.#stdinLeft = request.contentLength
  }

  // ---- the controller that handlers are given ----

  get aborted(): boolean {
    return this.#reason !== null
  }

  get paused(): boolean {
    return this.#paused
  }

  get reason(): Error | null {
    return this.#reason
  }

  get rawHeaders(): Buffer[] {
    return toRawHeaders(this.#head?.headers ?? [])
  }

  get rawTrailers(): Buffer[] {
    return []
  }

  abort(reason?: Error): void {
    this.fail(reason ?? new errors.RequestAbortedError())
  }

  pause(): void {
    if (this.#paused || this.#state === CLOSED) return
    this.#paused = true
    if (this.#connection?.shared === false) this.#connection.hold(this)
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    if (!this.#ended) this.#timer?.refresh()
    this.#deliver()
    if (!this.#paused) this.#connection?.release(this)
  }

  // ---- the way out, called by the dispatcher and the connection ----

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

  /** All of the request has gone out: a kept connection can take the next one. */
  get sent(): boolean {
    return this.#stdinEnded
  }

  /** The connection has taken this request, and sends it by {@link send} as soon as it is open. */
  attach(connection: ClientConnection, requestId: number, kept: boolean): void {
    this.#connection = connection
    this.#requestId = requestId
    this.#kept = kept
  }

  /** The application has done nothing of it that is known, and it can be sent again as a whole. */
  get returnable(): boolean {
    const { body } = this.request
    return (
      this.#state === HEAD &&
      !this.#answered &&
      !this.#returned &&
      (body === null || body.bytes !== undefined)
    )
  }

  /** It does no harm when it is sent again, and can be. */
  get repeatable(): boolean {
    const { body, idempotent } = this.request
    return idempotent && (body === null || body.bytes !== undefined)
  }

  /** It may have met a kept connection that was closing, and does no harm when it is sent again. */
  get retryable(): boolean {
    return this.#kept && this.repeatable && this.returnable
  }

  /** It was sent before, in vain: only a connection of its own will do. */
  get returned(): boolean {
    return this.#returned
  }

  /** Undoes {@link attach} and {@link send}: it has no connection, and waits for the next. */
  detach(): void {
    this.#returned = true
    this.#connection = undefined
    this.#state = WAITING
    this.observation = undefined
    this.#stdinLeft = this.request.contentLength
    this.#stdinEnded = false
    this.#stdinBlocked = false
    clearTimeout(this.#timer)
  }

  send(): void {
    const connection = this.#connection!
    const { params, body } = this.request
    this.#state = HEAD
    this.#startTimer(this.#limits.headersTimeout)
    if (this.#paused) connection.hold(this)
    const bytes = body === null ? new Uint8Array() : body.bytes
    if (bytes !== undefined && bytes.length <= COPY_MAX) {
      this.#stdinEnded = true
      connection.sendRequest(this.#requestId, params, bytes)
      return
    }
    // The first of the body goes out with the head where it is there at once.
    connection.corkOnce()
    connection.sendRequest(this.#requestId, params, undefined)
    if (bytes !== undefined) {
      this.write(bytes)
      this.end()
    } else {
      body!.source!.start(this)
    }
  }

  /** A piece of the request body. */
  write(chunk: Uint8Array): boolean {
    if (this.#state === CLOSED || this.#stdinEnded || this.#connection === undefined) return true
    if (chunk.length === 0) return true
    if (this.#stdinLeft !== undefined) {
      this.#stdinLeft -= chunk.length
      if (this.#stdinLeft < 0) {
        this.fail(new errors.RequestContentLengthMismatchError())
        return true
      }
    }
    this.#timer?.refresh()
    this.#stdinBlocked = !this.#connection.sendStdin(this.#requestId, chunk)
    return !this.#stdinBlocked
  }

  /** The request body is whole. */
  end(): void {
    if (this.#state === CLOSED || this.#stdinEnded || this.#connection === undefined) return
    if (this.#stdinLeft !== undefined && this.#stdinLeft > 0) {
      this.fail(new errors.RequestContentLengthMismatchError())
      return
    }
    this.#timer?.refresh()
    this.#stdinEnded = true
    this.#connection.endStdin(this.#requestId)
  }

  /** The connection takes more. */
  onDrain(): void {
    if (!this.#stdinBlocked || this.#state === CLOSED) return
    this.#stdinBlocked = false
    this.#timer?.refresh()
    this.request.body?.source?.resume()
  }

  // ---- the way back, called by the connection ----

  /** A piece of STDOUT: `chunk[start, end)`. */
  onStdout(chunk: Buffer, start: number, end: number): void {
    this.#answered = true
    try {
      while (this.#state === HEAD) {
        this.#parser ??= new ResponseHeadParser(this.#limits.maxHeaderSize)
        start = this.#parser.push(chunk, start, end)
        if (start === -1) return
        const { head } = this.#parser
        this.#parser = undefined
        // CGI knows no interim responses; what some applications send as such is passed over.
        if (head.status >= 200) this.#onHead(head)
      }
    } catch (error) {
      this.fail(error as Error)
      return
    }
    if (start === end || this.#state !== BODY || this.#bodyDropped) return
    if (this.#bodyLeft !== undefined) {
      this.#bodyLeft -= end - start
      if (this.#bodyLeft < 0) {
        this.fail(new errors.ResponseContentLengthMismatchError())
        return
      }
    }
    this.#timer?.refresh()
    const view = chunk.subarray(start, end)
    if (this.#paused || this.#held.length > 0) this.#hold(view)
    else this.#tellData(view)
  }

  #hold(view: Buffer): void {
    const shared = this.#connection!.shared
    // A view keeps all that was read with it, which here is mostly the others'.
    this.#held.push(shared ? Buffer.from(view) : view)
    this.#heldLength += view.length
    if (!shared || this.#heldLength > HOLD_MAX) this.#connection!.hold(this)
  }

  /** A piece of STDERR. */
  onStderr(chunk: Buffer): void {
    this.#answered = true
    this.observation?.stderr(chunk)
    if (this.#state !== CLOSED) this.#onStderr?.(chunk)
  }

  /** The connection has seen END_REQUEST, and is this request's no more. */
  onEndRequest(appStatus: number, protocolStatus: number): void {
    this.#connection = undefined
    this.#finish(appStatus, protocolStatus)
    this.observation?.end({ appStatus, protocolStatus, ...(this.#reason && { error: this.#reason }) })
  }

  #finish(appStatus: number, protocolStatus: number): void {
    if (this.#state === CLOSED) return
    // An answer may come before all of the request was sent.
    if (!this.#stdinEnded) this.request.body?.source?.stop()
    if (this.#state === HEAD) {
      this.fail(noAnswer(appStatus, protocolStatus))
    } else if (this.#bodyLeft !== undefined && this.#bodyLeft > 0) {
      this.fail(new errors.ResponseContentLengthMismatchError())
    } else {
      this.#ended = true
      clearTimeout(this.#timer)
      this.#deliver()
    }
  }

  /** The connection is gone. */
  onConnectionLost(error: Error): void {
    this.#connection = undefined
    if (!this.#ended) this.fail(error)
    this.observation?.end({ error: this.#reason ?? error })
  }

  /** Ends the request with an error, once; the application is told to stop. */
  fail(error: Error): void {
    if (this.#state === CLOSED) return
    const connection = this.#connection
    this.#state = CLOSED
    this.#reason = error
    this.#held = []
    this.#connection = undefined
    clearTimeout(this.#timer)
    connection?.abandon(this.#requestId, this)
    this.request.body?.source?.stop(error)
    this.#handler.onError(this, error)
  }

  // ---- telling the handler ----

  #onHead(head: ResponseHead): void {
    const { status } = head
    this.#state = BODY
    this.#head = head
    this.#bodyDropped = this.request.method === 'HEAD' || status === 204 || status === 205 || status === 304
    if (!this.#bodyDropped) this.#bodyLeft = head.contentLength
    this.#startTimer(this.#limits.bodyTimeout)
    this.observation?.head(status, head.headers)
    this.#handler.onHead(this, head)
  }

  #deliver(): void {
    while (!this.#paused && this.#held.length > 0) {
      const chunk = this.#held.shift()!
      this.#heldLength -= chunk.length
      this.#tellData(chunk)
    }
    if (this.#paused || !this.#ended || this.#state === CLOSED) return
    this.#state = CLOSED
    try {
      this.#handler.onEnd(this)
    } catch (error) {
      this.#handler.onError(this, error as Error)
    }
  }

  // What a handler throws is its own request's failure, as undici has it.
  #tellData(chunk: Buffer): void {
    try {
      this.#handler.onData(this, chunk)
    } catch (error) {
      this.fail(error as Error)
    }
  }

  #startTimer(milliseconds: number): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (milliseconds > 0) this.#timer = setTimeout(this.#onTimeout, milliseconds).unref()
  }

  readonly #onTimeout = (): void => {
    if (this.#state === HEAD) {
      // While the request body is slow to come, it is not the application that keeps us waiting.
      if (!this.#stdinEnded && !this.#stdinBlocked) this.#timer!.refresh()
      else this.fail(new errors.HeadersTimeoutError())
    } else if (this.#paused) {
      this.#timer!.refresh()
    } else {
      this.fail(new errors.BodyTimeoutError())
    }
  }
}
