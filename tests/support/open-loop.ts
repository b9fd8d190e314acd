import { Agent } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { send } from './cases/http.ts'
import type { Origin } from './fronts/front.ts'

/** What became of the requests of an {@link OpenLoop}. */
export interface Outcome {
  requests: number
  /** Method and status or error of each request that failed: `POST 502`. */
  failed: string[]
}

/**
 * Sends requests at a rate that does not depend on the responses, a third of them POST, each with a new connection: clients do not wait
 * because a server restarts.
 */
export class OpenLoop {
  readonly #origin: Origin
  readonly #path: string
  readonly #timer: NodeJS.Timeout
  readonly #running = new Set<Promise<void>>()
  readonly #failed: string[] = []
  #requests = 0
  #skipped = 0

  /** `path` is requested `rate` times a second. If `most` requests run, those that are due are skipped. */
  constructor(origin: Origin, path: string, rate: number, most: number = Number.POSITIVE_INFINITY) {
    this.#origin = origin
    this.#path = path
    const began = performance.now()
    // A timer that is late sends the requests that are due.
    this.#timer = setInterval(() => {
      while (this.#requests + this.#skipped < ((performance.now() - began) / 1000) * rate) {
        if (this.#running.size < most) this.#send()
        else this.#skipped++
      }
    }, 5)
  }

  /** Requests sent so far. */
  get requests(): number {
    return this.#requests
  }

  /** Sends no more, and waits for the responses. */
  async stop(): Promise<Outcome> {
    clearInterval(this.#timer)
    await Promise.all(this.#running)
    return { requests: this.#requests, failed: this.#failed }
  }

  #send(): void {
    const method = this.#requests++ % 3 === 0 ? 'POST' : 'GET'
    const running: Promise<void> = this.#result(method).then((result) => {
      this.#running.delete(running)
      if (result !== '200') this.#failed.push(`${method} ${result}`)
    })
    this.#running.add(running)
  }

  async #result(method: string): Promise<string> {
    const agent = new Agent({ keepAlive: false })
    const response = send(this.#origin, this.#path, {
      method,
      agent,
      ...(method === 'POST' && { body: 'hello' }),
    })
    const result = response.then(
      ({ status }) => String(status),
      (error: NodeJS.ErrnoException) => error.code ?? error.message,
    )
    const limit = new AbortController()
    const late = setTimeout(15_000, 'no response for 15 s', { signal: limit.signal }).catch(() => '')
    return Promise.race([result, late]).finally(() => limit.abort())
  }
}
