// Converts params to an HTTP request: method, target, authority, headers. Each part is computed on first use. request-head.test.ts has
// tables of the params that front servers send.

import { addsContentType, addsZeroLength, isCaddy } from './added-headers.ts'
import { isAuthority, serverAuthority } from './authority.ts'
import { quote, RequestError } from './error.ts'
import type { Params } from './params.ts'

const SLASH = 0x2f

// The list of headers is built here and then copied, because a list that grows takes twice as much memory.
const scratch: string[] = []

// Writes a header to `scratch`, and returns the position after it.
function put(at: number, name: string, value: string): number {
  scratch[at] = name
  scratch[at + 1] = value
  return at + 2
}

// Returns the first `length` strings of `scratch`, which does not keep them.
function takeList(length: number): string[] {
  const list = scratch.slice(0, length)
  for (let i = 0; i < length; i++) scratch[i] = ''
  return list
}

/** The head of an HTTP request, read from its params (RFC 3875 section 4.1). */
export class RequestHead {
  readonly params: Params
  #scheme: 'http' | 'https' | undefined
  #target: string | undefined
  #targetAuthority: string | undefined
  #authority: string | undefined
  #url: string | undefined
  #headers: string[] | undefined
  #contentLength: number | undefined | null = null

  constructor(params: Params) {
    this.params = params
  }

  /** REQUEST_METHOD as it was sent, because methods are case-sensitive. */
  get method(): string {
    return this.params.method
  }

  /**
   * Path and query as the client sent them, or `*`. Without REQUEST_URI, it is built from SCRIPT_NAME, PATH_INFO and QUERY_STRING. For a
   * target in absolute-form, it is the part after the authority. Throws a {@link RequestError} for any other target.
   */
  get target(): string {
    this.#target ??= this.#findTarget()
    return this.#target
  }

  /** `https` if HTTPS is `on` or `1`, or REQUEST_SCHEME is `https`. The scheme of a target in absolute-form is ignored. */
  get scheme(): 'http' | 'https' {
    this.#scheme ??= this.#findScheme()
    return this.#scheme
  }

