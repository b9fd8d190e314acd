import { Ignitor } from '@adonisjs/core'

const root = new URL('../', import.meta.url)

/** The app in this project, for the server and for the command line. */
export const ignitor = new Ignitor(root, {
  importer: (path) => import(path.startsWith('.') ? new URL(path, root).href : path),
})
