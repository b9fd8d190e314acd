import { errors } from 'undici'
import { FastCgiError } from '../error.ts'
import { headerName } from './header-names.ts'
import { latin1Bytes, ParamName, ParamsWriter } from './params-writer.ts'
import type { ScriptMapping, ScriptOptions } from './script.ts'

/**
 * CGI variables that the caller sets. A string is sent as UTF-8, a Uint8Array as it is. `undefined` removes a variable
 * that would be sent otherwise.
 */
export type FastCgiParams = Readonly<Record<string, string | Uint8Array | undefined>>

/** A request before its params are built. */
export interface FastCgiRequestInfo {
  readonly method: string
  /** Path and query as sent in REQUEST_URI, or `*`. */
  readonly path: string
  /** The URL's origin, such as `http://example.com`. Undefined if the request has none. */
  readonly origin: string | undefined
  /** [name, value, name, value…]; values are bytes (latin1). */
  readonly headers: readonly string[]
}

/** Options for building a request's params. */
export interface ParamsOptions extends ScriptOptions {
  /** Variables to add to every request or to replace: an object, or a function of the request. */
  readonly params?: FastCgiParams | ((request: FastCgiRequestInfo) => FastCgiParams)
}

const QUERY_STRING = new ParamName('QUERY_STRING')
const REQUEST_METHOD = new ParamName('REQUEST_METHOD')
const CONTENT_TYPE = new ParamName('CONTENT_TYPE')
const CONTENT_LENGTH = new ParamName('CONTENT_LENGTH')
const SCRIPT_NAME = new ParamName('SCRIPT_NAME')
const SCRIPT_FILENAME = new ParamName('SCRIPT_FILENAME')
const PATH_INFO = new ParamName('PATH_INFO')
const PATH_TRANSLATED = new ParamName('PATH_TRANSLATED')
const REQUEST_URI = new ParamName('REQUEST_URI')
const DOCUMENT_URI = new ParamName('DOCUMENT_URI')
const DOCUMENT_ROOT = new ParamName('DOCUMENT_ROOT')
const REQUEST_SCHEME = new ParamName('REQUEST_SCHEME')
const HTTPS = new ParamName('HTTPS')
const SERVER_NAME = new ParamName('SERVER_NAME')
const SERVER_PORT = new ParamName('SERVER_PORT')
const HTTP_HOST = new ParamName('HTTP_HOST')
const HTTP_TRANSFER_ENCODING = new ParamName('HTTP_TRANSFER_ENCODING')

const FIXED: readonly (readonly [name: ParamName, value: string])[] = [
  [new ParamName('SERVER_PROTOCOL'), 'HTTP/1.1'],
  [new ParamName('GATEWAY_INTERFACE'), 'CGI/1.1'],
  [new ParamName('SERVER_SOFTWARE'), 'fcgi-bridge'],
  [new ParamName('REMOTE_ADDR'), '127.0.0.1'],
  [new ParamName('SERVER_ADDR'), '127.0.0.1'],
  // php-cgi refuses requests without it (cgi.force_redirect).
  [new ParamName('REDIRECT_STATUS'), '200'],
]
const FIXED_TEXT = FIXED.map(([name, value]) => name.encode(value)).join('')

/**
 * Builds the CGI variables of a request (RFC 3875 section 4.1, and those that nginx's `fastcgi_params` adds). Returns
 * the contents of PARAMS records, one character per byte.
 *
 * Throws {@link FastCgiError} for a path that CGI cannot express, and undici's InvalidArgumentError for a param of the
 * wrong type.
 */
export function buildParams(
  request: FastCgiRequestInfo,
  bodyLength: number | 'none' | 'unknown',
  mapping: ScriptMapping,
  options: ParamsOptions['params'],
  own?: FastCgiParams,
): string[] {
  const { method, path: target } = request
  const question = target.indexOf('?')
  const path = target === '*' ? '' : decodePath(question === -1 ? target : target.slice(0, question))
  const script = mapping(path)
  const origin = originOf(request.origin)

  const params = new ParamsWriter(ownOf(typeof options === 'function' ? options(request) : options, own))
  params.add(QUERY_STRING, question === -1 ? '' : target.slice(question + 1))
  params.add(REQUEST_METHOD, method)
  if (typeof bodyLength === 'number') params.add(CONTENT_LENGTH, String(bodyLength))
  params.add(SCRIPT_NAME, script.scriptName)
  params.add(PATH_INFO, script.pathInfo)
  params.add(REQUEST_URI, target)
  params.add(DOCUMENT_URI, script.documentUri)
  if (script.documentRoot !== undefined) params.add(DOCUMENT_ROOT, script.documentRoot)
  if (script.scriptFilename !== undefined) params.add(SCRIPT_FILENAME, script.scriptFilename)
  if (script.pathTranslated !== undefined) params.add(PATH_TRANSLATED, script.pathTranslated)
  if (params.overrides) for (const [name, value] of FIXED) params.add(name, value)
  else params.append(FIXED_TEXT)
  params.add(REQUEST_SCHEME, origin.scheme)
  if (origin.scheme === 'https') params.add(HTTPS, 'on')
  params.add(SERVER_PORT, origin.port)
  params.add(SERVER_NAME, origin.hostname)
  addHeaders(params, request.headers, origin.host)
  // nginx and Apache mark a body without a length in this way, too. Body parsers look for it.
  if (bodyLength === 'unknown') params.add(HTTP_TRANSFER_ENCODING, 'chunked')
  return params.end()
}

