import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'

/**
 * @typedef {object} Measurement
 * @property {number} connections Open connections.
 * @property {number} running Requests passed to an app that have not ended.
 * @property {number} requests Requests passed to the apps, in total.
 * @property {number} protocolErrors Protocol errors, in total.
 * @property {number} rejections Unhandled rejections, in total.
 * @property {number} heap Heap in use after a garbage collection, in bytes.
 * @property {number} rss Resident size in bytes.
 * @property {number} handles Active resources of the event loop.
 * @property {number} descriptors Open files and sockets.
 */

/** A child process that runs server.js. */
export class ServerProcess {
  #child
  #folder
  #output = ''
  /** The addresses of its apps, by name. @type {Record<string, string | import('node:net').AddressInfo>} */
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

  /** The last output of the process. It prints nothing unless there is an error. */
  get output() {
    return this.#output
  }

  /** @returns {Promise<Measurement>} */
  async measure() {
    this.#child.send('measure')
    const [measurement] = await Promise.race([once(this.#child, 'message'), this.#failure()])
    return measurement
  }

  /** Stops the process. @returns {Promise<number | string>} Its exit code, or the signal that killed it. */
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

  /** Rejects when the process exits. @returns {Promise<never>} */
  async #failure() {
    if (this.running) await once(this.#child, 'exit')
    throw new Error(`The server's process ended: ${this.#output}`)
  }
}
