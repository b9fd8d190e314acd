import { errors } from 'undici'
import { noAnswer } from '../error.ts'
import type { Observation } from '../observer.ts'
import type { ClientRequest } from '../request/request.ts'
import { AnswerReader, type AnswerUser } from '../response/answer.ts'
import { BodyDelivery } from '../response/delivery.ts'
import type { ResponseHandler } from '../response/handler.ts'
import type { ResponseHead } from '../response/response-head.ts'
import { HandlerController } from './controller.ts'
import type { ExchangeLimits, ExchangeState } from './exchange-state.ts'
import { RequestSender, type RequestTarget, type SenderUser } from './request-sender.ts'
import { RequestTimer, type TimerUser } from './timer.ts'

/** The connection that a request is on, as the request sees it. */
export interface Carrier extends RequestTarget {
  /** Other requests run on it at the same time. */
  readonly shared: boolean
  /** `chunk[start, end)` of what was read, in memory that stays valid. */
  take(chunk: Buffer, start: number, end: number): Buffer
  /** Reads no more until {@link release}: the handler of `exchange` is paused. */
  hold(exchange: ClientExchange): void
  release(exchange: ClientExchange): void
  /** The request has failed: the application is told to abort it, and has a moment to end it. */
  abandon(requestId: number, exchange: ClientExchange): void
}

/**
 * The bytes of a response body that are held for a paused handler before reading stops, which also stops all other requests on
 * the connection.
 */
const HOLD_MAX = 1024 * 1024

/** One request from BEGIN_REQUEST to END_REQUEST, as the client sees it, and the controller that undici's handlers get. */
export class ClientExchange extends HandlerController implements AnswerUser, SenderUser, TimerUser {
  /** Replaced once when its body was buffered, before a connection has it. */
  request: ClientRequest
  /** Who observes it, once it has a connection. */
  observation: Observation | undefined
  readonly #handler: ResponseHandler
  readonly #limits: ExchangeLimits
  readonly #onStderr: ((chunk: Buffer) => void) | undefined

  #state: ExchangeState = 'waiting'
  #carrier: Carrier | undefined
  #requestId = 0
  #timer: RequestTimer | undefined
  // The connection was open before it took this request: the application may be closing it.
  #isReused = false
  readonly #sender: RequestSender
  readonly #answer: AnswerReader
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
    this.#answer = new AnswerReader(this, request.method, limits.maxHeaderSize)
    // As with undici, an error that a handler throws is its own request's failure.
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
    return this.#answer.head
  }

  abort(reason?: Error): void {
    if (this.#aborted) return
    this.#aborted = true
    this.fail(reason ?? new errors.RequestAbortedError())
  }

  pause(): void {
    if (this.paused || this.#state === 'closed') return
    this.#delivery.paused = true
    // On a shared connection, and before there is one, what arrives is held first.
    if (this.#carrier?.shared === false) this.#carrier.hold(this)
  }

  resume(): void {
    if (!this.paused) return
    this.#delivery.paused = false
    if (this.#state !== 'ended') this.#timer?.refresh()
    this.#deliver()
    if (!this.paused) this.#carrier?.release(this)
  }

  // ---- the way out, called by the dispatcher, the pool and the connection ----

  /** Tells the handler that its request begins; false if the handler no longer wants it. */
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

  /** It has been sent, at least in part. */
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

  /** It can be sent again, and that does no harm. */
  get repeatable(): boolean {
    return this.request.idempotent && this.#resendable
  }

  /** It may have met a kept connection that was being closed, and can be sent again without harm. */
  get retryable(): boolean {
    return this.#isReused && this.repeatable && this.returnable
  }

  /** It was sent before, in vain: it needs a connection of its own. */
  get returned(): boolean {
    return this.#sender.sentInVain
  }

  get #resendable(): boolean {
    const { body } = this.request
    return body === null || body.bytes !== undefined
  }

  /** The connection has taken this request, and calls {@link send} when it is open. */
  attach(carrier: Carrier, requestId: number, isReused: boolean): void {
    this.#carrier = carrier
    this.#requestId = requestId
    this.#isReused = isReused
  }

  /** Undoes {@link attach} and {@link send}: it waits for another connection. */
  detach(): void {
    this.#sender.detach()
    this.#state = 'waiting'
    this.observation = undefined
    this.#letGo()
  }

  send(): void {
    this.#state = 'sent'
    this.#timer = RequestTimer.take()
    this.#timer.start(this.#limits.headersTimeout, this)
    this.#sender.send(this.request, this.#carrier!, this.#requestId)
  }

  onSendProgress(): void {
    this.#timer?.refresh()
  }

  /** The connection takes more. */
  onDrain(): void {
    this.#sender.onDrain()
  }

  // ---- the way back, called by the connection ----

  /** A piece of STDOUT: `chunk[start, end)`, valid until this returns. */
  onStdout(chunk: Buffer, start: number, end: number): void {
    if (this.#state === 'closed') return
    if (this.#state === 'sent') this.#state = 'head'
    try {
      this.#answer.push(chunk, start, end)
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
    const carrier = this.#carrier!
    const heldBytes = this.#delivery.push(carrier.take(chunk, start, end))
    if (heldBytes > 0 && (!carrier.shared || heldBytes > HOLD_MAX)) carrier.hold(this)
  }

  /** A piece of STDERR. */
  onStderr(chunk: Buffer): void {
    if (this.#state === 'sent') this.#state = 'head'
    this.observation?.stderr(chunk)
    if (this.#state !== 'closed') this.#onStderr?.(chunk)
  }

  /** END_REQUEST has come, and the connection has forgotten this request. */
  onEndRequest(appStatus: number, protocolStatus: number): void {
    this.#carrier = undefined
    this.#finish(appStatus, protocolStatus)
    this.observation?.end({ appStatus, protocolStatus, ...(this.#reason && { error: this.#reason }) })
  }

  #finish(appStatus: number, protocolStatus: number): void {
    if (this.#state === 'closed') return
    // A response may end before all of the request was sent.
    this.#sender.stop(this.request)
    if (this.#state !== 'body') {
      this.fail(noAnswer(appStatus, protocolStatus))
    } else if (!this.#answer.whole) {
      this.fail(new errors.ResponseContentLengthMismatchError())
    } else {
      this.#state = 'ended'
      this.#letGo()
      this.#deliver()
    }
  }

  /** The connection is gone. */
  onConnectionLost(error: Error): void {
    this.#carrier = undefined
    if (this.#state !== 'ended') this.fail(error)
    this.observation?.end({ error: this.#reason ?? error })
  }

  /** Ends the request with an error, once, and tells the application to abort it. */
  fail(error: Error): void {
    if (this.#state === 'closed') return
    const carrier = this.#carrier
    this.#state = 'closed'
    this.#reason = error
    this.#delivery.clear()
    this.#letGo()
    carrier?.abandon(this.#requestId, this)
    this.#sender.stop(this.request, error)
    this.#handler.onError(this, error)
  }

  #letGo(): void {
    this.#carrier = undefined
    this.#timer?.give()
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
    const isResponding = this.#state === 'body'
    // While the source of the request body, or a paused handler, is slow, the application is not what is waited for.
    const isWaitingForUs = isResponding ? this.paused : !this.sent && !this.#sender.blocked
    if (isWaitingForUs) this.#timer!.refresh()
    else this.fail(isResponding ? new errors.BodyTimeoutError() : new errors.HeadersTimeoutError())
  }
}
