import type { ClientConnection } from './connection.ts'

// A new connection that has no answer after this many ticks of as many milliseconds may be waiting for a worker that a kept
// one occupies. Ticks, because an answer must not be late that has only not been read yet.
const QUEUED_TICKS = 10
const TICK = 5

/**
 * Finds connections that wait in the application's own queue. One with one worker for each connection, as PHP-FPM is, leaves new
 * connections there while kept ones occupy all of its workers.
 */
export class QueueWatch {
  readonly #onTick: () => void
  // Those that are up and have had no answer, the oldest first, by since when; without those that were taken.
  readonly #unanswered = new Map<ClientConnection, number>()
  #clock = 0
  #lastUp = 0
  #timer: NodeJS.Timeout | undefined

  /** `onTick` is called while there are connections that may come to have waited too long. */
  constructor(onTick: () => void) {
    this.#onTick = onTick
  }

  /** Counts up while there is something to watch. */
  get clock(): number {
    return this.#clock
  }

  onOpen(connection: ClientConnection): void {
    this.#unanswered.set(connection, this.#clock)
    this.#lastUp = this.#clock
    this.#watch()
  }

  /** It was answered, or is gone. */
  forget(connection: ClientConnection): void {
    this.#unanswered.delete(connection)
  }

  /** Whether one has long waited at `time`. Each is told of once: whatever else may keep its answer waiting, no more is lost than that. */
  take(time: number = this.#clock): boolean {
    for (const [connection, since] of this.#unanswered) {
      if (since + QUEUED_TICKS > time) return false
      if (connection.running === 0) continue
      this.#unanswered.delete(connection)
      return true
    }
    return false
  }

  #watch(): void {
    if (this.#timer !== undefined || this.#unanswered.size === 0) return
    if (this.#clock >= this.#lastUp + QUEUED_TICKS) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#clock++
      this.#onTick()
      this.#watch()
    }, TICK).unref()
  }
}
