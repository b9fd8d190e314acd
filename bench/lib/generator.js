import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../load/main.js', import.meta.url))

/** A load generator in a process of its own, under the Node that runs the benchmark. */
export class Generator {
  #child = fork(PROGRAM, { execArgv: [], stdio: 'inherit', serialization: 'json' })

  /** @param {import('../load/closed-loop.js').Load} load */
  open(load) {
    return this.#do('open', load)
  }

  /**
   * @param {import('../load/closed-loop.js').Bounds} bounds
   * @returns {Promise<{ requests: number, milliseconds: number, busy: number }>} `busy` is the share of the time in which
   *   the generator was at work: near 1, it is what limits the requests per second.
   */
  run(bounds) {
    return this.#do('run', bounds)
  }

  close() {
    return this.#do('close')
  }

  async stop() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
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
