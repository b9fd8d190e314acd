import { type InternalRequest, type InternalResponse, isRead } from '../internals.ts'
import { ClientSocket } from './client-socket.ts'
import { type BodyOwner, BodyPump, endBody, pushBody } from './request-body.ts'

/**
 * How the request body reaches the request stream. Each column is an event, each cell the next state.
 *
 * | state      | the listener returns     | the whole body is pushed |
 * | ---------- | ------------------------ | ------------------------ |
 * | `held`     | `flowing` or `complete`  | –                        |
 * | `flowing`  | –                        | `complete`               |
 * | `complete` | –                        | –                        |
 *
 * - `held`: the app's listener runs. Node delivers no body before it returns, so a pump that is created now waits.
 * - `flowing`: the pump moves the body at the pace of the app. There is no pump before somebody reads.
 * - `complete`: the request stream received the whole body without a pump, and has ended or is about to. `resume` has nothing to do.
 */
type BodyState = 'held' | 'flowing' | 'complete'

/** The part of a request's socket that delivers the request body: Node's IncomingMessage resumes and pauses its socket. */
export abstract class RequestSocket extends ClientSocket implements BodyOwner {
  #request: InternalRequest | undefined
  #body: BodyPump | undefined
  #state: BodyState = 'held'

  /** The response that is written to the socket. Node's own code reads and sets it. */
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

  /**
   * The listener has returned: from now on the body reaches the request. An empty body is complete at once. A body that arrived together
   * with the params is pushed even if nobody reads it, as in Node. The rest of a longer one waits for a reader.
   */
  opened(): void {
    this.#state = 'flowing'
    const request = this.incoming
    const { stdin } = this.exchange
    // A pump ends the request itself, because it may still hold pieces.
    if (this.#body === undefined && stdin.ended && !request.complete) {
      this.#state = 'complete'
      endBody(request)
    }
    if (this.destroyed) {
      // The end of a body that has arrived follows after the ticks. Dropping the rest would end the request now.
      const ends = !request.complete && !request.destroyed && this.#pushBody(request, 'after-ticks')
      if (!ends) this.dropBody()
    } else if (
      this.#body !== undefined ||
      isRead(request) ||
      request._readableState.readableListening ||
      (stdin.complete && this.#state === 'flowing')
    ) {
      this.#pump.release()
    }
  }

  /** The listener threw `error`, or its promise rejected. */
  fail(error: unknown): void {
    this.exchange.fail(error)
    this.destroy(error instanceof Error ? error : undefined)
  }

  /** How many bytes of the request body have reached the request stream so far. */
  get bytesRead(): number {
    return this.#body?.bytesRead ?? 0
  }

  /** The response has finished, and nobody reads the body. Drops it, as Node does. */
  protected dumpBody(): void {
    const request = this.incoming
    if (request.destroyed) this.exchange.stdin.discard()
    else if (this.#isEnding || this.#pushBody(request, 'now')) request._dump()
    else this.#pump.drop()
  }

  // The request stream has the whole body, and has ended or is about to.
  get #isEnding(): boolean {
    return this.incoming.complete || this.#state === 'complete' || this.#body?.ending === true
  }

  #pushBody(request: InternalRequest, end: 'now' | 'after-ticks'): boolean {
    const isComplete = pushBody(this.exchange, request, end)
    if (isComplete) this.#state = 'complete'
    return isComplete
  }

  // ---- what Node's IncomingMessage calls on its socket ----

  override resume(): this {
    if (this.#state !== 'complete') this.#pump.resume()
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
      if (this.#state === 'held') this.#body.hold()
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

  /** Drops the body, after moving the part that has arrived to the request: Node's parser reads it, even if the app does not. */
  protected dropBody(): void {
    if (this.#state === 'held') return
    const { stdin } = this.exchange
    const request = this.incoming
    const isUnread = this._httpMessage !== null && !request.destroyed && !request.complete && !isRead(request)
    if (isUnread && !this.#body?.ending) pushBody(this.exchange, request, 'now')
    while (stdin.read() !== null);
    if (stdin.ended) {
      request.complete = true
      this.#body?.release()
    } else stdin.discard()
  }
}
