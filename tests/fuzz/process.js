import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'

/**
 * @typedef {object} Measurement
 * @property {number} connections That are open.
 * @property {number} running Requests that an app was given and that have not ended.
 * @property {number} requests That the apps were given, in all.
 * @property {number} protocolErrors In all.
 * @property {number} rejections Unhandled rejections, in all.
 * @property {number} heap Bytes, after a garbage collection.
 * @property {number} rss Bytes.
 * @property {number} handles What keeps the event loop busy.
 * @property {number} descriptors Files and sockets.
 */

/** server.js in a process of its own. */
export class ServerProcess {
  #child
  #folder
  #output = ''
  /** Where each of its apps listens, by their names. @type {Record<string, string | import('node:net').AddressInfo>} */
  at = {}

  static async start() {
    const server = new ServerProcess()
    const [{ at }] = await Promise.race([once(server.#child, 'message'), server.#failure()])
    server.at = at
    return server
  }

  constructor() {
    this.#folder = mkdtempSync('/tmp/fcgi-bridge-')
    this.#child = fork(new URL('server.js', import.meta.url), [this.#folder], {
      execArgv: ['--expose-gc'],
      silent: true,
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.on('data', (chunk) => {
        this.#output = (this.#output + chunk).slice(-10_000)
      })
    }
  }

  get running() {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** What it printed last: nothing, unless something went wrong. */
  get output() {
    return this.#output
  }

  /** @returns {Promise<Measurement>} */
  async measure() {
    this.#child.send('measure')
    const [measurement] = await Promise.race([once(this.#child, 'message'), this.#failure()])
    return measurement
  }

  /** Ends it, and tells how. @returns {Promise<number | string>} Its exit code, or the signal that ended it. */
  async stop() {
    try {
      if (this.running) {
        this.#child.send('close')
        await once(this.#child, 'exit')
      }
      return this.#child.exitCode ?? this.#child.signalCode
    } finally {
      rmSync(this.#folder, { recursive: true, force: true })
    }
  }

  /** Rejects when it ends. */
  async #failure() {
    if (this.running) await once(this.#child, 'exit')
    throw new Error(`The server's process ended: ${this.#output}`)
  }
}
