import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../load/main.js', import.meta.url))

/**
 * @typedef {object} Done
 * @property {number} requests That were answered.
 * @property {number} milliseconds
 * @property {number} cpu What the generator itself took, in microseconds.
 */

/** A load generator in a process of its own, under the Node that runs the benchmark. */
export class Generator {
  #child = fork(PROGRAM, { execArgv: [], stdio: 'inherit' })

  /** Opens the connections for {@link run}. @param {import('../load/requester.js').Load} load */
  open(load) {
    return this.#do('open', load)
  }

  /**
   * Sends requests on them, on each as soon as the one before is answered.
   * @param {import('../load/closed-loop.js').Bounds} bounds
   * @returns {Promise<Done>}
   */
  run(bounds) {
    return this.#do('run', bounds)
  }

  close() {
    return this.#do('close')
  }

  /**
   * Sends requests at their time, whatever the server does.
   * @param {import('../load/requester.js').Load} load
   * @param {{ rate: number, milliseconds: number }} pace Requests per second, for how long.
   * @returns {Promise<{ requests: number, p50: number, p99: number, max: number }>} Milliseconds from when they were due.
   */
  paced(load, pace) {
    return this.#do('paced', { load, pace })
  }

  /**
   * Sends one request with a body of its `contentLength`.
   * @param {import('../load/requester.js').Load} load
   * @returns {Promise<Done>}
   */
  upload(load) {
    return this.#do('upload', load)
  }

  async stop() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exit
  }

  #do(command, argument) {
    return new Promise((resolve, reject) => {
      const onExit = (code, signal) => reject(new Error(`The load generator ended (${signal ?? code}).`))
      this.#child.once('exit', onExit)
      this.#child.once('message', ({ result, error }) => {
        this.#child.removeListener('exit', onExit)
        if (error === undefined) resolve(result)
        else reject(new Error(`The load generator failed: ${error}`))
      })
      this.#child.send({ command, argument })
    })
  }
}
