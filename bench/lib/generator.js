import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { endChild } from '../../scripts/lib/processes.js'

const PROGRAM = fileURLToPath(new URL('../load/main.js', import.meta.url))

/**
 * @typedef {object} Done
 * @property {number} requests The requests that got a response.
 * @property {number} milliseconds
 * @property {number} cpu The CPU time of the generator itself, in microseconds.
 */

/** A load generator in a process of its own, under the Node that runs the benchmark. */
export class Generator {
  #child = fork(PROGRAM, { execArgv: [], stdio: 'inherit' })

  /** Opens the connections for {@link run}. @param {import('../load/requester.js').Load} load @returns {Promise<void>} */
  open(load) {
    return this.#do('open', load)
  }

  /**
   * Sends requests on the open connections: the next one on each as soon as the response to the last one is complete.
   * @param {import('../load/closed-loop.js').Bounds} bounds
   * @returns {Promise<Done & { idle: number }>} `idle`: the milliseconds in which there was nothing to do.
   */
  run(bounds) {
    return this.#do('run', bounds)
  }

  /** @returns {Promise<void>} */
  close() {
    return this.#do('close')
  }

  /**
   * Sends requests at scheduled times, without waiting for responses.
   * @param {import('../load/requester.js').Load} load
   * @param {{ rate: number, milliseconds: number }} pace Requests per second, for how long.
   * @returns {Promise<{ requests: number, p50: number, p99: number, max: number }>} Milliseconds from the scheduled time.
   */
  paced(load, pace) {
    return this.#do('paced', { load, pace })
  }

  /**
   * Sends one request with a body of `contentLength` bytes.
   * @param {import('../load/requester.js').Load} load
   * @returns {Promise<Done>}
   */
  upload(load) {
    return this.#do('upload', load)
  }

  async stop() {
    await endChild(this.#child, () => this.#child.kill('SIGKILL'))
  }

  /**
   * @template Result
   * @param {string} command A command of `load/main.js`.
   * @param {unknown} [argument]
   * @returns {Promise<Result>}
   */
  #do(command, argument) {
    return new Promise((resolve, reject) => {
      const onExit = (code, signal) => reject(new Error(`The load generator ended (${signal ?? code}).`))
      this.#child.once('exit', onExit)
      this.#child.once('message', (message) => {
        const { result, error } = /** @type {{ result: Result, error?: string }} */ (message)
        this.#child.removeListener('exit', onExit)
        if (error === undefined) resolve(result)
        else reject(new Error(`The load generator failed: ${error}`))
      })
      this.#child.send({ command, argument })
    })
  }
}