  #findScheme(): 'http' | 'https' {
    const https = this.params.get('HTTPS')
    if (https !== undefined && /^(?:on|1)$/i.test(https)) return 'https'
    return this.params.get('REQUEST_SCHEME')?.toLowerCase() === 'https' ? 'https' : 'http'
  }

  /**
   * The host, and the port if there is one. It is the first of these that exists: the authority of a target in absolute-form, the last
   * HTTP_HOST, SERVER_NAME with SERVER_PORT, SERVER_ADDR with SERVER_PORT, `localhost`. Throws a {@link RequestError} if the client sent an
   * invalid authority. A host of more than 255 bytes is invalid.
   */
  get authority(): string {
    this.#authority ??= this.#findAuthority()
    return this.#authority
  }

  /**
   * The absolute URL: scheme, authority, target. Bytes that a URL must not contain (raw UTF-8, blanks, `\`) are percent-encoded, so that a
   * URL parser finds the same parts in it. The target `*` means the server as a whole (RFC 9112 section 3.3), and its URL has the path `/`.
   */
  get url(): string {
    this.#url ??= `${this.scheme}://${this.authority}${urlTarget(this.target)}`
    return this.#url
  }

  /**
   * CONTENT_LENGTH in bytes. Undefined if the length of the body is unknown: CONTENT_LENGTH is absent, empty, or -1, which Caddy sends for
   * a chunked upload.
   */
  get contentLength(): number | undefined {
    if (this.#contentLength === null) {
      const text = this.params.contentLength
      this.#contentLength = text === undefined || text === '' || text === '-1' ? undefined : Number(text)
    }
    return this.#contentLength
  }

  /**
   * The request headers as a flat list, [name, value, …], like `rawHeaders` of `node:http`, but with names in lower case and `-` for `_`.
   * The order and repeated headers are kept. `X_Same` and `X-Same` have the same param name, so they are the same header here.
   *
   * - content-type is CONTENT_TYPE, or HTTP_CONTENT_TYPE if that is empty. The type that Caddy adds to a POST or PUT without a type is
   *   omitted.
   * - content-length is CONTENT_LENGTH, and absent if that is absent, empty or -1. HTTP_CONTENT_LENGTH is ignored: it is the length that
   *   the front server received, which can differ from the length that it sends (lighttpd sends authorizers no body). A CONTENT_LENGTH of
   *   0 that the client did not send is omitted: HAProxy, lighttpd, Caddy and mod_fcgid send it with each request that has no body. HAProxy
   *   and mod_fcgid do not pass on the client's own header. For them, a CONTENT_LENGTH of 0 is kept for POST, PUT and PATCH only.
   * - authorization is HTTP_AUTHORIZATION, or REDIRECT_HTTP_AUTHORIZATION if that is absent or empty. The rule
   *   `RewriteRule … [E=HTTP_AUTHORIZATION:%{HTTP:Authorization}]` sets the variable HTTP_AUTHORIZATION, and Apache renames it when it
   *   redirects internally. An empty value is omitted, because such a rule also sets it for clients that sent no credentials. No client
   *   can set REDIRECT_*, because its headers become HTTP_*.
   * - An empty user-agent is omitted if the front server is Caddy, which adds it.
   * - transfer-encoding is present only for a body of unknown length, because apps take either this header or content-length as the sign
   *   of a body. It is added if the front server omits it: for Caddy's CONTENT_LENGTH of -1, and for a POST, PUT or PATCH over HTTP/2 or
   *   HTTP/3 without a length, because these versions have no such header.
   * - Headers about the client's connection to the front server are omitted, as an HTTP proxy does (RFC 9110 section 7.6.1): keep-alive,
   *   proxy-connection, te, trailer, upgrade, http2-settings, and connection unless it is `close` or `keep-alive`. Expect is omitted, too,
   *   because the front server has handled it.
   * - proxy is omitted, because programs that the app starts could receive it as HTTP_PROXY in their environment (httpoxy).
   * - host is the authority of a target in absolute-form (RFC 9112 section 3.2.2), or the last HTTP_HOST if the target has none.
   */
  get headers(): readonly string[] {
    this.#headers ??= this.#buildHeaders()
    return this.#headers
  }

  #findTarget(): string {
    const { uri } = this.params
    if (uri === undefined) return targetOf(this.params)
    if (uri.charCodeAt(0) === SLASH || uri === '*') return uri
    if (uri === '') return '/'
    const absolute = /^https?:\/\/([^/?#]*)/i.exec(uri)
    if (absolute === null) {
      throw new RequestError(
        400,
        'FCGI_ERR_TARGET',
        `REQUEST_URI is not a valid request target: ${quote(uri)}.`,
      )
    }
    const [before, authority] = absolute as unknown as [string, string]
    this.#targetAuthority = authority.slice(authority.lastIndexOf('@') + 1)
    const rest = uri.slice(before.length)
    return rest.startsWith('/') ? rest : `/${rest}`
  }

  // Returns the authority of a target in absolute-form; undefined for any other target.
  #authorityOfTarget(): string | undefined {
    // Reading the target sets #targetAuthority.
    void this.target
    return this.#targetAuthority
  }

  #findAuthority(): string {
    const { params } = this
    const requested = this.#authorityOfTarget() ?? (params.host || undefined)
    if (requested !== undefined) {
      if (isAuthority(requested)) return requested
      throw new RequestError(
        400,
        'FCGI_ERR_AUTHORITY',
        `The host of the request is invalid: ${quote(requested)}.`,
      )
    }
    // SERVER_NAME can be an invalid host: nginx sends its server_name, which can be a pattern.
    const { scheme } = this
    const port = params.get('SERVER_PORT')
    return (
      serverAuthority(params.get('SERVER_NAME') ?? '', port, scheme) ??
      serverAuthority(params.get('SERVER_ADDR') ?? '', port, scheme) ??
      serverAuthority('localhost', port, scheme) ??
      'localhost'
    )
  }

  #buildHeaders(): string[] {
    const { params, contentLength } = this
    const host = this.#authorityOfTarget() ?? params.host
    let at = 0
    if (host) at = put(at, 'host', host)
    let sentContentType = ''
    let transferEncoding = ''
    let hasAuthorization = false
    for (let i = 0; i < params.count; i++) {
      const header = params.headerNameAt(i)?.header
      if (header === undefined || header === '') continue
      const value = params.valueAt(i)
      switch (header) {
        case 'host':
          break
        case 'content-type':
          sentContentType = value
          break
        case 'transfer-encoding':
          transferEncoding = value
          break
        case 'connection':
          if (/^(?:close|keep-alive)$/i.test(value)) at = put(at, header, value)
          break
        case 'authorization': {
          const credentials = trimBlanks(value)
          if (credentials === '') break
          at = put(at, header, credentials)
          hasAuthorization = true
          break
        }
        case 'user-agent':
          if (value !== '' || !isCaddy(params)) at = put(at, header, trimBlanks(value))
          break
        default:
          at = put(at, header, trimBlanks(value))
      }
    }
    const redirected = trimBlanks(params.redirectedAuthorization ?? '')
    if (!hasAuthorization && redirected !== '') at = put(at, 'authorization', redirected)
    const contentType = trimBlanks(params.contentType ?? '') || trimBlanks(sentContentType)
    if (contentType !== '' && !addsContentType(params)) at = put(at, 'content-type', contentType)
    if (contentLength !== undefined) {
      if (contentLength > 0 || !addsZeroLength(params)) at = put(at, 'content-length', String(contentLength))
    } else if (transferEncoding !== '' || this.#hasBodyOfUnknownLength()) {
      at = put(at, 'transfer-encoding', transferEncoding || 'chunked')
    }
    return takeList(at)
  }

  #hasBodyOfUnknownLength(): boolean {
    const { params } = this
    if (params.contentLength === '-1') return true
    return /^(?:POST|PUT|PATCH)$/.test(this.method) && /^HTTP\/[23]/.test(params.get('SERVER_PROTOCOL') ?? '')
  }
}

