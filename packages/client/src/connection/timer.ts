/** The longest delay of setTimeout(), in milliseconds (24 days). It treats a longer one, such as Infinity, as 1 ms. */
export const TIMER_MAX: number = 2 ** 31 - 1

/** Receives the time-out of a {@link RequestTimer}. */
export interface TimerUser {
  onTimeout(): void
}

// The most unused timers that are kept.
const SPARE_MAX = 256
const spare: RequestTimer[] = []

/**
 * A timer that is reused from request to request, because creating one of Node's timers costs more than refreshing one. It does
 * not keep the process alive.
 */
export class RequestTimer {
  #timeout: NodeJS.Timeout | undefined
  #milliseconds = 0
  #user: TimerUser | undefined

  static acquire(): RequestTimer {
    return spare.pop() ?? new RequestTimer()
  }

  /** Returns the timer, so that another request can use it. */
  release(): void {
    this.#user = undefined
    if (spare.length < SPARE_MAX) spare.push(this)
    else clearTimeout(this.#timeout)
  }

  /** Calls the user's onTimeout after `time` milliseconds. 0 is no limit. */
  start(time: number, user: TimerUser): void {
    const milliseconds = Math.min(time, TIMER_MAX)
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

  /** Starts the time again from 0. */
  refresh(): void {
    if (this.#user !== undefined) this.#timeout!.refresh()
  }

  readonly #onTimeout = (): void => {
    this.#user?.onTimeout()
  }
}
