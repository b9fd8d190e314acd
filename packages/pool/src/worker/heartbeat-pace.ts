import type { WorkerConfig } from './messages.ts'

// Milliseconds. A heartbeat that is this late shows that the event loop was busy, even if no request came.
const BUSY_DELAY = 10

/** What happened in a worker since the last tick. */
interface Activity {
  /** A number that grows with each event, such as a request. */
  events: number
  /** Requests that run now. */
  active: number
  /** By how many milliseconds the tick is late. */
  delay: number
}

/**
 * Decides when a worker sends a heartbeat: at each tick, or less often while nothing happens. Each heartbeat wakes the master, and the
 * workers of an idle pool would otherwise wake it all the time.
 */
export class HeartbeatPace {
  readonly #interval: number
  readonly #idleInterval: number
  #state: 'busy' | 'idle' = 'busy'
  #events = 0
  #sentAt = 0

  constructor({
    heartbeatInterval,
    idleHeartbeatInterval,
  }: Pick<WorkerConfig, 'heartbeatInterval' | 'idleHeartbeatInterval'>) {
    this.#interval = heartbeatInterval
    this.#idleInterval = idleHeartbeatInterval
  }

  /**
   * Called once in each `heartbeatInterval`. Returns 0 if no heartbeat is due. Otherwise send one now: the returned number is the
   * milliseconds until the next one, at most.
   */
  tick(now: number, { events, active, delay }: Activity): number {
    const before = this.#state
    this.#state = events === this.#events && active === 0 && delay < BUSY_DELAY ? 'idle' : 'busy'
    this.#events = events
    // Half an interval earlier, because a tick may be early or late.
    const isDue = now >= this.#sentAt + this.#idleInterval - this.#interval / 2
    if (before === 'idle' && this.#state === 'idle' && !isDue) return 0
    this.#sentAt = now
    return this.#state === 'idle' ? this.#idleInterval : this.#interval
  }
}
