import { FastCgiError } from './error.ts'

/**
 * Values for CGI variables that the caller gives. A string is text and travels as UTF-8, a Uint8Array as it is;
 * `undefined` takes a variable out that would be sent otherwise.
 */
export type FastCgiParams = Readonly<Record<string, string | Uint8Array | undefined>>

/** A request as it is known before its params are made. */
export interface FastCgiRequestInfo {
  readonly method: string
  /** Path and query as they go out in REQUEST_URI, or `*`. */
  readonly path: string
  /** The URL's origin, when the request has one: `http://example.com`. */
  readonly origin: string | undefined
  /** [name, value, name, value…], values as bytes (latin1). */
  readonly headers: readonly string[]
}

/** How a request's params are made. */
export interface ParamsOptions {
  /**
   * Variables to add to every request, or to replace: an object, or a function of the request. An application that
   * serves files, PHP-FPM for one, wants SCRIPT_FILENAME here.
   */
  readonly params?: FastCgiParams | ((request: FastCgiRequestInfo) => FastCgiParams)
  /** Sent as DOCUMENT_ROOT. Default: not sent. */
  readonly documentRoot?: string
  /**
   * The path under which the application is mounted, such as `/shop`: SCRIPT_NAME; the rest of the path is
   * PATH_INFO. A path outside of it is sent as SCRIPT_NAME whole, as nginx does. Default: `''`, the whole path is PATH_INFO.
   */
  readonly scriptName?: string
}

// Headers that are about one hop (RFC 9110 section 7.6.1), answered here (Expect), or have a variable of their own;
// and Proxy, which would come out as HTTP_PROXY, and many HTTP clients take that for their proxy (httpoxy.org).
const NOT_SENT = new Set([
  'connection',
  'content-length',
  'content-type',
  'expect',
  'keep-alive',
  'proxy',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/**
 * The CGI variables of a request (RFC 3875 section 4.1, and those that nginx's `fastcgi_params` adds), every value
 * one character a byte.
 *
 * Throws {@link FastCgiError} for a path that CGI can not say.
 */
export function buildParams(
  request: FastCgiRequestInfo,
  bodyLength: number | 'none' | 'unknown',
  options: ParamsOptions,
  own?: FastCgiParams,
): Map<string, string> {
  const { method, path: target, headers } = request
  const question = target.indexOf('?')
  const path = target === '*' ? '' : decodePath(question === -1 ? target : target.slice(0, question))
  const scriptName = options.scriptName ?? ''
  const mounted = scriptName === '' || path === scriptName || path.startsWith(`${scriptName}/`)
  const origin = originOf(request.origin)

  const params = new Map<string, string>()
  params.set('QUERY_STRING', question === -1 ? '' : target.slice(question + 1))
  params.set('REQUEST_METHOD', method)
  if (typeof bodyLength === 'number') params.set('CONTENT_LENGTH', String(bodyLength))
  params.set('SCRIPT_NAME', mounted ? scriptName : path)
  params.set('PATH_INFO', mounted ? path.slice(scriptName.length) : '')
  params.set('REQUEST_URI', target)
  params.set('DOCUMENT_URI', path)
  if (options.documentRoot !== undefined) params.set('DOCUMENT_ROOT', bytes(options.documentRoot))
  params.set('SERVER_PROTOCOL', 'HTTP/1.1')
  params.set('REQUEST_SCHEME', origin.scheme)
  if (origin.scheme === 'https') params.set('HTTPS', 'on')
  params.set('GATEWAY_INTERFACE', 'CGI/1.1')
  params.set('SERVER_SOFTWARE', 'fcgi-bridge')
  params.set('REMOTE_ADDR', '127.0.0.1')
  params.set('SERVER_ADDR', '127.0.0.1')
  params.set('SERVER_PORT', origin.port)
  params.set('SERVER_NAME', origin.hostname)
  // php-cgi runs nothing without it (cgi.force_redirect).
  params.set('REDIRECT_STATUS', '200')
  params.set('HTTP_HOST', origin.host)

  addHeaders(params, headers)
  // The mark of a body without a length that nginx and Apache send too. Body parsers look for it.
  if (bodyLength === 'unknown') params.set('HTTP_TRANSFER_ENCODING', 'chunked')
  addOwn(params, typeof options.params === 'function' ? options.params(request) : options.params)
  addOwn(params, own)
  return params
}

// RFC 3875 section 4.1.18: HTTP_ and the name in upper case, '-' as '_'; a repeated header is one value.
function addHeaders(params: Map<string, string>, headers: readonly string[]): void {
  let host: string | undefined
  let connection: string[] | undefined
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.length === 10 && headers[i]!.toLowerCase() === 'connection') {
      connection = headers[i + 1]!.toLowerCase().split(/[\t ]*,[\t ]*/)
    }
  }
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase()
    const value = headers[i + 1]!
    if (name === 'host') {
      host = host === undefined ? value : `${host}, ${value}`
    } else if (name === 'content-type') {
      // The first of several, as Node and nginx have it.
      if (!params.has('CONTENT_TYPE')) params.set('CONTENT_TYPE', value)
    } else if (!NOT_SENT.has(name) && !connection?.includes(name)) {
      const param = `HTTP_${headers[i]!.toUpperCase().replaceAll('-', '_')}`
      const before = params.get(param)
      params.set(param, before === undefined ? value : before + (name === 'cookie' ? '; ' : ', ') + value)
    }
  }
  if (host !== undefined) params.set('HTTP_HOST', host)
}

function addOwn(params: Map<string, string>, own: FastCgiParams | undefined): void {
  for (const name in own) {
    const value = own[name]
    if (value === undefined) params.delete(bytes(name))
    else
      params.set(
        bytes(name),
        typeof value === 'string' ? bytes(value) : Buffer.from(value).toString('latin1'),
      )
  }
}

/** Text as UTF-8, one character a byte. */
function bytes(text: string): string {
  return /^[\0-\x7f]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1')
}

interface OriginParts {
  readonly scheme: string
  readonly hostname: string
  readonly host: string
  readonly port: string
}

function originOf(origin: string | undefined): OriginParts {
  const [, scheme = 'http', host = 'localhost'] = /^(https?):\/\/([^/?#]+)/i.exec(origin ?? '') ?? []
  const [, hostname = host, port] = /^(.*?)(?::(\d+))?$/.exec(host) ?? []
  const lowerScheme = scheme.toLowerCase()
  return { scheme: lowerScheme, host, hostname, port: port ?? (lowerScheme === 'https' ? '443' : '80') }
}

/**
 * A path as nginx hands it on: percent-decoded, slashes merged, dot segments resolved. It ends up in file names,
 * so `..` can not climb above the root here.
 */
export function decodePath(path: string): string {
  if (!/%|\/\/|\/\./.test(path)) return path
  const decoded = path.replace(/%([\da-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  if (decoded.includes('\0')) {
    throw new FastCgiError(
      'FCGI_ERR_REQUEST',
      'The path holds a NUL byte (%00), which no CGI variable can carry.',
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
