/** Who is told that a {@link RequestTimer} has run out. */
export interface TimerUser {
  onTimeout(): void
}

// More than that is not kept for later.
const SPARE_MAX = 256
const spare: RequestTimer[] = []

/**
 * A timer that goes from one request to the next: to start Node's own anew costs more than to put one off. It does not keep the
 * process alive.
 */
export class RequestTimer {
  #timeout: NodeJS.Timeout | undefined
  #milliseconds = 0
  #user: TimerUser | undefined

  static take(): RequestTimer {
    return spare.pop() ?? new RequestTimer()
  }

  /** Its user has no use for it any more. */
  give(): void {
    this.#user = undefined
    if (spare.length < SPARE_MAX) spare.push(this)
    else clearTimeout(this.#timeout)
  }

  /** Runs out after `milliseconds`, unless that is 0. */
  start(milliseconds: number, user: TimerUser): void {
    this.#user = milliseconds > 0 ? user : undefined
    if (milliseconds === 0) return
    if (milliseconds === this.#milliseconds) {
      this.#timeout!.refresh()
    } else {
      clearTimeout(this.#timeout)
      this.#milliseconds = milliseconds
      this.#timeout = setTimeout(this.#onTimeout, milliseconds).unref()
    }
  }

  /** The time runs anew. */
  refresh(): void {
    if (this.#user !== undefined) this.#timeout!.refresh()
  }

  readonly #onTimeout = (): void => {
    this.#user?.onTimeout()
  }
}
