import { statSync } from 'node:fs'
import { basename, dirname, isAbsolute, normalize } from 'node:path'
import { latin1Bytes } from './params-writer.ts'

/** Selects the script that the application runs, and where the application is mounted in the site. */
export interface ScriptOptions {
  /**
   * DOCUMENT_ROOT: the folder of the site, as the application sees it. Default: the folder of `scriptFilename`. Without
   * that it is not sent.
   */
  readonly documentRoot?: string
  /**
   * SCRIPT_NAME: the path under which the application is mounted, such as `/shop`. The rest of the path is PATH_INFO.
   * For a path outside of the mount, the whole path is sent as SCRIPT_NAME, as nginx does. Default: with
   * `scriptFilename`, that file's path below `documentRoot`. Otherwise `''`, and the whole path is PATH_INFO.
   */
  readonly scriptName?: string
  /** SCRIPT_FILENAME: the absolute path of the one file that handles every request. PHP-FPM needs it. */
  readonly scriptFilename?: string
  /**
   * Where the script's name ends in a path, such as `['.php']`, in upper or lower case: `/blog.php/2024` is SCRIPT_NAME
   * `/blog.php` and PATH_INFO `/2024`. SCRIPT_FILENAME and PATH_TRANSLATED are below `documentRoot`, which is required.
   * This works like Caddy's `php_fastcgi`, but the suffix must be at the end of a path segment: `/blog.phpx` does not
   * match.
   */
  readonly splitPath?: readonly string[]
  /** With `splitPath`: the script for folders and for paths without a script. Default: `index.php`. */
  readonly index?: string
  /**
   * With `splitPath`: look for scripts below `documentRoot`. The first that exists is used: the script in the path, the
   * folder's `index`, the root's `index`. `false`: decide by the path alone, and treat a path that ends in a slash as a
   * folder. Default: true.
   */
  readonly tryFiles?: boolean
}

/** The variables that follow from a request's path, one character per byte. */
interface Script {
  readonly scriptName: string
  readonly pathInfo: string
  /** DOCUMENT_URI */
  readonly documentUri: string
  /** DOCUMENT_ROOT. Undefined: not sent, like the two below. */
  readonly documentRoot: string | undefined
  readonly scriptFilename: string | undefined
  readonly pathTranslated: string | undefined
}

/** Maps a path to a {@link Script}. The path is decoded, has no dot segments, and has one character per byte. */
export type ScriptMapping = (path: string) => Script

/** Creates the mapping for `options`. Throws TypeError for invalid options. */
export function createScriptMapping(options: ScriptOptions): ScriptMapping {
  const { documentRoot, scriptFilename, scriptName, splitPath } = options
  if (scriptName !== undefined && scriptName !== '' && !/^\/.*[^/]$/.test(scriptName)) {
    throw new TypeError(
      `scriptName ${JSON.stringify(scriptName)} must begin with a slash and not end with one.`,
    )
  }
  if (splitPath !== undefined) {
    if (scriptName !== undefined || scriptFilename !== undefined) {
      throw new TypeError(
        'splitPath finds the script in the path: it cannot be combined with scriptFilename or scriptName.',
      )
    }
    return splitMapping(options, splitPath)
  }
  if (scriptFilename !== undefined) {
    assertAbsolute('scriptFilename', scriptFilename)
    const root = documentRoot ?? dirname(scriptFilename)
    const below = scriptFilename.startsWith(withoutSlash(root))
      ? scriptFilename.slice(withoutSlash(root).length)
      : ''
    const name = scriptName ?? (below.startsWith('/') ? below : `/${basename(scriptFilename)}`)
    return mountMapping(latin1Bytes(name), latin1Bytes(root), latin1Bytes(scriptFilename))
  }
  const root = documentRoot === undefined ? undefined : latin1Bytes(documentRoot)
  return mountMapping(latin1Bytes(scriptName ?? ''), root, undefined)
}

function mountMapping(
  mount: string,
  documentRoot: string | undefined,
  scriptFilename: string | undefined,
): ScriptMapping {
  return (path) => {
    const mounted = mount === '' || path === mount || path.startsWith(`${mount}/`)
    // A single script handles every path, including those outside of its own name.
    const outside = !mounted && scriptFilename === undefined
    return {
      scriptName: outside ? path : mount,
      pathInfo: mounted ? path.slice(mount.length) : outside ? '' : path,
      documentUri: path,
      documentRoot,
      scriptFilename,
      pathTranslated: undefined,
    }
  }
}

function splitMapping(options: ScriptOptions, splitPath: readonly string[]): ScriptMapping {
  const { documentRoot, index = 'index.php', tryFiles = true } = options
  if (documentRoot === undefined)
    throw new TypeError('splitPath needs documentRoot, the folder of its scripts.')
  assertAbsolute('documentRoot', documentRoot)
  if (splitPath.length === 0 || !splitPath.every((suffix) => /^\.[^/]+$/.test(suffix))) {
    throw new TypeError("splitPath must be a list of suffixes such as ['.php'].")
  }
  if (!/^[^/\0]+$/.test(index))
    throw new TypeError(`index ${JSON.stringify(index)} must be the name of a file.`)
  if (tryFiles && !existsAs(latin1Bytes(documentRoot), 'folder')) {
    throw new TypeError(
      `documentRoot ${documentRoot} is not a folder on this machine. If the application runs on other files, set tryFiles: false.`,
    )
  }
  const root = latin1Bytes(withoutSlash(documentRoot))
  const indexName = latin1Bytes(index)
  const suffixes = splitPath.map((suffix) => latin1Bytes(suffix).replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  const scriptIn = new RegExp(`^(.*?(?:${suffixes.join('|')}))(/.*)?$`, 'is')

  const find = (path: string): [scriptName: string, pathInfo: string] => {
    const [, scriptName, pathInfo = ''] = scriptIn.exec(path) ?? []
    const isScript = (name: string) => !tryFiles || existsAs(root + name, 'file')
    if (scriptName !== undefined && isScript(scriptName)) return [scriptName, pathInfo]
    if (tryFiles || (scriptName === undefined && path.endsWith('/'))) {
      const inFolder = `${withoutSlash(path)}/${indexName}`
      if (isScript(inFolder)) return [inFolder, '']
    }
    return [`/${indexName}`, '']
  }

  return (path) => {
    const [scriptName, pathInfo] = find(path)
    return {
      scriptName,
      pathInfo,
      documentUri: scriptName,
      documentRoot: root === '' ? '/' : root,
      scriptFilename: root + scriptName,
      pathTranslated: pathInfo === '' ? undefined : root + pathInfo,
    }
  }
}

function existsAs(path: string, what: 'file' | 'folder'): boolean {
  try {
    const stats = statSync(Buffer.from(path, 'latin1'))
    return what === 'file' ? stats.isFile() : stats.isDirectory()
  } catch {
    // The file may be missing, its name too long, its folder a file, or its folder unreadable.
    return false
  }
}

function withoutSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path
}

function assertAbsolute(option: string, path: string): void {
  if (!isAbsolute(path) || normalize(path) !== path || path.includes('\0')) {
    throw new TypeError(`${option} ${JSON.stringify(path)} must be an absolute path without dot segments.`)
  }
}
