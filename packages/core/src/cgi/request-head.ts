// From params to what HTTP calls a request: method, target, authority, headers. Every part is made when it is
// asked for. What each front server sends is in request-head.test.ts, as a table.

import { isAuthority, serverAuthority } from './authority.ts'
import { RequestError } from './error.ts'
import {
  FAULT_CONFLICT,
  FAULT_CONTENT_LENGTH,
  FAULT_HEADER_NAME,
  FAULT_LINE_BREAK,
  FAULT_METHOD,
  type Params,
} from './params.ts'

const SLASH = 0x2f

/** What one request asks, read from its params (RFC 3875 section 4.1). */
export class RequestHead {
  readonly params: Params
  #target: string | undefined
  #targetAuthority: string | undefined
  #authority: string | undefined
  #url: string | undefined
  #headers: string[] | undefined
  #contentLength: number | undefined | null = null

  constructor(params: Params) {
    this.params = params
  }

  /** REQUEST_METHOD as it was sent: methods are case-sensitive. */
  get method(): string {
    return this.params.method
  }

  /**
   * Path and query as the client sent them, or `*`. Without REQUEST_URI they are put together from SCRIPT_NAME, PATH_INFO
   * and QUERY_STRING. Of a target in absolute-form it is what follows the authority. Throws {@link RequestError}
   * for a target that is none of these.
   */
  get target(): string {
    this.#target ??= this.#findTarget()
    return this.#target
  }

  /** https where HTTPS is `on` or `1`, or REQUEST_SCHEME says so. A target in absolute-form does not count. */
  get scheme(): 'http' | 'https' {
    const https = this.params.get('HTTPS')
    if (https !== undefined && /^(?:on|1)$/i.test(https)) return 'https'
    return this.params.get('REQUEST_SCHEME')?.toLowerCase() === 'https' ? 'https' : 'http'
  }

  /**
   * Host, and port if there is one to say: of a target in absolute-form, else HTTP_HOST, else SERVER_NAME and SERVER_PORT,
   * else SERVER_ADDR, else `localhost`. Throws {@link RequestError} when the client named what is no authority.
   */
  get authority(): string {
    this.#authority ??= this.#findAuthority()
    return this.#authority
  }

  /**
   * The absolute URL: scheme, authority, target, which a URL parser reads without losing or moving anything: bytes that no
   * URL may hold (raw UTF-8, blanks, `\`) are percent-encoded here. The target `*` means the server as a whole, and its
   * URL has no path (RFC 9112 section 3.3).
   */
  get url(): string {
    this.#url ??= `${this.scheme}://${this.authority}${urlTarget(this.target)}`
    return this.#url
  }

