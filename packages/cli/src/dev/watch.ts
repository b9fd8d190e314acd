import { basename, extname, relative, resolve } from 'node:path'
import { watch } from 'chokidar'

/** Something that can be stopped. */
export interface Watching {
  close(): Promise<void>
}

// Files that an app loads when it starts. It reads templates, styles and images during requests.
const EXTENSIONS = new Set(['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts', '.jsx', '.tsx', '.json', '.node'])
const IGNORED = /(^|\/)(node_modules|\.git|\.hg|\.svn|coverage)(\/|$)/
// Milliseconds. Editors write a file in several steps, and save several files at once, so wait for the last change.
const DEBOUNCE = 60

/**
 * Calls `onChange` when code below `folder` or any file below `more` changes. `changed` is one changed file, relative to `folder`.
 * Package folders are ignored. `onError` gets the error if something cannot be watched.
 */
export function watchApp(
  folder: string,
  more: readonly string[],
  onChange: (changed: string) => void,
  onError: (error: unknown) => void,
): Promise<Watching> {
  const extra = more.map((path) => resolve(path))
  const isExtra = (path: string): boolean =>
    extra.some((place) => path === place || path.startsWith(`${place}/`))
  const watcher = watch([folder, ...extra], {
    ignoreInitial: true,
    ignored: (path, stats) => {
      if (isExtra(path)) return false
      if (IGNORED.test(relative(folder, path))) return true
      return stats?.isFile() === true && !isCode(path)
    },
  })
  // For example, the system's limit of watches is reached.
  watcher.on('error', onError)
  let timer: NodeJS.Timeout | undefined
  watcher.on('all', (event, path) => {
    // Check the name here: a deleted file has no stats.
    if (event === 'addDir' || event === 'unlinkDir' || !(isCode(path) || isExtra(path))) return
    clearTimeout(timer)
    timer = setTimeout(() => onChange(relative(folder, path)), DEBOUNCE)
  })
  return new Promise((settle) => {
    watcher.once('ready', () => {
      settle({
        close: () => {
          clearTimeout(timer)
          return watcher.close()
        },
      })
    })
  })
}

function isCode(path: string): boolean {
  return EXTENSIONS.has(extname(path)) || basename(path).startsWith('.env')
}
