import { quantile } from '../lib/stats.js'
import { openRequester } from './requester.js'

/**
 * A load that does not wait for the server: requests come at random moments that were settled before. The time of an answer
 * counts from the moment its request was due, so that a server that is late is not asked less for it.
 */
export class OpenLoop {
  /** @type {import('./requester.js').Requester[]} */
  #idle = []
  #due = new Float64Array(0)
  #next = 0
  #latencies = []
  /** When the request was due that is out on a connection. @type {Map<import('./requester.js').Requester, number>} */
  #out = new Map()
  #closed = false
  #onError = () => {}

  /** @param {import('./requester.js').Load} load Its `connections` is how many requests can be out at the same time. */
  static async open(load) {
    const loop = new OpenLoop()
    const onAnswer = (requester) => loop.#answered(requester)
    const onError = (error) => {
      if (!loop.#closed) loop.#onError(error)
    }
    for (let count = 0; count < load.connections; count++) {
      loop.#idle.push(await openRequester(load, onAnswer, onError))
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
    await new Promise((resolve, reject) => {
      this.#onError = reject
      const turn = () => {
        this.#sendDue()
        // Without a timer, whose grain is a millisecond.
        if (this.#latencies.length < this.#due.length) setImmediate(turn)
        else resolve()
      }
      turn()
    })
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
    for (const { socket } of [...this.#idle, ...this.#out.keys()]) socket.destroy()
  }

  #sendDue() {
    const now = performance.now()
    while (this.#idle.length > 0 && this.#next < this.#due.length && this.#due[this.#next] <= now) {
      const requester = this.#idle.pop()
      this.#out.set(requester, this.#due[this.#next++])
      requester.socket.write(requester.requests[0])
    }
  }

  #answered(requester) {
    this.#latencies.push(performance.now() - this.#out.get(requester))
    this.#out.delete(requester)
    this.#idle.push(requester)
    this.#sendDue()
  }
}

// As if from many clients that know nothing of each other (a Poisson process), and the same ones at each run.
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
