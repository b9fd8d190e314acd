import type { PoolSettings } from '../options.ts'
import type { WorkerProcess } from './worker-process.ts'

// The limits of workers that start together vary by this share, so that they are not replaced together.
const JITTER = 0.1
// Milliseconds between two replacements for memory. A limit that is too low would replace workers all the time.
const MEMORY_PAUSE = 60_000

/** Says when a worker has reached `maxRequests`, `maxAge` or `maxMemory`. */
export class Recycling {
  readonly #settings: PoolSettings
  readonly #warn: (message: string) => void
  #maxMemory: number
  #recycledAt = Number.NEGATIVE_INFINITY

  constructor(settings: PoolSettings, warn: (message: string) => void) {
    this.#settings = settings
    this.#maxMemory = settings.maxMemory
    this.#warn = warn
  }

  /** Requests after which a new worker asks to be replaced; 0 is no limit. */
  requestLimit(): number {
    const { maxRequests } = this.#settings
    return maxRequests === 0 ? 0 : Math.max(1, Math.round(maxRequests * jitter()))
  }

  /** A worker is ready: its age counts from now, and its memory shows whether `maxMemory` can be kept. */
  onReady(worker: WorkerProcess): void {
    const { maxAge } = this.#settings
    if (maxAge > 0) worker.expiresAt = worker.since + maxAge * jitter()
    const { rss } = worker.stats
    if (this.#maxMemory === 0 || rss < this.#maxMemory) return
    this.#maxMemory = 0
    this.#warn(
      `maxMemory is ${mebibytes(this.#settings.maxMemory)}, and a worker without requests has ${mebibytes(rss)}. The limit is ignored. Raise it.`,
    )
  }

  /** A worker sent its memory. Returns whether it must be replaced. */
  exceedsMemory({ state, retiring, stats }: WorkerProcess, now: number): boolean {
    if (this.#maxMemory === 0 || stats.rss <= this.#maxMemory) return false
    if (state !== 'ready' || retiring !== undefined || now - this.#recycledAt < MEMORY_PAUSE) return false
    this.#recycledAt = now
    return true
  }
}

function jitter(): number {
  return 1 - JITTER + 2 * JITTER * Math.random()
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MiB`
}
