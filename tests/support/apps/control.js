// Lets a test and an app in another process communicate outside of the request. Messages are words about a request's
// id, stored as files in a folder. This also works for an app that exits after one request (CGI), and for an app whose
// only process is busy (mod_fcgid gives each process one request at a time).
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
   * Sends `word` about the request `id`. Synchronous, so that it also works if the process exits now.
   *
   * @param {string} id
   * @param {string} word
   * @param {string} [detail]
   */
  say(id, word, detail = '') {
    const file = this.#file(id, word)
    // Two processes may send the same message.
    const unfinished = `${file}.${process.pid}`
    writeFileSync(unfinished, detail)
    renameSync(unfinished, file)
  }

  /**
   * True if `word` was sent about `id`.
   *
   * @param {string} id
   * @param {string} word
   */
  isSaid(id, word) {
    return existsSync(this.#file(id, word))
  }

  /**
   * Waits until `word` was sent about `id`. Resolves with its detail.
   *
   * @param {string} id
   * @param {string} word
   * @returns {Promise<string>}
   */
  heard(id, word) {
    const file = this.#file(id, word)
    return new Promise((resolve, reject) => {
      const watcher = watch(this.#folder, look).on('error', reject)
      look()
      function look() {
        if (!existsSync(file)) return
        watcher.close()
        resolve(readFileSync(file, 'utf8'))
      }
    })
  }

  /**
   * @param {string} id
   * @param {string} word
   */
  #file(id, word) {
    return join(this.#folder, `${id}.${word}`)
  }
}
