import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { replaceFile } from '../lib/replace-file.js'

/** The app, in a folder that the container has, too. */
export class Site {
  /** Of the app as it was last written. */
  version = ''
  #folder
  #count = 0

  constructor(folder) {
    this.#folder = folder
    mkdirSync(join(folder, 'run'))
  }

  /** Writes a new version of the app. */
  write() {
    this.version = String(++this.#count)
    this.#replace(`export default { async fetch(request) {
  if (new URL(request.url).pathname === '/version') return new Response('${this.version}')
  await new Promise((resolve) => setTimeout(resolve, 10))
  return new Response(request.method + ' ' + (await request.text()))
} }
`)
  }

  writeBroken() {
    this.#replace("throw new Error('no database')\n")
  }

  #replace(text) {
    replaceFile(join(this.#folder, 'app.mjs'), text)
  }
}
