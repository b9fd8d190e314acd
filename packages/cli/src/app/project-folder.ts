import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The folder of an app's project: the nearest one at or above its module with a package.json, else the module's own folder. */
export function projectFolder(file: string): string {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder
    if (folder === dirname(folder)) return dirname(file)
  }
}

/** The folder of the socket of the process that holds an app. `module` is the path of the app's module. */
export function sharedFolder(module: string): string {
  return join(projectFolder(module), 'tmp/shared')
}
