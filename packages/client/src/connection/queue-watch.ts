import type { ClientConnection } from './connection.ts'

// A new connection without a response after 10 ticks of 5 ms may be waiting for a worker that a kept connection occupies.
// The time is counted in timer ticks, so that a busy event loop, which has not read the response yet, does not count as a wait.
const QUEUED_TICKS = 10
const TICK = 5

/**
 * Finds connections that wait in the application's listen queue. An application that uses one worker per connection, such as
 * PHP-FPM, leaves new connections in the queue while kept connections occupy all of its workers.
 */
export class QueueWatch {
  readonly #onTick: () => void
  // Open connections that have received nothing, with the tick at which they opened, oldest first. take() removes entries.
  readonly #awaitingResponse = new Map<ClientConnection, number>()
  #clock = 0
  #lastConnected = 0
  #timer: NodeJS.Timeout | undefined

  /** `onTick` is called at each tick while a connection may be waiting too long. */
  constructor(onTick: () => void) {
    this.#onTick = onTick
  }

  /** The number of ticks so far. It does not increase while there is nothing to watch. */
  get clock(): number {
    return this.#clock
  }

  onOpen(connection: ClientConnection): void {
    this.#awaitingResponse.set(connection, this.#clock)
    this.#lastConnected = this.#clock
    this.#watch()
  }

  /** Something was received on the connection, or it has closed. */
  forget(connection: ClientConnection): void {
    this.#awaitingResponse.delete(connection)
  }

  /**
   * True if a connection had waited too long at `time`. Returns true once for each connection: if the response is late for another
   * reason, only one kept connection is closed for it.
   */
  take(time: number = this.#clock): boolean {
    for (const [connection, since] of this.#awaitingResponse) {
      if (since + QUEUED_TICKS > time) return false
      if (connection.running === 0) continue
      this.#awaitingResponse.delete(connection)
      return true
    }
    return false
  }

  #watch(): void {
    if (this.#timer !== undefined || this.#awaitingResponse.size === 0) return
    if (this.#clock >= this.#lastConnected + QUEUED_TICKS) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#clock++
      this.#onTick()
      this.#watch()
    }, TICK).unref()
  }
}
