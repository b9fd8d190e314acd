// Lets a test and an app in another process exchange messages. A message is a short name, such as `held` or `continue`, and belongs to
// the id of a request. It is a file in a folder, not part of the request. Therefore it also works for an app that exits after one request
// (CGI), and for an app whose only process is busy (mod_fcgid gives each process one request at a time).
import { existsSync, readFileSync, renameSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The environment variable with the folder. */
export const CONTROL_VARIABLE = 'FCGI_BRIDGE_TEST_CONTROL'

/** The messages in one folder. Each side can send them and wait for them. */
export class Control {
  /** @type {string} */
  #folder

  /** @param {string} [folder] */
  constructor(folder = process.env[CONTROL_VARIABLE]) {
    if (folder === undefined) throw new Error(`${CONTROL_VARIABLE} is not set.`)
    this.#folder = folder
  }

  /**
   * Sends `message` about the request `id`. It is synchronous, so that the process can exit right after it.
   *
   * @param {string} id
   * @param {string} message
   * @param {string} [detail]
   */
  send(id, message, detail = '') {
    const file = this.#file(id, message)
    // Rename a finished file, because the other process may read it at once. Two processes may send the same message.
    const unfinished = `${file}.${process.pid}`
    writeFileSync(unfinished, detail)
    renameSync(unfinished, file)
  }

  /**
   * Whether `message` was sent about `id`.
   *
   * @param {string} id
   * @param {string} message
   */
  wasSent(id, message) {
    return existsSync(this.#file(id, message))
  }

  /**
   * Waits until `message` was sent about `id`. Resolves with its detail.
   *
   * @param {string} id
   * @param {string} message
   * @returns {Promise<string>}
   */
  waitFor(id, message) {
    const file = this.#file(id, message)
    return new Promise((resolve, reject) => {
      const watcher = watch(this.#folder, check).on('error', reject)
      check()
      function check() {
        if (!existsSync(file)) return
        watcher.close()
        resolve(readFileSync(file, 'utf8'))
      }
    })
  }

  /**
   * @param {string} id
   * @param {string} message
   */
  #file(id, message) {
    return join(this.#folder, `${id}.${message}`)
  }
}