// Builds the target if there is no REQUEST_URI. SCRIPT_NAME and PATH_INFO are decoded (RFC 3875 sections 4.1.13 and 4.1.5), so characters
// that a path must not contain are encoded.
function targetOf(params: Params): string {
  const script = params.get('SCRIPT_NAME') ?? ''
  const pathInfo = params.get('PATH_INFO') ?? ''
  // Some servers send SCRIPT_NAME=/ for an app at the root. Without this, the path would begin with `//`, and a URL parser that resolves it
  // as a relative URL would take the first segment as a host.
  const path =
    script.endsWith('/') && pathInfo.startsWith('/') ? script + pathInfo.slice(1) : script + pathInfo
  const query = params.get('QUERY_STRING')
  const encoded = path.replace(/[^\w/.~!$&'()*+,;=:@-]+/g, percentEncode)
  return `${encoded.startsWith('/') ? '' : '/'}${encoded}${query ? `?${query}` : ''}`
}

function urlTarget(target: string): string {
  if (target === '*') return '/'
  return target.replace(/[^\x21-\x5b\x5d-\x7e]+/g, percentEncode)
}

const PERCENT = 0x25
const HEX_DIGITS = Buffer.from('0123456789ABCDEF')

// Encodes a run of characters at once. A target can have a megabyte of bytes to encode, and a call for each of them took five times as long.
function percentEncode(run: string): string {
  const encoded = Buffer.allocUnsafe(3 * run.length)
  for (let i = 0, at = 0; i < run.length; i++) {
    const byte = run.charCodeAt(i)
    encoded[at++] = PERCENT
    encoded[at++] = HEX_DIGITS[byte >> 4]!
    encoded[at++] = HEX_DIGITS[byte & 15]!
  }
  return encoded.toString('latin1')
}

// Removes blanks around a value, which are not part of it (RFC 9110 section 5.5). nginx and H2O do not remove all of them.
function trimBlanks(value: string): string {
  let start = 0
  let end = value.length
  while (start < end && isBlank(value.charCodeAt(start))) start++
  while (end > start && isBlank(value.charCodeAt(end - 1))) end--
  return end - start === value.length ? value : value.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
