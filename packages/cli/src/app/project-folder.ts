import { existsSync } from 'node:fs'
import { dirname, extname, join, relative } from 'node:path'

/** The folder of an app's project: the nearest one at or above its module with a package.json, else the module's own folder. */
export function projectFolder(file: string): string {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder
    if (folder === dirname(folder)) return dirname(file)
  }
}

/** The folder of the socket of the process that holds an app, if nothing else names it. `module` is the path of the app's module. */
export function sharedFolder(module: string): string {
  return join(projectFolder(module), 'tmp/shared', appName(module))
}

/**
 * The name of an app among those of its project: `app` for `app.js`, `admin-app` for `admin/app.js`. The bundle of an app, in `dist`, has
 * the same name.
 */
export function appName(module: string): string {
  const path = relative(projectFolder(module), module)
  return path
    .slice(0, path.length - extname(path).length)
    .replace(/^dist[\\/]/, '')
    .replace(/[\\/]/g, '-')
}
