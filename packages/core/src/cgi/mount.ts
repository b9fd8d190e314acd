// Finds the mount: the part of the target at which the app is mounted. With `ScriptAlias /shop /srv/app.fcgi`, the mount of /shop/cart is
// /shop.
//
// SCRIPT_NAME should be the mount (RFC 3875 section 4.1.13), but often is not. nginx's default params, ProxyPass and HAProxy set it to the
// whole path, lighttpd to the first segment, and mod_proxy_fcgi to the part of the path that exists on disk. After a rewrite, it is no
// part of the target at all. mount.test.ts has a table of the cases.

import { realpathSync } from 'node:fs'
import type { Params } from './params.ts'

/**
 * How to find the mount.
 *
 * - `'auto'`: use SCRIPT_NAME only if it is certain to be the mount: SCRIPT_FILENAME is the running program, and SCRIPT_NAME and
 *   PATH_INFO together are the path of the target. This is the case with mod_fcgid and plain CGI. If a `RewriteRule` in the folder of
 *   the program sends the request to it, the mount is that folder: `/shop` if SCRIPT_NAME is `/shop/app.fcgi`.
 * - `'script-name'`: also use SCRIPT_NAME whenever the path begins with it. The exception is a SCRIPT_NAME that is the whole path, without
 *   PATH_INFO, because servers without mounts send that for every request. For the mount itself, nginx with `fastcgi_split_path_info`
 *   sends an empty PATH_INFO, but Apache sends none. So with Apache, a request for `/shop` has no mount, but one for `/shop/` has.
 * - `'/prefix'`: use this prefix if the path begins with it.
 * - `'none'`: never use a mount.
 */
export type MountOption = 'auto' | 'script-name' | 'none' | `/${string}`

/**
 * Returns the beginning of `target` that is the mount, for example `/shop`, or `''`. It is not decoded, and has no slash at its end.
 * `program` is the real path of the running program, if it is a file.
 */
export function findMount(
  params: Params,
  target: string,
  option: MountOption,
  program: string | undefined,
): string {
  if (option === 'none' || !target.startsWith('/')) return ''
  if (option !== 'auto' && option !== 'script-name') {
    return findPrefix(pathOf(target), trimSlash(option), undefined)
  }
  const scriptName = trimSlash(params.get('SCRIPT_NAME') ?? '')
  if (scriptName === '') return ''
  const pathInfo = params.get('PATH_INFO')
  if (isProgram(params.get('SCRIPT_FILENAME'), program)) {
    const path = pathOf(target)
    // The second case is a rewrite in the .htaccess of the program's folder, with or without the path in the new URL.
    const mount =
      findPrefix(path, scriptName, pathInfo ?? '') || findPrefix(path, folderOf(scriptName), pathInfo)
    if (mount !== '') return mount
  }
  if (option === 'auto') return ''
  const path = pathOf(target)
  const mount = findPrefix(path, scriptName, undefined)
  return mount === path && pathInfo === undefined ? '' : mount
}

// The maximum number of files that are looked up. nginx sends a different SCRIPT_FILENAME for each URL, and each would cost a file system
// call. A front server that started this program sends only a few.
const REAL_PATHS_MAX = 64
const realPaths = new Map<string, string>()

function isProgram(file: string | undefined, program: string | undefined): boolean {
  if (file?.startsWith(PROXIED)) return isProxiedProgram(file, program)
  if (file === undefined || !file.startsWith('/')) return false
  if (file === program) return true
  let real = realPaths.get(file)
  if (real === undefined) {
    if (realPaths.size >= REAL_PATHS_MAX) return false
    try {
      // Params are decoded as latin1, but file names are UTF-8.
      real = realpathSync(Buffer.from(file, 'latin1').toString())
    } catch {
      real = ''
    }
    realPaths.set(file, real)
  }
  return real === program
}

const PROXIED = 'proxy:fcgi://'

