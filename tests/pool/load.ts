import { performance } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { send } from '../support/cases/http.ts'
import type { Origin } from '../support/fronts/front.ts'

export interface LoadFailure {
  method: string
  target: string
  /** When the request was sent, on the clock of `performance.now()`. */
  sentAt: number
  /** When it failed. */
  failedAt: number
  error: string
}

/**
 * Requests at a fixed rate, even if responses are late. Every third is a POST, and each has its own client connection. `maxActive` limits
 * the number of running requests: otherwise, on a machine that is too busy for the rate, the queue of the app's socket would fill.
 */
export class Load {
  readonly failures: LoadFailure[] = []
  /** Called at each failure, to record the state in which it happened. */
  onFailure: (failure: LoadFailure) => void = () => {}
  /** Milliseconds from each request to its response. */
  readonly durations: number[] = []
  count = 0
  readonly #start = performance.now()
  readonly #running = new Set<Promise<void>>()
  readonly #loop: Promise<void>
  #stopped = false

  /** `rate` is requests per second. The app is the one of {@link LOAD_APP}. */
  constructor(origin: Origin, rate: number, maxActive: number = Number.POSITIVE_INFINITY) {
    this.#loop = this.#run(origin, rate, maxActive)
  }

  /** Stops sending, and resolves when all requests have ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#loop
    await Promise.all(this.#running)
  }

  /** Milliseconds in which this share of the responses arrived. */
  percentile(share: number): number {
    const sorted = this.durations.toSorted((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
  }

  async #run(origin: Origin, rate: number, maxActive: number): Promise<void> {
    let skipped = 0
    while (!this.#stopped) {
      const due = Math.floor(((performance.now() - this.#start) / 1000) * rate)
      while (this.count + skipped < due) {
        if (this.#running.size >= maxActive) {
          skipped++
          continue
        }
        const request = this.#send(origin, this.count++).finally(() => this.#running.delete(request))
        this.#running.add(request)
      }
      await setTimeout(1000 / rate)
    }
  }

  async #send(origin: Origin, number: number): Promise<void> {
    const method = number % 3 === 0 ? 'POST' : 'GET'
    const target = `/load?${number}`
    const begin = performance.now()
    try {
      const ask = method === 'POST' ? { method, body: `body ${number}` } : {}
      const { status, text } = await send(origin, target, ask)
      const expected = method === 'POST' ? `POST body ${number}` : 'GET '
      if (status !== 200 || text !== expected) throw new Error(`${status} ${text.slice(0, 80)}`)
      this.durations.push(performance.now() - begin)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      const failure = {
        method,
        target,
        sentAt: begin,
        failedAt: performance.now(),
        error: code === undefined ? String(error) : `${error} (${code})`,
      }
      this.failures.push(failure)
      this.onFailure(failure)
    }
  }
}

/** A module for `fcgi-bridge serve`: it echoes, after 0 to 20 ms. `/pid`, `/spin`, `/wait`, `/throw` and `/memory` are for tests. */
export const LOAD_APP = `
const kept = []
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url)
    const size = Number(searchParams.get('n'))
    if (pathname === '/pid') return new Response(String(process.pid))
    if (pathname === '/spin') for (;;);
    if (pathname === '/throw') setTimeout(() => { throw new Error('thrown by the app') })
    if (pathname === '/memory') kept.push(Buffer.alloc(size, 1))
    if (pathname === '/wait') await later(size)
    else await later(Math.random() * 20)
    return new Response(request.method + ' ' + (await request.text()))
  },
}
`
