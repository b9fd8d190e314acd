// Apart from project-folder.ts, because `serve` and the master of its workers load that module, and node:crypto takes 2.5 MiB on Node 26.

import { createHash } from 'node:crypto'
import { basename, join } from 'node:path'
import { projectFolder } from './project-folder.ts'
import { realPath } from './real-path.ts'

/**
 * The folder of the socket of the process that holds an app for `site`, a folder that the web server serves. Each site has its own process:
 * its `app.fcgi` has the environment and the mount. Short, because the path of a socket may have only 107 bytes.
 */
export function sharedFolderOfSite(module: string, site: string): string {
  const path = realPath(site)
  const hash = createHash('sha256').update(path).digest('hex').slice(0, 8)
  return join(projectFolder(module), 'tmp/shared', `${basename(path).replace(/[^\w.-]/g, '-')}-${hash}`)
}
