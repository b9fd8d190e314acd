import { errors } from 'undici'
import type { Body, BodySink } from '../request/body.ts'

/** The connection that a {@link StdinWriter} writes to. */
export interface StdinTarget {
  /** Sends any number of bytes as STDIN records. False: wait for {@link StdinWriter.onDrain}. */
  sendStdin(requestId: number, chunk: Uint8Array): boolean
  endStdin(requestId: number): void
}

/** Receives the events of a {@link StdinWriter}. */
export interface StdinUser {
  /** A piece was written, or the socket drained. */
  onStdinProgress(): void
  /** A piece of the body was written. */
  onBodySent(chunk: Uint8Array): void
  /** The whole body was written. */
  onRequestSent(): void
  fail(error: Error): void
}

/** Sends a request body as STDIN records, with back-pressure from the connection to the source of the body. */
export class StdinWriter implements BodySink {
  readonly #user: StdinUser
  readonly #target: StdinTarget
  readonly #requestId: number
  readonly #body: Body
  // CONTENT_LENGTH minus the bytes written so far.
  #left: number | undefined
  #blocked = false
  #state: 'sending' | 'ended' | 'stopped' = 'sending'

  constructor(
    user: StdinUser,
    target: StdinTarget,
    requestId: number,
    body: Body,
    contentLength: number | undefined,
  ) {
    this.#user = user
    this.#target = target
    this.#requestId = requestId
    this.#body = body
    this.#left = contentLength
  }

  start(): void {
    const { bytes, source } = this.#body
    if (bytes === undefined) {
      source!.start(this)
    } else {
      this.write(bytes)
      this.end()
    }
  }

  /** The whole body was written. */
  get ended(): boolean {
    return this.#state === 'ended'
  }

  /** The writer waits for the socket to drain, not for the source. */
  get blocked(): boolean {
    return this.#blocked
  }

  /** Stops writing. `error` destroys the source. */
  stop(error?: Error): void {
    if (this.#state !== 'sending') return
    this.#state = 'stopped'
    this.#body.source?.stop(error)
  }

  /** The socket has drained. */
  onDrain(): void {
    if (!this.#blocked || this.#state !== 'sending') return
    this.#blocked = false
    this.#user.onStdinProgress()
    this.#body.source?.resume()
  }

  // ---- BodySink ----

  write(chunk: Uint8Array): boolean {
    if (this.#state !== 'sending' || chunk.length === 0) return true
    if (this.#left !== undefined) {
      this.#left -= chunk.length
      if (this.#left < 0) {
        this.fail(new errors.RequestContentLengthMismatchError())
        return true
      }
    }
    this.#user.onStdinProgress()
    this.#blocked = !this.#target.sendStdin(this.#requestId, chunk)
    this.#user.onBodySent(chunk)
    return !this.#blocked
  }

  end(): void {
    if (this.#state !== 'sending') return
    if (this.#left !== undefined && this.#left > 0) {
      this.fail(new errors.RequestContentLengthMismatchError())
      return
    }
    this.#state = 'ended'
    this.#user.onStdinProgress()
    this.#target.endStdin(this.#requestId)
    this.#user.onRequestSent()
  }

  fail(error: Error): void {
    this.#user.fail(error)
  }
}
