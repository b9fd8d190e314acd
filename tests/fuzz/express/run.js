import { createServer as createHttpServer } from 'node:http'
import { createServer } from '@fcgi-bridge/core'
import { toHandler } from '@fcgi-bridge/express-adapter'
import { askFastCgi, askHttp } from './clients.js'
import { codeOf, LEFT, makeListener } from './listener.js'

// Milliseconds after which a script's client disconnects.
const LIMIT = 200

// After the client has its response, the request has this many milliseconds to end on the server.
const REST = 150

// The scripts' shortest timers differ by 2 milliseconds. If the process waits longer than this for a CPU, they may run in another order.
const LATE_MAX = 2

/**
 * The outcome of a script on one of the two servers.
 *
 * @typedef {object} Outcome
 * @property {import('./clients.js').ClientResponse} response
 * @property {string[]} lines
 * @property {boolean} stuck The client had to disconnect.
 */

/** An HTTP server and a FastCGI server that run scripts in this process. */
export class Servers {
  /** @type {import('node:http').RequestListener} */
  #listener = () => {}
  #lines = []
  // The longest delay of the event loop, in milliseconds.
  #late = 0
  #watch
  #http
  #fastcgi

  static async start() {
    const servers = new Servers()
    process.on('uncaughtException', servers.#onUncaught)
    await Promise.all([
      new Promise((resolve) => {
        servers.#http.listen(0, '127.0.0.1', resolve)
      }),
      servers.#fastcgi.listen({ port: 0, host: '127.0.0.1' }),
    ])
    return servers
  }

  constructor() {
    this.#http = createHttpServer((req, res) => this.#listener(req, res))
    this.#fastcgi = createServer(
      toHandler((req, res) => this.#listener(req, res)),
      { onError: () => {}, drainTimeout: 100 },
    )
  }

  /**
   * Runs a script on both servers. `delayed` says that the process waited for a CPU, so that timers may have run in another order.
   * It is known only if `watch` is true.
   *
   * @param {import('./script.js').Script} script
   * @param {boolean} [watch]
   * @returns {Promise<{ http: Outcome, fastcgi: Outcome, delayed: boolean }>}
   */
  async runBoth(script, watch = false) {
    this.#late = 0
    if (watch) this.#watchDelay()
    const http = await this.#run(script, (first) => askHttp(this.#http.address().port, script.ask, first))
    const fastcgi = await this.#run(script, (first) =>
      askFastCgi(this.#fastcgi.address().port, script.ask, first),
    )
    clearInterval(this.#watch)
    return { http, fastcgi, delayed: this.#late > LATE_MAX }
  }

  #watchDelay() {
    let due = performance.now() + 1
    this.#watch = setInterval(() => {
      const now = performance.now()
      this.#late = Math.max(this.#late, now - due)
      due = now + 1
    }, 1)
  }

  async close() {
    process.off('uncaughtException', this.#onUncaught)
    this.#http.closeAllConnections()
    this.#http.close()
    await this.#fastcgi.close()
  }

  #onUncaught = (error) => {
    this.#lines.push(`uncaught ${codeOf(error)}`)
  }

  async #run(script, ask) {
    const lines = []
    // Node keeps and changes an array that was passed as a header's value.
    const { listener, called, settled } = makeListener(structuredClone(script), lines)
    this.#listener = listener
    this.#lines = lines
    const { pieces, leaves } = script.ask
    const bytes = Buffer.alloc(script.ask.body, 'q')
    const asked = ask(bytes.subarray(0, pieces[0]))
    let stuck = false
    const limit = setTimeout(() => {
      stuck = true
      lines.push(LEFT)
      asked.leave()
    }, LIMIT)
    // On a busy machine the client may leave before the server has its request.
    await Promise.race([called, asked.response])
    for (const [i, at] of pieces.entries()) {
      await turns(4)
      asked.write(bytes.subarray(at, pieces[i + 1]))
    }
    if (leaves) {
      await turns(6)
      asked.leave()
    } else if (pieces.length > 0) asked.end()
    const response = await asked.response
    clearTimeout(limit)
    // A request with a paused body may never close.
    await Promise.race([settled, asked.closed, new Promise((resolve) => setTimeout(resolve, REST))])
    // Timers of the script may still run.
    if (script.steps.some(({ when }) => when === 'timer'))
      await new Promise((resolve) => setTimeout(resolve, 6))
    await turns(6)
    asked.leave()
    stuck &&= !response.complete
    return { response, lines: stuck ? [...lines] : lines.filter((line) => line !== LEFT), stuck }
  }
}

async function turns(count) {
  for (let i = 0; i < count; i++) await new Promise(setImmediate)
}
