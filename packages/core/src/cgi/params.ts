// The params of one request, kept as they came: one string, which is gone through once to take note of whatever `checkRequest`
// must refuse. Names and values become strings of their own when somebody asks for one.

import { afterLength, cutShort, lengthAt } from '../protocol/name-values.ts'
import { quote, RequestError } from './error.ts'
import { type HeaderParamName, headerParamName, isHeaderParam, knownName } from './param-names.ts'
import { isToken } from './token.ts'

/** How much of a request's params is accepted. */
export interface ParamsLimits {
  /** Pairs; default 2000, some ten times what a large real request has. */
  maxCount?: number
  /** Name and value of one `HTTP_*` param together, in bytes; default no limit but that of all params. */
  maxHeaderBytes?: number
}

const MAX_COUNT = 2000

// What Params notes about the pairs; several may be set. See checkRequest.
/** An `HTTP_*` name that is no header name: not a token (RFC 9110 section 5.6.2). */
export const FAULT_HEADER_NAME = 1
/** CR or LF in a header, in CONTENT_TYPE, REQUEST_URI or QUERY_STRING: it could end a line elsewhere. */
export const FAULT_LINE_BREAK = 2
/** REQUEST_METHOD is missing or is no token. */
export const FAULT_METHOD = 4
/** A CONTENT_LENGTH of other than at most 15 digits. Some of those are fine: see there. */
export const FAULT_CONTENT_LENGTH = 8

// What a constructor finds: a copy in one piece is cheaper than arrays that grow.
const indexFound: number[] = []
const headersFound: (HeaderParamName | undefined)[] = []

const PLAIN_LENGTH = /^\d{0,15}$/

/**
 * The name-value pairs of one request (RFC 3875 calls them meta-variables).
 *
 * Names and values are bytes read as latin1, as Node's own HTTP parser does. A name that is there twice: the last
 * one is meant, because an nginx configuration overrides what `include fastcgi_params` set by naming it again.
 * Headers that the client repeated are another thing: see {@link Params.toRecord} and RequestHead's `headers`.
 */
export class Params {
  // The whole block, a copy: one of a kilobyte costs less than to keep a socket's 64 KiB from being freed.
  readonly #text: string
  // nameStart, valueStart, valueEnd of each pair in #text.
  readonly #index: readonly number[]
  // The names of those that carry headers.
  readonly #headers: readonly (HeaderParamName | undefined)[]
  #record: Record<string, string> | undefined

  /** The FAULT_* bits of what checkRequest must refuse; 0 for nearly every request. */
  readonly faults: number
  /** REQUEST_METHOD; '' where there is none. */
  readonly method: string
  /** REQUEST_URI. */
  readonly uri: string | undefined
  /** HTTP_HOST. */
  readonly host: string | undefined
  /** CONTENT_LENGTH. */
  readonly contentLength: string | undefined
  /** CONTENT_TYPE. */
  readonly contentType: string | undefined
  /** REDIRECT_HTTP_AUTHORIZATION, with one or more `REDIRECT_`. */
  readonly redirectedAuthorization: string | undefined