// mod_proxy_fcgi sends `proxy:fcgi://HOST/FILE`, where FILE is the program if an .htaccess has rewritten the URL to the program.
function isProxiedProgram(file: string, program: string | undefined): boolean {
  if (program === undefined || !file.endsWith(program.slice(program.lastIndexOf('/')))) return false
  const path = file.indexOf('/', PROXIED.length)
  return path > 0 && isProgram(file.slice(path + 1), program)
}

/**
 * Returns the beginning of `path` (not decoded) that is equivalent to `prefix`, or `''` if there is none. It consists of whole segments,
 * and no `..` after it leaves the prefix. If `rest` is given, the remaining path must be equivalent to `rest`. The time is linear in the
 * length of the path.
 */
function findPrefix(path: string, prefix: string, rest: string | undefined): string {
  if (prefix === '') return ''
  // Nearly always, the path begins with the prefix literally.
  const isPlain =
    path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 0x2f)
  if (isPlain && matchesRest(path.slice(prefix.length), rest)) return prefix

  const prefixSegments = prefix.split('/').filter((segment) => segment !== '')
  // The segments so far as the front server resolves them, and how many of them match the prefix.
  const resolved: string[] = []
  let matched = 0
  let prefixEnd = -1
  for (let end = 0; end < path.length; ) {
    const at = end + 1
    end = path.indexOf('/', at)
    if (end < 0) end = path.length
    for (const segment of percentDecode(path.slice(at, end)).split('/')) {
      if (segment === '..') {
        resolved.pop()
        matched = Math.min(matched, resolved.length)
      } else if (segment !== '' && segment !== '.') {
        if (matched === resolved.length && segment === prefixSegments[matched]) matched++
        resolved.push(segment)
      }
    }
    if (matched < prefixSegments.length) prefixEnd = -1
    else if (prefixEnd < 0 && resolved.length === prefixSegments.length) prefixEnd = end
  }
  return prefixEnd >= 0 && matchesRest(path.slice(prefixEnd), rest) ? path.slice(0, prefixEnd) : ''
}

function matchesRest(raw: string, rest: string | undefined): boolean {
  if (raw === rest) return true
  const decoded = percentDecode(raw)
  const normal = normalize(decoded)
  if (rest === undefined) return normal !== undefined
  // Caddy and HAProxy only decode the path. With `AllowEncodedSlashes NoDecode`, Apache does not decode %2F.
  return decoded === rest || normal === rest || normalize(percentDecode(raw, true)) === rest
}

// Normalizes a path like nginx, Apache and lighttpd do before they split it: merges `//` and resolves dot segments. Returns undefined if
// `..` leaves the root.
function normalize(path: string): string | undefined {
  if (!/\/[/.]/.test(path)) return path
  const segments: string[] = []
  let last = ''
  for (last of path.split('/')) {
    if (last === '..') {
      if (segments.pop() === undefined) return undefined
    } else if (last !== '' && last !== '.') segments.push(last)
  }
  const normal = segments.map((segment) => `/${segment}`).join('')
  return last === '' || last === '.' || last === '..' ? `${normal}/` : normal
}

// Decodes to bytes as latin1, like the params.
function percentDecode(text: string, keepSlashes = false): string {
  if (!text.includes('%')) return text
  return text.replace(/%[0-9a-f]{2}/gi, (encoded) => {
    const code = Number.parseInt(encoded.slice(1), 16)
    return keepSlashes && code === 0x2f ? encoded : String.fromCharCode(code)
  })
}

function folderOf(path: string): string {
  return trimSlash(path.slice(0, path.lastIndexOf('/')))
}

function pathOf(target: string): string {
  const end = target.search(/[?#]/)
  return end < 0 ? target : target.slice(0, end)
}

function trimSlash(path: string): string {
  let end = path.length
  while (end > 0 && path.charCodeAt(end - 1) === 0x2f) end--
  return path.slice(0, end)
}
