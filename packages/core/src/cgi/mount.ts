// Which part of the target is the mount of the app, as /shop is of /shop/cart under `ScriptAlias /shop /srv/app.fcgi`.
//
// SCRIPT_NAME should say so (RFC 3875 section 4.1.13), and often does not: nginx's stock params, ProxyPass and HAProxy
// set it to the whole path, lighttpd to the first segment, mod_proxy_fcgi to where a path on disk happens to end, and after
// a rewrite it is no part of the target at all. The cases are a table in mount.test.ts.

import { realpathSync } from 'node:fs'
import type { Params } from './params.ts'

/**
 * How the mount is found.
 *
 * - `'auto'`: SCRIPT_NAME where that is certain: SCRIPT_FILENAME is this very program, and SCRIPT_NAME and PATH_INFO
 *   together are the path of the target. So it is under mod_fcgid and plain CGI.
 * - `'script-name'`: also wherever else SCRIPT_NAME is the beginning of the path. Where it is the whole path and there is
 *   no PATH_INFO, it is no mount: servers that know no mounts send just that for every request. (nginx with
 *   `fastcgi_split_path_info` sends an empty PATH_INFO for the mount itself, and Apache none: there, `/shop` is
 *   seen unmounted, `/shop/` mounted.)
 * - `'/prefix'`: this, wherever the path begins with it.
 * - `'none'`: never.
 */
export type MountOption = 'auto' | 'script-name' | 'none' | `/${string}`

/**
 * The beginning of `target`, raw, that is the mount: `''` or `/shop`, without a slash at its end. `program` is the
 * real path of the running program, if there is a file.
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
    const mount = findPrefix(pathOf(target), scriptName, pathInfo ?? '')
    if (mount !== '') return mount
  }
  if (option === 'auto') return ''
  const path = pathOf(target)
  const mount = findPrefix(path, scriptName, undefined)
  return mount === path && pathInfo === undefined ? '' : mount
}

// A server that names many files is not the one that started this program for one of them; without a limit each
// new URL behind nginx would cost a look at the disk.
const REAL_PATHS_MAX = 64
const realPaths = new Map<string, string>()

function isProgram(file: string | undefined, program: string | undefined): boolean {
  if (file === undefined || !file.startsWith('/')) return false
  if (file === program) return true
  let real = realPaths.get(file)
  if (real === undefined) {
    if (realPaths.size >= REAL_PATHS_MAX) return false
    try {
      // Params are bytes read as latin1, file names are UTF-8.
      real = realpathSync(Buffer.from(file, 'latin1').toString())
    } catch {
      real = ''
    }
    realPaths.set(file, real)
  }
  return real === program
}

/**
 * The raw beginning of `path` that stands for `prefix`, ends where a segment does, and is followed by what never steps out of
 * it; if `rest` is given, by what stands for `rest`. `''` if there is none. Time grows with the path's length alone.
 */
function findPrefix(path: string, prefix: string, rest: string | undefined): string {
  if (prefix === '') return ''
  // Nearly always the path is written as its decoding is.
  const isPlain =
    path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 0x2f)
  if (isPlain && isRest(path.slice(prefix.length), rest)) return prefix

  const wanted = prefix.split('/').filter((segment) => segment !== '')
  // The segments so far as the front server resolved them, and how many of the first are the prefix's.
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
        if (matched === resolved.length && segment === wanted[matched]) matched++
        resolved.push(segment)
      }
    }
    if (matched < wanted.length) prefixEnd = -1
    else if (prefixEnd < 0 && resolved.length === wanted.length) prefixEnd = end
  }
  return prefixEnd >= 0 && isRest(path.slice(prefixEnd), rest) ? path.slice(0, prefixEnd) : ''
}

function isRest(raw: string, rest: string | undefined): boolean {
  if (raw === rest) return true
  const decoded = percentDecode(raw)
  const normal = normalize(decoded)
  if (rest === undefined) return normal !== undefined
  // Caddy and HAProxy only decode. Apache leaves %2F as it is under `AllowEncodedSlashes NoDecode`.
  return decoded === rest || normal === rest || normalize(percentDecode(raw, true)) === rest
}

// As nginx, Apache and lighttpd do before they split a path: `//` merged, dot segments resolved. Undefined where
// `..` goes above the root.
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

// Bytes as latin1, as the params are.
function percentDecode(text: string, keepSlashes = false): string {
  if (!text.includes('%')) return text
  return text.replace(/%[0-9a-f]{2}/gi, (encoded) => {
    const code = Number.parseInt(encoded.slice(1), 16)
    return keepSlashes && code === 0x2f ? encoded : String.fromCharCode(code)
  })
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
