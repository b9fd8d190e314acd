import { afterEarlyDeath, type BackOff, EARLY, isOver, NO_BACK_OFF } from './back-off.ts'
import type { WorkerProcess } from './worker-process.ts'

/** Whether a worker that lived for so many milliseconds died early. */
export function isEarly(lifetime: number): boolean {
  return lifetime < EARLY
}

/** What the starts of workers so far say about the next one. */
export class Starts {
  /** Whether any worker was ever ready. */
  proven = false
  #backOff: BackOff = NO_BACK_OFF

  /** No worker is started before this time of `performance.now()`. */
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

  /** The program may have been repaired. */
  forgive(): void {
    this.#backOff = NO_BACK_OFF
  }

  /** Forgives the failures if a worker that was started after them has lived for long enough. */
  observe(workers: Iterable<WorkerProcess>, now: number): void {
    for (const { state, startedAt } of workers) {
      if (state === 'ready' && isOver(this.#backOff, startedAt, now)) this.forgive()
    }
  }
}