  /**
   * CONTENT_LENGTH, or undefined where the body is what STDIN carries: it is absent, empty, or the -1 that Caddy sends for
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
   * The request headers as a flat list, [name, value, …]: names in lower case with `-` for `_`, in the order received,
   * repeats kept. `X_Same` and `X-Same` come as the same param, and are the same header here.
   *
   * - content-type is CONTENT_TYPE's, or HTTP_CONTENT_TYPE's where that is empty. content-length is CONTENT_LENGTH's alone,
   *   and absent where that is not a number: HTTP_CONTENT_LENGTH says what the front server was sent, not what it sends
   *   on (lighttpd's authorizers get it without a body).
   * - transfer-encoding is there only for a body of unknown length, since apps take one of the two headers as the sign that
   *   a body comes. It is added where the front server leaves it out: for Caddy's -1, and where HTTP/2 and HTTP/3, which
   *   have no such header, carry a POST, PUT or PATCH without a length.
   * - What speaks of the client's connection to the front server is left out, as an HTTP proxy does (RFC 9110 section
   *   7.6.1): keep-alive, proxy-connection, te, trailer, upgrade, http2-settings; expect, which the front server has
   *   answered; and connection, unless it says `close` or `keep-alive`.
   * - proxy is left out: programs that the app starts would take HTTP_PROXY from their environment (httpoxy).
   * - host is the authority of a target in absolute-form, where there is one (RFC 9112 section 3.2.2).
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
      throw new RequestError(400, 'FCGI_ERR_TARGET', `REQUEST_URI is no request target: ${quote(uri)}.`)
    }
    const [before, authority] = absolute as unknown as [string, string]
    this.#targetAuthority = authority.slice(authority.lastIndexOf('@') + 1)
    const rest = uri.slice(before.length)
    return rest.startsWith('/') ? rest : `/${rest}`
  }

  // What stands in a target in absolute-form.
  #authorityOfTarget(): string | undefined {
    // Reading the target finds it.
    void this.target
    return this.#targetAuthority
  }

  #findAuthority(): string {
    const { params } = this
    const named = this.#authorityOfTarget() ?? (params.host || undefined)
    if (named !== undefined) {
      if (isAuthority(named)) return named
      throw new RequestError(400, 'FCGI_ERR_AUTHORITY', `The request's host is no host: ${quote(named)}.`)
    }
    // What the front server calls itself may be no host: nginx writes its server_name, which may be a pattern.
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
    const headers: string[] = []
    let sentContentType = ''
    let host = ''
    let transferEncoding = ''
    params.forEachHeader(({ header }, value) => {
      switch (header) {
        case '':
          break
        case 'host':
          host = value
          break
        case 'content-type':
          sentContentType = value
          break
        case 'transfer-encoding':
          transferEncoding = value
          break
        case 'connection':
          if (/^(?:close|keep-alive)$/i.test(value)) headers.push(header, value)
          break
        default:
          headers.push(header, trimBlanks(value))
      }
    })
    host = this.#authorityOfTarget() ?? host
    if (host !== '') headers.unshift('host', host)
    const contentType = params.contentType || trimBlanks(sentContentType)
    if (contentType !== '') headers.push('content-type', contentType)
    if (contentLength !== undefined) headers.push('content-length', String(contentLength))
    else if (transferEncoding !== '' || this.#hasUnmarkedBody()) {
      headers.push('transfer-encoding', transferEncoding || 'chunked')
    }
    return headers
  }

  #hasUnmarkedBody(): boolean {
    const { params } = this
    if (params.contentLength === '-1') return true
    return /^HTTP\/[23]/.test(params.get('SERVER_PROTOCOL') ?? '') && /^(?:POST|PUT|PATCH)$/.test(this.method)
  }
}

/**
 * Throws a {@link RequestError} with status 400 for what no app should see: no method, or one that is no token; a header
 * name that is no token; a line break in a header, CONTENT_TYPE, REQUEST_URI or QUERY_STRING; a target or an authority
 * that is none; a CONTENT_LENGTH that is no plain decimal number; HTTP_HOST or CONTENT_LENGTH twice with different
 * values. Nothing else must be there: authorizers are called without SCRIPT_NAME, PATH_INFO and CONTENT_LENGTH.
 */
export function checkRequest(head: RequestHead): void {
  const { params } = head
  if (params.faults !== 0) checkFaults(params)
  // Throws where the target or the authority is none.
  void head.authority
}

function checkFaults(params: Params): void {
  const { faults } = params
  if ((faults & FAULT_METHOD) !== 0) {
    const { method } = params
    throw new RequestError(
      400,
      'FCGI_ERR_METHOD',
      method ? `REQUEST_METHOD is no method: ${quote(method)}.` : 'The request has no REQUEST_METHOD.',
    )
  }
  if ((faults & FAULT_HEADER_NAME) !== 0) {
    throw new RequestError(400, 'FCGI_ERR_HEADER', 'The name of an HTTP_* param is no header name.')
  }
  if ((faults & FAULT_LINE_BREAK) !== 0) {
    throw new RequestError(400, 'FCGI_ERR_HEADER', 'A line break in a header or in the request target.')
  }
  if ((faults & FAULT_CONFLICT) !== 0) {
    throw new RequestError(400, 'FCGI_ERR_HEADER', 'Two different values of HTTP_HOST or CONTENT_LENGTH.')
  }
  if ((faults & FAULT_CONTENT_LENGTH) !== 0) {
    const text = params.contentLength ?? ''
    if (text !== '-1' && !(/^\d+$/.test(text) && Number.isSafeInteger(Number(text)))) {
      throw new RequestError(400, 'FCGI_ERR_CONTENT_LENGTH', `CONTENT_LENGTH is no length: ${quote(text)}.`)
    }
  }
}

// SCRIPT_NAME and PATH_INFO are decoded (RFC 3875 sections 4.1.13 and 4.1.5): what a path may not hold is encoded.
function targetOf(params: Params): string {
  const path = `${params.get('SCRIPT_NAME') ?? ''}${params.get('PATH_INFO') ?? ''}`
  const query = params.get('QUERY_STRING')
  const encoded = path.replace(/[^\w/.~!$&'()*+,;=:@-]/g, percentEncode)
  return `${encoded.startsWith('/') ? '' : '/'}${encoded}${query ? `?${query}` : ''}`
}

function urlTarget(target: string): string {
  if (target === '*') return '/'
  return target.replace(/[^\x21-\x7e]|\\/g, percentEncode)
}

function percentEncode(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}

// Blanks around a value are no part of it (RFC 9110 section 5.5); nginx and h2o leave some there.
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

function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
}