  /**
   * Reads `bytes[start, end)`. Throws {@link RequestError}: 400 for a pair that is cut short or a NUL byte (C programs
   * behind us would read less than was checked), 431 for too many pairs, or a header that is too long.
   */
  constructor(bytes: Buffer, start = 0, end: number = bytes.length, limits?: ParamsLimits) {
    const maxCount = limits?.maxCount ?? MAX_COUNT
    const maxHeaderBytes = limits?.maxHeaderBytes ?? Number.POSITIVE_INFINITY
    const text = bytes.toString('latin1', start, end)
    this.#text = text

    let count = 0
    let faults = 0
    let method: string | undefined
    let uri: string | undefined
    let host: string | undefined
    let contentLength: string | undefined
    let contentType: string | undefined
    let redirectedAuthorization: string | undefined
    let redirectedNameLength = 0
    // The next of each of these characters. Native code searches, which takes a sixth of a loop's time; what it finds is
    // nearly always one of the lengths between the pairs.
    let nul = start + next(text, '\0', 0)
    let lf = start + next(text, '\n', 0)
    let cr = start + next(text, '\r', 0)

    for (let at = start; at < end; ) {
      const valueLengthAt = afterLength(bytes, at)
      const nameAt = afterLength(bytes, valueLengthAt)
      const valueAt = nameAt + lengthAt(bytes, at)
      const valueEnd = valueAt + lengthAt(bytes, valueLengthAt)
      if (!(valueEnd <= end)) {
        throw new RequestError(400, 'FCGI_ERR_PARAMS', 'The params end within a name-value pair.', {
          cause: cutShort(),
        })
      }
      if (count === maxCount) {
        throw new RequestError(431, 'FCGI_ERR_PARAMS_COUNT', `The request has more than ${maxCount} params.`)
      }

      if (nul < nameAt) nul = start + next(text, '\0', nameAt - start)
      if (nul < valueEnd) throw nulByte(text.slice(nameAt - start, valueAt - start))
      if (lf < nameAt) lf = start + next(text, '\n', nameAt - start)
      if (cr < nameAt) cr = start + next(text, '\r', nameAt - start)
      const breaksLine = lf < valueEnd || cr < valueEnd
      if (isHeaderParam(bytes, nameAt, valueAt)) {
        if (valueEnd - nameAt > maxHeaderBytes) {
          throw new RequestError(431, 'FCGI_ERR_HEADER_LENGTH', `A header is over ${maxHeaderBytes} bytes.`)
        }
        const name = headerParamName(bytes, nameAt, valueAt)
        headersFound[count] = name
        if (!name.isToken) faults |= FAULT_HEADER_NAME
        if (breaksLine) faults |= FAULT_LINE_BREAK
        if (name.header === 'host') host = text.slice(valueAt - start, valueEnd - start)
      } else {
        headersFound[count] = undefined
        switch (knownName(bytes, nameAt, valueAt)) {
          case 'REQUEST_METHOD':
            method = text.slice(valueAt - start, valueEnd - start)
            break
          case 'REQUEST_URI':
            uri = text.slice(valueAt - start, valueEnd - start)
            if (breaksLine) faults |= FAULT_LINE_BREAK
            break
          case 'QUERY_STRING':
            if (breaksLine) faults |= FAULT_LINE_BREAK
            break
          case 'CONTENT_TYPE':
            contentType = text.slice(valueAt - start, valueEnd - start)
            if (breaksLine) faults |= FAULT_LINE_BREAK
            break
          case 'CONTENT_LENGTH':
            contentLength = text.slice(valueAt - start, valueEnd - start)
            break
          case 'REDIRECT_HTTP_AUTHORIZATION':
            if (breaksLine) faults |= FAULT_LINE_BREAK
            // Each internal redirect of Apache puts another REDIRECT_ in front: the shortest name is the latest.
            if (redirectedNameLength === 0 || valueAt - nameAt <= redirectedNameLength) {
              redirectedNameLength = valueAt - nameAt
              redirectedAuthorization = text.slice(valueAt - start, valueEnd - start)
            }
            break
        }
      }
      indexFound[count * 3] = nameAt - start
      indexFound[count * 3 + 1] = valueAt - start
      indexFound[count * 3 + 2] = valueEnd - start
      count++
      at = valueEnd
    }
    if (method !== 'GET' && (method === undefined || !isToken(method))) faults |= FAULT_METHOD
    if (contentLength && !PLAIN_LENGTH.test(contentLength)) faults |= FAULT_CONTENT_LENGTH
    this.#index = indexFound.slice(0, count * 3)
    this.#headers = headersFound.slice(0, count)
    this.faults = faults
    this.method = method ?? ''
    this.uri = uri
    this.host = host
    this.contentLength = contentLength
    this.contentType = contentType
    this.redirectedAuthorization = redirectedAuthorization
  }

