import { existsSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { projectFolder } from './project-folder.ts'

/** A path on a page that visitors can read: its owner finds the file, and nobody learns the folders above the app's. */
export interface ShownPath {
  /** `tmp/app.log in the folder of the app`. */
  text: string
  /** The path, relative to `base`. */
  name: string
  base: string
  /** What `base` is: `the folder of the app`. */
  place: string
}

/** Relative to the project that contains the file, or else to the folder above the file's own. */
export function shownPath(file: string): ShownPath {
  const path = resolve(file)
  const project = projectFolder(path)
  const isInProject = existsSync(join(project, 'package.json'))
  const base = isInProject ? project : dirname(dirname(path))
  const place = isInProject ? 'the folder of the app' : `the folder that contains ${basename(dirname(path))}`
  const name = relative(base, path)
  return { text: isInProject ? `${name} in ${place}` : name, name, base, place }
}
