// How long (milliseconds) an application may take to end an aborted request before its connection is closed.
const ABORT_GRACE = 1000

/** Requests that were aborted (FCGI_ABORT_REQUEST) and that the application has not ended. */
export class PendingAborts {
  readonly #timers = new Map<number, NodeJS.Timeout>()
  readonly #onIgnored: () => void

  /** `onIgnored` is called for a request that the application does not end in time. */
  constructor(onIgnored: () => void) {
    this.#onIgnored = onIgnored
  }

  add(requestId: number): void {
    this.#timers.set(requestId, setTimeout(this.#onIgnored, ABORT_GRACE).unref())
  }

  /** The application has ended the request. */
  delete(requestId: number): void {
    clearTimeout(this.#timers.get(requestId))
    this.#timers.delete(requestId)
  }

  /** The connection has closed. */
  clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
  }
}
