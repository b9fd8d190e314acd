import { afterEarlyDeath, type BackOff, EARLY_DEATH_TIME, isOver, NO_BACK_OFF } from './back-off.ts'
import type { WorkerProcess } from './worker-process.ts'

/** Whether a worker with this lifetime, in milliseconds, died early. */
export function isEarly(lifetime: number): boolean {
  return lifetime < EARLY_DEATH_TIME
}

/** The history of worker starts. It decides when the next worker may be started. */
export class Starts {
  /** Whether any worker was ever ready. */
  proven = false
  #backOff: BackOff = NO_BACK_OFF

  /** No worker is started before this time of the master's clock. */
  get notBefore(): number {
    return this.#backOff.notBefore
  }

  /** Whether workers died early, more than once in a row. */
  get failing(): boolean {
    return this.#backOff.failures > 1
  }

  /** A worker died early. */
  fail(now: number): void {
    this.#backOff = afterEarlyDeath(this.#backOff, now)
  }

  /** Sets the number of failures to zero, because the program may have been fixed. */
  resetFailures(): void {
    this.#backOff = NO_BACK_OFF
  }

  /** Sets the number of failures to zero if a worker that was started after them has lived for long enough. */
  observe(workers: Iterable<WorkerProcess>, now: number): void {
    for (const { state, startedAt } of workers) {
      if (state === 'ready' && isOver(this.#backOff, startedAt, now)) this.resetFailures()
    }
  }
}
