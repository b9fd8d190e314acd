import { type InternalRequest, type InternalResponse, isRead } from '../internals.ts'
import { ClientSocket } from './client-socket.ts'
import { type BodyOwner, BodyPump, endBody, pushBody } from './request-body.ts'

/** The half of a request's socket that brings the request body: Node's IncomingMessage resumes and pauses its socket. */
export abstract class RequestSocket extends ClientSocket implements BodyOwner {
  #request: InternalRequest | undefined
  #body: BodyPump | undefined
  #opened = false
  // The request stream has the whole body, and has ended or is about to.
  #bodyPushed = false

  /** The response that is written to the socket, as Node's own code has it. */
  abstract _httpMessage: InternalResponse | null

  protected get incoming(): InternalRequest {
    return this.#request!
  }

  protected set incoming(request: InternalRequest) {
    this.#request = request
  }

  /** Undefined until somebody reads the body. */
  protected get bodyPump(): BodyPump | undefined {
    return this.#body
  }

  /** The listener has returned: as in Node, only now does the body reach the request. An empty body has arrived. */
  opened(): void {
    this.#opened = true
    const request = this.incoming
    // With a pump, that ends it: it may hold pieces.
    if (this.#body === undefined && this.exchange.stdin.ended && !request.complete) {
      this.#bodyPushed = true
      endBody(request)
    }
    if (this.destroyed) {
      if (!request.complete && !request.destroyed) this.#pushBody(request)
      this.dropBody()
    } else if (this.#body !== undefined || isRead(request) || request._readableState.readableListening) {
      this.#pump.release()
    }
  }

  /** The listener failed. */
  fail(error: unknown): void {
    this.exchange.fail(error)
    this.destroy(error instanceof Error ? error : undefined)
  }

  /** Bytes of the request body so far. */
  get bytesRead(): number {
    return this.#body?.bytesRead ?? 0
  }

  /** The response has finished, and nobody reads the body: it is dropped, as Node does. */
  protected dumpBody(): void {
    const request = this.incoming
    if (request.destroyed) this.exchange.stdin.discard()
    else if (request.complete || this.#body?.ending || this.#pushBody(request)) request._dump()
    else this.#pump.drop()
  }

  #pushBody(request: InternalRequest): boolean {
    this.#bodyPushed = pushBody(this.exchange, request)
    return this.#bodyPushed
  }

  // ---- the request body's way in: Node's IncomingMessage asks its socket ----

  override resume(): this {
    if (!this.#bodyPushed) this.#pump.resume()
    return this
  }

  override pause(): this {
    this.#pump.pause()
    return this
  }

  override isPaused(): boolean {
    return this.#body?.paused ?? false
  }

  get #pump(): BodyPump {
    if (this.#body === undefined) {
      this.#body = new BodyPump(this.exchange, this.incoming, this)
      if (!this.#opened) this.#body.hold()
    }
    return this.#body
  }

  onBodyProgress(): void {
    this.onTraffic()
  }

  onBodyError(error: unknown): void {
    this.fail(error)
  }

  onBodyBroken(): void {
    this.readable = false
  }

  // Node's parser has read a body that has arrived, whether or not the app has.
  protected dropBody(): void {
    if (!this.#opened) return
    const { stdin } = this.exchange
    const request = this.incoming
    if (this._httpMessage !== null && !request.destroyed && !request.complete && !isRead(request))
      pushBody(this.exchange, request)
    while (stdin.read() !== null);
    if (stdin.ended) request.complete = true
    else stdin.discard()
  }
}
