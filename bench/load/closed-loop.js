import { openRequester } from './requester.js'

/**
 * @typedef {object} Bounds The load ends when the first of these is reached.
 * @property {number} milliseconds
 * @property {number} [requests]
 */

/** The saturating load: each connection always has a request in progress, and sends the next one after the response. */
export class ClosedLoop {
  #load
  /** @type {Set<import('./requester.js').Requester>} */
  #requesters = new Set()
  #running = 0
  #toSend = 0
  #deadline = 0
  #responses = 0
  #idle = 0
  #turn
  #onDone = () => {}
  /** @type {(error: Error) => void} */
  #onError = () => {}

  /** @param {import('./requester.js').Load} load */
  static async open(load) {
    const loop = new ClosedLoop()
    loop.#load = load
    for (let count = 0; count < load.connections; count++) await loop.#connect()
    return loop
  }

  /**
   * @param {Bounds} bounds
   * @returns {Promise<{ requests: number, milliseconds: number, idle: number }>} Rejects with the first wrong response. `idle`:
   *   the milliseconds in which there was nothing to do.
   */
  async run({ milliseconds, requests = Number.POSITIVE_INFINITY }) {
    const start = performance.now()
    this.#deadline = start + milliseconds
    this.#toSend = requests
    this.#responses = 0
    this.#idle = 0
    if (this.#load.awake) this.#stayAwake()
    await /** @type {Promise<void>} */ (
      new Promise((resolve, reject) => {
        this.#onDone = resolve
        this.#onError = reject
        for (const { requests, socket } of this.#requesters) {
          socket.cork()
          for (const request of requests) this.#send(socket, request)
          socket.uncork()
        }
      })
    )
    if (this.#load.awake) clearImmediate(this.#turn)
    return { requests: this.#responses, milliseconds: performance.now() - start, idle: this.#idle }
  }

  // A process that wakes a sleeping process spends several microseconds on it. Here the server would wake the load generator, and a fast
  // server would do so more often. So the load generator stays awake if it has its own core.
  #stayAwake() {
    let last = performance.now()
    let responses = 0
    const turn = () => {
      const now = performance.now()
      if (responses === this.#responses) this.#idle += now - last
      responses = this.#responses
      last = now
      this.#turn = setImmediate(turn)
    }
    turn()
  }

  close() {
    const requesters = [...this.#requesters]
    this.#requesters.clear()
    for (const { socket } of requesters) socket.destroy()
  }

  async #connect() {
    const onResponse = (requester, index) => {
      this.#responses++
      this.#running--
      if (this.#load.oneRequestEach) this.#renew(requester)
      else this.#next(requester, index)
    }
    const onError = (error, requester) => {
      if (this.#requesters.has(requester)) this.#onError(error)
    }
    const requester = await openRequester(this.#load, onResponse, onError)
    this.#requesters.add(requester)
    return requester
  }

  #renew(requester) {
    this.#requesters.delete(requester)
    requester.socket.destroy()
    this.#connect().then((fresh) => this.#next(fresh, 0), this.#onError)
  }

  // The deadline needs no timer, because the clock is read at each response.
  #next({ requests, socket }, index) {
    if (this.#toSend > 0 && performance.now() < this.#deadline) this.#send(socket, requests[index])
    else if (this.#running === 0) this.#onDone()
  }

  #send(socket, request) {
    if (this.#toSend <= 0) return
    this.#toSend--
    this.#running++
    socket.write(request)
  }
}
