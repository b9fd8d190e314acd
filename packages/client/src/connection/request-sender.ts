import { COPY_MAX } from '../request/encode.ts'
import type { ClientRequest } from '../request/request.ts'
import type { ResponseHandler } from '../response/handler.ts'
import { type StdinTarget, type StdinUser, StdinWriter } from './stdin.ts'

/** The connection that a {@link RequestSender} writes to. */
export interface RequestTarget extends StdinTarget {
  /** Sends BEGIN_REQUEST and PARAMS; with `stdin`, all of STDIN as well. */
  sendRequest(requestId: number, params: readonly string[], stdin: Uint8Array | undefined): void
  /** Corks the socket until the end of this turn of the event loop, so that all data is sent in one write. */
  corkOnce(): void
}

/** What a {@link RequestSender} needs from its exchange. */
export interface SenderUser {
  /** The request has ended or failed: the handler is not called again. */
  readonly closed: boolean
  /** Part of the body was sent, or the socket drained. */
  onSendProgress(): void
  fail(error: Error): void
}

const NO_BYTES = new Uint8Array()

/**
 * Sends a request: BEGIN_REQUEST, PARAMS and STDIN.
 *
 * - `unsent`: the request has not been sent, or was detached from the connection that it was sent on.
 * - `sent`: the request has been sent, at least in part. A body that is not sent in one write has a {@link StdinWriter}.
 */
export class RequestSender implements StdinUser {
  readonly #handler: ResponseHandler
  readonly #user: SenderUser
  #state: 'unsent' | 'sent' = 'unsent'
  #sentBefore = false
  #stdin: StdinWriter | undefined

  constructor(handler: ResponseHandler, user: SenderUser) {
    this.#handler = handler
    this.#user = user
  }

  /** The request has been sent, at least in part. */
  get begun(): boolean {
    return this.#state === 'sent'
  }

  /** The whole request has been sent. */
  get complete(): boolean {
    return this.#stdin === undefined || this.#stdin.ended
  }

  /** STDIN waits for the socket to drain, not for the source of the body. */
  get blocked(): boolean {
    return this.#stdin?.blocked ?? false
  }

  /** The request was sent before, on a connection that it was then detached from. */
  get sentBefore(): boolean {
    return this.#sentBefore
  }

  send(request: ClientRequest, target: RequestTarget, requestId: number): void {
    const { body, contentLength, params } = request
    this.#state = 'sent'
    const bytes = body === null ? NO_BYTES : body.bytes
    if (bytes !== undefined && bytes.length <= COPY_MAX) {
      target.sendRequest(requestId, params, bytes)
      if (bytes.length > 0) this.onBodySent(bytes)
      this.onRequestSent()
      return
    }
    // The first piece of the body is sent in the same write as the head if it is available at once.
    target.corkOnce()
    target.sendRequest(requestId, params, undefined)
    this.#stdin = new StdinWriter(this, target, requestId, body!, contentLength)
    this.#stdin.start()
  }

  /** The socket has drained. */
  onDrain(): void {
    this.#stdin?.onDrain()
  }

  /** Detaches the request from its connection, so that it can be sent on another. */
  detach(): void {
    this.#sentBefore = this.begun
    this.#state = 'unsent'
    this.#stdin = undefined
  }

  /** Stops sending. `error` destroys the source of `request`'s body. */
  stop(request: ClientRequest, error?: Error): void {
    if (this.#stdin !== undefined) this.#stdin.stop(error)
    else if (error !== undefined) request.body?.source?.stop(error)
  }

  // ---- StdinUser ----

  onStdinProgress(): void {
    this.#user.onSendProgress()
  }

  onBodySent(chunk: Uint8Array): void {
    try {
      this.#handler.onBodySent?.(chunk)
    } catch (error) {
      this.fail(error as Error)
    }
  }

  onRequestSent(): void {
    if (this.#user.closed) return
    try {
      this.#handler.onRequestSent?.()
    } catch (error) {
      this.fail(error as Error)
    }
  }

  fail(error: Error): void {
    this.#user.fail(error)
  }
}