  /** Pairs, repeats included. */
  get count(): number {
    return this.#headers.length
  }

  /**
   * The value of the last pair named `name`. An empty REMOTE_USER is undefined, as are the other names of {@link isAbsentIfEmpty}.
   */
  get(name: string): string | undefined {
    const index = this.#index
    const text = this.#text
    const { length } = name
    for (let i = index.length - 3; i >= 0; i -= 3) {
      const at = index[i]!
      const valueAt = index[i + 1]!
      if (valueAt - at === length && text.startsWith(name, at)) {
        const value = text.slice(valueAt, index[i + 2])
        return value === '' && isAbsentIfEmpty(name) ? undefined : value
      }
    }
    return undefined
  }

  /** Calls `visit` with each `HTTP_*` as received: in order, repeats kept. */
  forEachHeader(visit: (name: HeaderParamName, value: string) => void): void {
    const headers = this.#headers
    const index = this.#index
    for (let i = 0; i < headers.length; i++) {
      const name = headers[i]
      if (name !== undefined) visit(name, this.#text.slice(index[i * 3 + 1], index[i * 3 + 2]))
    }
  }

  /** `[name, value, name, value, …]` as received: in order, repeats kept. */
  toList(): string[] {
    const index = this.#index
    const text = this.#text
    const list: string[] = []
    for (let i = 0; i < index.length; i += 3) {
      list.push(text.slice(index[i], index[i + 1]), text.slice(index[i + 1], index[i + 2]))
    }
    return list
  }

  /**
   * The params by name, on an object without a prototype, so that a param can be called `__proto__` or `toString`. Of a repeated
   * name the last value stays, but repeated `HTTP_*` are joined as Node joins repeated headers: cookies with `; `,
   * others with `, `, and the first alone if a header cannot be a list (user-agent, …). HTTP_HOST is the last one: front
   * servers refuse a second Host of a client, so it is their configuration that repeats it. An empty REMOTE_USER is left out, as
   * are the other names of {@link isAbsentIfEmpty}.
   */
  toRecord(): Record<string, string> {
    this.#record ??= this.#buildRecord()
    return this.#record
  }

  #buildRecord(): Record<string, string> {
    const index = this.#index
    const text = this.#text
    const record: Record<string, string> = Object.create(null)
    for (let i = 0; i < index.length; i += 3) {
      const value = text.slice(index[i + 1], index[i + 2])
      const header = this.#headers[i / 3]
      const name = header?.text ?? text.slice(index[i], index[i + 1])
      const before = header && record[name]
      if (value === '' && header === undefined && isAbsentIfEmpty(name)) delete record[name]
      else if (before === undefined || header?.header === 'host') record[name] = value
      else if (header?.separator !== undefined) record[name] = before + header.separator + value
    }
    return record
  }
}

// Where `character` is next, from `at` on; Infinity if it is nowhere.
function next(text: string, character: string, at: number): number {
  const found = text.indexOf(character, at)
  return found < 0 ? Number.POSITIVE_INFINITY : found
}

/**
 * Whether an empty param called `name` says the same as no param (RFC 3875 section 4.1). That holds for all of them; these are
 * left out, because programs ask only whether they exist: the ones that say who the client is. Caddy sends an empty REMOTE_USER
 * with each request, and nginx empty SSL_CLIENT_* for a client without a certificate.
 */
function isAbsentIfEmpty(name: string): boolean {
  return /^(?:AUTH_TYPE|REMOTE_(?:ADDR|HOST|IDENT|PORT|USER)|SSL_.*)$/.test(name)
}

function nulByte(name: string): RequestError {
  return new RequestError(400, 'FCGI_ERR_PARAMS', `The param ${quote(name)} contains a NUL byte.`)
}
