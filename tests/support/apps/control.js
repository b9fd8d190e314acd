// How a test and an app in another process speak beside the request: words about a request's id, as files in
// one folder. It works the same for an app that answers one request and exits (CGI), and for an app whose only
// process is busy (mod_fcgid gives each process one request at a time).
import { existsSync, readFileSync, renameSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The environment variable that tells an app the folder. */
export const CONTROL_VARIABLE = 'FCGI_BRIDGE_TEST_CONTROL'

/** The words of one folder: what either side says, the other can wait for. */
export class Control {
  /** @type {string} */
  #folder

  /** @param {string} [folder] */
  constructor(folder = process.env[CONTROL_VARIABLE]) {
    if (folder === undefined) throw new Error(`${CONTROL_VARIABLE} is not set.`)
    this.#folder = folder
  }

  /**
   * Says `word` about the request `id`. Synchronous: it is said even where the process ends now.
   *
   * @param {string} id
   * @param {string} word
   * @param {string} [detail]
   */
  say(id, word, detail = '') {
    const file = this.#file(id, word)
    // Two processes may say the same.
    const unfinished = `${file}.${process.pid}`
    writeFileSync(unfinished, detail)
    renameSync(unfinished, file)
  }

  /**
   * True when `word` was said about `id`.
   *
   * @param {string} id
   * @param {string} word
   */
  isSaid(id, word) {
    return existsSync(this.#file(id, word))
  }

  /**
   * Waits until `word` was said about `id`; gives its detail.
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
