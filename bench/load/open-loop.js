import { quantile } from '../lib/stats.js'
import { openRequester } from './requester.js'

/**
 * A load that does not wait for the server: it sends requests at random times that were chosen before. Latency counts from the
 * scheduled time of the request, so that a slow server does not lower its own load.
 */
export class OpenLoop {
  /** @type {import('./requester.js').Requester[]} */
  #idle = []
  #due = new Float64Array(0)
  #next = 0
  #latencies = []
  /** The scheduled time of the request in progress on each connection. @type {Map<import('./requester.js').Requester, number>} */
  #inProgress = new Map()
  #closed = false
  /** @type {(error: Error) => void} */
  #onError = () => {}

  /** @param {import('./requester.js').Load} load Its `connections` limits the concurrent requests. */
  static async open(load) {
    const loop = new OpenLoop()
    const onResponse = (requester) => loop.#responded(requester)
    const onError = (error) => {
      if (!loop.#closed) loop.#onError(error)
    }
    for (let count = 0; count < load.connections; count++) {
      loop.#idle.push(await openRequester(load, onResponse, onError))
    }
    return loop
  }

  /**
   * @param {{ rate: number, milliseconds: number }} pace Requests per second, for how long.
   * @returns {Promise<{ requests: number, p50: number, p99: number, max: number }>} Milliseconds.
   */
  async run({ milliseconds, rate }) {
    this.#due = arrivals(rate, milliseconds, performance.now() + 5)
    this.#next = 0
    this.#latencies = []
    await /** @type {Promise<void>} */ (
      new Promise((resolve, reject) => {
        this.#onError = reject
        const turn = () => {
          this.#sendDue()
          // Do not use a timer, because its resolution is a millisecond.
          if (this.#latencies.length < this.#due.length) setImmediate(turn)
          else resolve()
        }
        turn()
      })
    )
    const sorted = this.#latencies.sort((a, b) => a - b)
    return {
      requests: sorted.length,
      p50: quantile(sorted, 0.5),
      p99: quantile(sorted, 0.99),
      max: sorted.at(-1),
    }
  }

  close() {
    this.#closed = true
    for (const { socket } of [...this.#idle, ...this.#inProgress.keys()]) socket.destroy()
  }

  #sendDue() {
    const now = performance.now()
    while (this.#next < this.#due.length && this.#due[this.#next] <= now) {
      const requester = this.#idle.pop()
      if (requester === undefined) return
      this.#inProgress.set(requester, this.#due[this.#next++])
      requester.socket.write(requester.requests[0])
    }
  }

  #responded(requester) {
    const due = this.#inProgress.get(requester)
    if (due === undefined) throw new Error('A response came without a request.')
    this.#latencies.push(performance.now() - due)
    this.#inProgress.delete(requester)
    this.#idle.push(requester)
    this.#sendDue()
  }
}

// A Poisson process, as many independent clients produce it. The times are the same in each run.
function arrivals(rate, milliseconds, start) {
  const times = new Float64Array(Math.max(1, Math.round((rate * milliseconds) / 1000)))
  let seed = 1
  let at = start
  for (let index = 0; index < times.length; index++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    at += (-Math.log((seed + 1) / 2 ** 32) * 1000) / rate
    times[index] = at
  }
  return times
}
