import type { Dispatcher } from 'undici'
import type { ResponseHandler } from './handler.ts'

/** Passes the pieces of a response body to the handler, and buffers those that arrive while the handler is paused. */
export class BodyDelivery {
  readonly #handler: ResponseHandler
  readonly #controller: Dispatcher.DispatchController
  readonly #onError: (error: Error) => void
  #held: Buffer[] = []
  #heldBytes = 0
  /** The handler has paused the response. */
  paused = false

  /** `onError` is called with an error that the handler throws. */
  constructor(
    handler: ResponseHandler,
    controller: Dispatcher.DispatchController,
    onError: (error: Error) => void,
  ) {
    this.#handler = handler
    this.#controller = controller
    this.#onError = onError
  }

  /** Delivers or buffers a piece. Returns how many bytes are buffered now. */
  push(piece: Buffer): number {
    if (!this.paused && this.#held.length === 0) {
      this.#deliver(piece)
      return 0
    }
    this.#held.push(piece)
    this.#heldBytes += piece.length
    return this.#heldBytes
  }

  /** Delivers the buffered pieces until the handler pauses again. Returns false if it is paused. */
  flush(): boolean {
    while (!this.paused && this.#held.length > 0) {
      const piece = this.#held.shift()!
      this.#heldBytes -= piece.length
      this.#deliver(piece)
    }
    return !this.paused
  }

  /** Drops the buffered pieces. */
  clear(): void {
    this.#held = []
    this.#heldBytes = 0
  }

  #deliver(piece: Buffer): void {
    try {
      this.#handler.onData(this.#controller, piece)
    } catch (error) {
      this.#onError(error as Error)
    }
  }
}
