import { statSync } from 'node:fs'
import { basename, dirname, isAbsolute, normalize } from 'node:path'
import { latin1Bytes } from './params-writer.ts'

/** Which script the application is to run, and where the application is in the site. */
export interface ScriptOptions {
  /**
   * The folder that the site's paths are looked up in, as the application sees it: DOCUMENT_ROOT. Default: that of
   * `scriptFilename`, or it is not sent.
   */
  readonly documentRoot?: string
  /**
   * The path under which the application is mounted, such as `/shop`: SCRIPT_NAME; the rest of the path is
   * PATH_INFO. A path outside of it is sent as SCRIPT_NAME whole, as nginx does. Default: `''`, the whole path is PATH_INFO;
   * with `scriptFilename`, that file's path below `documentRoot`.
   */
  readonly scriptName?: string
  /** The one file that answers every request, as PHP-FPM wants to be told it: SCRIPT_FILENAME. An absolute path. */
  readonly scriptFilename?: string
  /**
   * Where in a path the script's name ends, such as `['.php']`, in upper or lower case: `/blog.php/2024` is SCRIPT_NAME
   * `/blog.php` and PATH_INFO `/2024`, with SCRIPT_FILENAME and PATH_TRANSLATED below `documentRoot`, which is needed then. As
   * Caddy's `php_fastcgi` has it; but the name has to end there: `/blog.phpx` is none.
   */
  readonly splitPath?: readonly string[]
  /** With `splitPath`, the script that answers for a folder, and for what is no script. Default: `index.php`. */
  readonly index?: string
  /**
   * With `splitPath`, whether to look below `documentRoot` which scripts there are: the one in the path, else the folder's
   * `index`, else that of the root. Without, a path ending in a slash is a folder. Default: true.
   */
  readonly tryFiles?: boolean
}

/** What a request's path says. One character a byte. */
export interface Script {
  readonly scriptName: string
  readonly pathInfo: string
  /** DOCUMENT_URI. */
  readonly documentUri: string
  /** Undefined: not sent. */
  readonly documentRoot: string | undefined
  readonly scriptFilename: string | undefined
  readonly pathTranslated: string | undefined
}

/** Takes a path that is decoded and has no dot segments, one character a byte. */
export type ScriptMapping = (path: string) => Script

/** Throws TypeError for options that can not be. */
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
        'splitPath finds the script in the path: it can not be given with scriptFilename or scriptName.',
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
    // What one script answers is all its own, whatever its name is.
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
    throw new TypeError('splitPath needs the documentRoot that its scripts are in.')
  assertAbsolute('documentRoot', documentRoot)
  if (splitPath.length === 0 || !splitPath.every((suffix) => /^\.[^/]+$/.test(suffix))) {
    throw new TypeError("splitPath must be a list of suffixes such as ['.php'].")
  }
  if (!/^[^/\0]+$/.test(index))
    throw new TypeError(`index ${JSON.stringify(index)} must be the name of a file.`)
  if (tryFiles && !isThere(latin1Bytes(documentRoot), 'folder')) {
    throw new TypeError(
      `documentRoot ${documentRoot} is no folder here. Where the application sees other files than this machine, give tryFiles: false.`,
    )
  }
  const root = latin1Bytes(withoutSlash(documentRoot))
  const indexName = latin1Bytes(index)
  const suffixes = splitPath.map((suffix) => latin1Bytes(suffix).replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  const scriptIn = new RegExp(`^(.*?(?:${suffixes.join('|')}))(/.*)?$`, 'is')

  const find = (path: string): [scriptName: string, pathInfo: string] => {
    const [, scriptName, pathInfo = ''] = scriptIn.exec(path) ?? []
    const isScript = (name: string) => !tryFiles || isThere(root + name, 'file')
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

function isThere(path: string, what: 'file' | 'folder'): boolean {
  try {
    const stats = statSync(Buffer.from(path, 'latin1'))
    return what === 'file' ? stats.isFile() : stats.isDirectory()
  } catch {
    // Not only what is missing: a name too long, a file in the place of a folder, a folder that is closed to us.
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
