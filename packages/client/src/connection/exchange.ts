import { errors } from 'undici'
import { noResponse } from '../error.ts'
import type { Observation } from '../observer.ts'
import type { ClientRequest } from '../request/request.ts'
import { BodyDelivery } from '../response/delivery.ts'
import type { ResponseHandler } from '../response/handler.ts'
import type { ResponseHead } from '../response/response-head.ts'
import { ResponseReader, type ResponseReaderUser } from '../response/response-reader.ts'
import { HandlerController } from './controller.ts'
import type { ExchangeLimits, ExchangeState } from './exchange-state.ts'
import { RequestSender, type RequestTarget, type SenderUser } from './request-sender.ts'
import { RequestTimer, type TimerUser } from './timer.ts'

/** What a request needs from its connection. */
export interface ExchangeConnection extends RequestTarget {
  /** Other requests run on the connection at the same time. */
  readonly shared: boolean
  /** `chunk[start, end)` of the bytes that were read, in memory that stays valid. */
  take(chunk: Buffer, start: number, end: number): Buffer
  /** Stops reading until {@link release}: the handler of `exchange` is paused. */
  hold(exchange: ClientExchange): void
  release(exchange: ClientExchange): void
  /** The request has failed: sends FCGI_ABORT_REQUEST, and gives the application a second to end the request. */
  abandon(requestId: number, exchange: ClientExchange): void
}

/**
 * The most bytes of a response body that are buffered for a paused handler on a shared connection. Beyond that, the connection
 * stops reading, which also stops its other requests.
 */
const HOLD_MAX = 1024 * 1024

/** One request from BEGIN_REQUEST to END_REQUEST on the client's side, and the controller that undici's handlers get. */
export class ClientExchange extends HandlerController implements ResponseReaderUser, SenderUser, TimerUser {
  /** If the body is buffered, this is replaced once, before a connection takes the request. */
  request: ClientRequest
  /** Set when the request has a connection and the dispatcher has an observer. */
  observation: Observation | undefined
  readonly #handler: ResponseHandler
  readonly #limits: ExchangeLimits
  readonly #onStderr: ((chunk: Buffer) => void) | undefined

  #state: ExchangeState = 'waiting'
  #connection: ExchangeConnection | undefined
  #requestId = 0
  #timer: RequestTimer | undefined
  // The connection was open before it took this request: the application may be closing it.
  #isReused = false
  readonly #sender: RequestSender
  readonly #reader: ResponseReader
  readonly #delivery: BodyDelivery
  #aborted = false
  #reason: Error | null = null

  constructor(
    request: ClientRequest,
    handler: ResponseHandler,
    limits: ExchangeLimits,
    onStderr: ((chunk: Buffer) => void) | undefined,
  ) {
    super()
    this.request = request
    this.#handler = handler
    this.#limits = limits
    this.#onStderr = onStderr
    this.#sender = new RequestSender(handler, this)
    this.#reader = new ResponseReader(this, request.method, limits.maxHeaderSize)
    // As in undici, an error that a handler throws fails that handler's request only.
    this.#delivery = new BodyDelivery(handler, this, (error) => this.fail(error))
  }

  // ---- the controller that handlers get ----

  get aborted(): boolean {
    return this.#aborted
  }

  get paused(): boolean {
    return this.#delivery.paused
  }

  get reason(): Error | null {
    return this.#reason
  }

  protected get head(): ResponseHead | undefined {
    return this.#reader.head
  }