function addHeaders(params: ParamsWriter, headers: readonly string[], originHost: string): void {
  const values = new Map<string, string>()
  const names: ParamName[] = []
  let host: string | undefined
  let contentType: string | undefined
  const dropped = namedByConnection(headers)
  for (let i = 0; i < headers.length; i += 2) {
    const { lowerCase, param } = headerName(headers[i]!)!
    const value = headers[i + 1]!
    if (param !== undefined) {
      if (dropped?.has(lowerCase)) continue
      const before = values.get(param.name)
      if (before === undefined) names.push(param)
      // Repeated headers become one value.
      values.set(
        param.name,
        before === undefined ? value : before + (lowerCase === 'cookie' ? '; ' : ', ') + value,
      )
    } else if (lowerCase === 'host') {
      host = host === undefined ? value : `${host}, ${value}`
    } else if (lowerCase === 'content-type') {
      // The first Content-Type counts, as in Node and nginx.
      contentType ??= value
    }
  }
  if (contentType !== undefined) params.add(CONTENT_TYPE, contentType)
  params.add(HTTP_HOST, host ?? originHost)
  for (const name of names) params.add(name, values.get(name.name)!)
}

// Connection may be repeated. It names hop-by-hop headers (RFC 9110 section 7.6.1). Split at the commas and trim each
// part: a pattern with blanks on both sides of the comma takes quadratic time for a long run of blanks.
function namedByConnection(headers: readonly string[]): Set<string> | undefined {
  let named: Set<string> | undefined
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.length === 10 && headers[i]!.toLowerCase() === 'connection') {
      named ??= new Set()
      for (const name of headers[i + 1]!.toLowerCase().split(',')) named.add(name.trim())
    }
  }
  return named
}

// A later value replaces an earlier one.
function ownOf(...all: (FastCgiParams | undefined)[]): Map<string, string | undefined> | undefined {
  let own: Map<string, string | undefined> | undefined
  for (const params of all) {
    if (params === undefined) continue
    own ??= new Map()
    for (const name in params) own.set(latin1Bytes(name), ownValue(name, params[name]))
  }
  return own
}

function ownValue(name: string, value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'string') return latin1Bytes(value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
  throw new errors.InvalidArgumentError(
    `the param ${name} must be a string or a Uint8Array, or undefined to remove it`,
  )
}

interface OriginParts {
  readonly scheme: string
  readonly hostname: string
  readonly host: string
  readonly port: string
}

// Nearly all requests of a process have the same origin, so the last result is kept.
let lastOrigin: string | undefined
let lastParts = readOrigin(undefined)

function originOf(origin: string | undefined): OriginParts {
  if (origin === lastOrigin) return lastParts
  lastParts = readOrigin(origin)
  lastOrigin = origin
  return lastParts
}

function readOrigin(origin: string | undefined): OriginParts {
  const [, scheme = 'http', host = 'localhost'] = /^(https?):\/\/([^/?#]+)/i.exec(origin ?? '') ?? []
  const [, hostname = host, port] = /^(.*?)(?::(\d+))?$/.exec(host) ?? []
  const lowerScheme = scheme.toLowerCase()
  return { scheme: lowerScheme, host, hostname, port: port ?? (lowerScheme === 'https' ? '443' : '80') }
}

/**
 * Decodes a path as nginx does: percent-decoded, slashes merged, dot segments resolved. The path becomes part of file
 * names, so `..` cannot climb above the root.
 */
export function decodePath(path: string): string {
  if (!/%|\/\/|\/\./.test(path)) return path
  const decoded = path.replace(/%([\da-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  if (decoded.includes('\0')) {
    throw new FastCgiError(
      'FCGI_ERR_REQUEST',
      'The path contains a NUL byte (%00), which a CGI variable cannot contain.',
    )
  }
  const segments: string[] = []
  const parts = decoded.split('/')
  for (const part of parts) {
    if (part === '..') segments.pop()
    else if (part !== '' && part !== '.') segments.push(part)
  }
  const last = parts.at(-1)!
  const directory = segments.length > 0 && (last === '' || last === '.' || last === '..')
  return `/${segments.join('/')}${directory ? '/' : ''}`
}
