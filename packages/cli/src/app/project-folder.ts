import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { basename, dirname, extname, join, relative } from 'node:path'
import { realPath } from './real-path.ts'

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
 * The folder of the socket of the process that holds an app for `site`, a folder that the web server serves. Each site has its own process:
 * its `app.fcgi` has the environment and the mount. Short, because the path of a socket may have only 107 bytes.
 */
export function sharedFolderOfSite(module: string, site: string): string {
  const path = realPath(site)
  const hash = createHash('sha256').update(path).digest('hex').slice(0, 8)
  return join(projectFolder(module), 'tmp/shared', `${basename(path).replace(/[^\w.-]/g, '-')}-${hash}`)
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