  abort(reason?: Error): void {
    if (this.#aborted) return
    this.#aborted = true
    this.fail(reason ?? new errors.RequestAbortedError())
  }

  pause(): void {
    if (this.paused || this.#state === 'closed') return
    this.#delivery.paused = true
    // On a shared connection, and before the request has one, arriving data is buffered first.
    if (this.#connection?.shared === false) this.#connection.hold(this)
  }

  resume(): void {
    if (!this.paused) return
    this.#delivery.paused = false
    if (this.#state !== 'ended') this.#timer?.refresh()
    this.#deliver()
    if (!this.paused) this.#connection?.release(this)
  }

  // ---- sending, called by the dispatcher, the pool and the connection ----

  /** Calls the handler's onStart. False: the handler aborted the request, or threw. */
  begin(): boolean {
    try {
      this.#handler.onStart(this)
    } catch (error) {
      this.fail(error as Error)
    }
    return !this.closed
  }

  get closed(): boolean {
    return this.#state === 'closed'
  }

  /** The request has been sent, at least in part. */
  get begun(): boolean {
    return this.#sender.begun
  }

  /** All of the request has been sent: a kept connection can take the next one. */
  get sent(): boolean {
    return this.#sender.complete
  }

  /** The application has not begun to respond, and the whole request can be sent again. */
  get returnable(): boolean {
    return this.#state === 'sent' && !this.returned && this.#resendable
  }

  /** The request is idempotent, and all of it is in memory to be sent again. */
  get repeatable(): boolean {
    return this.request.idempotent && this.#resendable
  }

  /** The application may have been closing the kept connection when the request arrived, and the request can be sent again. */
  get retryable(): boolean {
    return this.#isReused && this.repeatable && this.returnable
  }

  /** The request was sent before, without a response: it needs a new connection. */
  get returned(): boolean {
    return this.#sender.sentBefore
  }

  get #resendable(): boolean {
    const { body } = this.request
    return body === null || body.bytes !== undefined
  }

  /** The connection has taken this request, and calls {@link send} when the connection is open. */
  attach(connection: ExchangeConnection, requestId: number, isReused: boolean): void {
    this.#connection = connection
    this.#requestId = requestId
    this.#isReused = isReused
  }

  /** Undoes {@link attach} and {@link send}: the request waits for another connection. */
  detach(): void {
    this.#sender.detach()
    this.#state = 'waiting'
    this.observation = undefined
    this.#leaveConnection()
  }

  send(): void {
    this.#state = 'sent'
    this.#timer = RequestTimer.acquire()
    this.#timer.start(this.#limits.headersTimeout, this)
    this.#sender.send(this.request, this.#connection!, this.#requestId)
  }

  onSendProgress(): void {
    this.#timer?.refresh()
  }

  /** The socket has drained: more of the body can be written. */
  onDrain(): void {
    this.#sender.onDrain()
  }

  // ---- the response, called by the connection ----

  /** A piece of STDOUT: `chunk[start, end)`, valid until this returns. */
  onStdout(chunk: Buffer, start: number, end: number): void {
    if (this.#state === 'closed') return
    if (this.#state === 'sent') this.#state = 'head'
    try {
      this.#reader.push(chunk, start, end)
    } catch (error) {
      this.fail(error as Error)
    }
  }

  onHead(head: ResponseHead): void {
    this.#state = 'body'
    this.#timer!.start(this.#limits.bodyTimeout, this)
    this.observation?.head(head.status, head.headers)
    this.#handler.onHead(this, head)
  }

  onBody(chunk: Buffer, start: number, end: number): void {
    this.#timer!.refresh()
    const connection = this.#connection!
    const heldBytes = this.#delivery.push(connection.take(chunk, start, end))
    if (heldBytes > 0 && (!connection.shared || heldBytes > HOLD_MAX)) connection.hold(this)
  }

  /** A piece of STDERR. */
  onStderr(chunk: Buffer): void {
    if (this.#state === 'sent') this.#state = 'head'
    this.observation?.stderr(chunk)
    if (this.#state !== 'closed') this.#onStderr?.(chunk)
  }

  /** END_REQUEST was received, and the connection has removed this request. */
  onEndRequest(appStatus: number, protocolStatus: number): void {
    this.#connection = undefined
    this.#finish(appStatus, protocolStatus)
    this.observation?.end({ appStatus, protocolStatus, ...(this.#reason && { error: this.#reason }) })
  }

  #finish(appStatus: number, protocolStatus: number): void {
    if (this.#state === 'closed') return
    // A response may end before all of the request was sent.
    this.#sender.stop(this.request)
    if (this.#state !== 'body') {
      this.fail(noResponse(appStatus, protocolStatus))
    } else if (!this.#reader.whole) {
      this.fail(new errors.ResponseContentLengthMismatchError())
    } else {
      this.#state = 'ended'
      this.#leaveConnection()
      this.#deliver()
    }
  }

  /** The connection has closed. */
  onConnectionLost(error: Error): void {
    this.#connection = undefined
    if (this.#state !== 'ended') this.fail(error)
    this.observation?.end({ error: this.#reason ?? error })
  }

  /** Fails the request with `error` and aborts it at the application. Later calls do nothing. */
  fail(error: Error): void {
    if (this.#state === 'closed') return
    const connection = this.#connection
    this.#state = 'closed'
    this.#reason = error
    this.#delivery.clear()
    this.#leaveConnection()
    connection?.abandon(this.#requestId, this)
    this.#sender.stop(this.request, error)
    this.#handler.onError(this, error)
  }

  #leaveConnection(): void {
    this.#connection = undefined
    this.#timer?.release()
    this.#timer = undefined
  }

  // ---- the handler ----

  #deliver(): void {
    if (!this.#delivery.flush() || this.#state !== 'ended') return
    this.#state = 'closed'
    this.rawTrailers ??= []
    try {
      this.#handler.onEnd(this)
    } catch (error) {
      this.#handler.onError(this, error as Error)
    }
  }

  onTimeout(): void {
    // The time-outs are for a slow application, not for a paused handler or a slow source of the request body.
    if (this.#state === 'body') {
      if (this.paused) this.#timer!.refresh()
      else this.fail(new errors.BodyTimeoutError())
    } else {
      const waitsForSource = !this.sent && !this.#sender.blocked
      if (waitsForSource) this.#timer!.refresh()
      else this.fail(new errors.HeadersTimeoutError())
    }
  }
}
