import { loadavg } from 'node:os'
import type { Pool, PoolEvents } from '@fcgi-bridge/pool'
import type { LoadFailure } from './load.ts'

/** The report of a failed request lists what the pool did from this many milliseconds before the request was sent. */
const BEFORE = 1500
/** The report of a failed request ends this many milliseconds after the failure. */
const AFTER = 500

/** How often the delay of this process's own timers is measured, in milliseconds. */
const PULSE = 100

/**
 * Records what a pool does. Reports for each failed request what happened to the workers around that time, and whether the machine was too busy.
 */
export class Timeline {
  /** The smallest number of ready workers at any event after {@link watchReady}. */
  fewestReady: number = Number.POSITIVE_INFINITY
  readonly #pool: Pool
  readonly #events: { at: number; text: string }[] = []
  readonly #failures: { title: string; failure: LoadFailure; state: string }[] = []
  readonly #pulse: NodeJS.Timeout
  #delay = 0
  #isStopped = false

  constructor(pool: Pool) {
    this.#pool = pool
    const record = (text: string): void => {
      if (!this.#isStopped) this.#events.push({ at: performance.now(), text })
    }
    pool.on('start', ({ slot, pid, reason }) => record(`worker ${slot} (pid ${pid}) starts: ${reason}`))
    pool.on('ready', ({ slot, pid }) => record(`worker ${slot} (pid ${pid}) is ready`))
    pool.on('drain', ({ slot, pid }, reason) => record(`worker ${slot} (pid ${pid}) drains: ${reason}`))
    pool.on('kill', ({ slot, pid }, reason) => record(`worker ${slot} (pid ${pid}) is killed: ${reason}`))
    pool.on('exit', ({ slot, pid }, { code, signal, reason }) =>
      record(`worker ${slot} (pid ${pid}) has ended with ${signal ?? code}: ${reason}`),
    )
    pool.on('blocked', ({ slot, pid }, { blocked }) =>
      record(`worker ${slot} (pid ${pid}): its event loop has been blocked for ${blocked} ms`),
    )
    pool.on('reload', (error) => record(error === undefined ? 'the reload has ended' : error.message))
    pool.on('warning', record)
    let expected = performance.now() + PULSE
    this.#pulse = setInterval(() => {
      const now = performance.now()
      this.#delay = now - expected
      expected = now + PULSE
    }, PULSE)
  }

  /** From now on, counts the ready workers at each event that can reduce their number. */
  watchReady(): void {
    const count = (): void => {
      if (this.#isStopped) return
      const ready = this.#pool.status().workers.filter(({ state }) => state === 'ready').length
      this.fewestReady = Math.min(this.fewestReady, ready)
    }
    const events: (keyof PoolEvents)[] = ['drain', 'kill', 'exit']
    for (const event of events) this.#pool.on(event, count)
    count()
  }

  /** Records the state in which a request failed. `title` names the front server. */
  recordFailure(title: string, failure: LoadFailure): void {
    const workers = this.#pool.status().workers.map(({ slot, pid, state, active, delay, heartbeatAge }) => {
      return `worker ${slot} (pid ${pid}) is ${state} with ${active} requests, its last heartbeat came ${Math.round(heartbeatAge)} ms ago and was ${delay} ms late`
    })
    const [load] = loadavg()
    const machine = `load average ${load!.toFixed(1)}, the test's own timers are ${Math.round(this.#delay)} ms late`
    this.#failures.push({ title, failure, state: [machine, ...workers].join('\n  ') })
  }

  /** A text that has all that is known about each failure. Empty without failures. */
  report(): string {
    return this.#failures.map((failed) => this.#explain(failed)).join('\n')
  }

  /** Ends the recording, before the pool is closed. */
  stop(): void {
    this.#isStopped = true
    clearInterval(this.#pulse)
  }

  #explain({ title, failure, state }: { title: string; failure: LoadFailure; state: string }): string {
    const { method, target, sentAt, failedAt, error } = failure
    const at = new Date(performance.timeOrigin + failedAt).toISOString()
    const lines = this.#events
      .filter((event) => event.at > sentAt - BEFORE && event.at < failedAt + AFTER)
      .map((event) => `  ${signed(event.at - sentAt)} ms  ${event.text}`)
    return [
      `${at} ${title}: ${method} ${target} failed ${Math.round(failedAt - sentAt)} ms after it was sent: ${error}`,
      `  ${state}`,
      ...lines,
    ].join('\n')
  }
}

function signed(milliseconds: number): string {
  const rounded = Math.round(milliseconds)
  return (rounded < 0 ? String(rounded) : `+${rounded}`).padStart(6)
}
