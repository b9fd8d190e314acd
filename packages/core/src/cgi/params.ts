// Decodes the params of one request. They are kept as one string, which is scanned once for the faults that `checkRequest` refuses.
// Names and values become separate strings only when they are read.

import { afterLength, lengthAt, truncatedPairError } from '../protocol/name-values.ts'
import { quote, RequestError } from './error.ts'
import { type HeaderParamName, headerParamName, isHeaderParam, knownName } from './param-names.ts'
import { isToken } from './token.ts'

/** Limits of a request's params. */
export interface ParamsLimits {
  /** The maximum number of pairs. The default is 2000, some ten times the number of a large real request. */
  maxParamsCount?: number
  /** The maximum size of one `HTTP_*` param, name and value together, in bytes. By default, only the size of all params is limited. */
  maxHeaderBytes?: number
}

const DEFAULT_MAX_COUNT = 2000

// The faults of the params, as bits. checkRequest refuses them.
/** The name of an `HTTP_*` param is not a valid header name: not a token (RFC 9110 section 5.6.2). */
export const FAULT_HEADER_NAME = 1
/** A header, CONTENT_TYPE, REQUEST_URI, QUERY_STRING or a redirected Authorization contains CR or LF, which allows injection elsewhere. */
export const FAULT_LINE_BREAK = 2
/** REQUEST_METHOD is missing or is not a token. */
export const FAULT_METHOD = 4
/** CONTENT_LENGTH is not a number of at most 15 digits. It may still be valid: checkRequest decides. */
export const FAULT_CONTENT_LENGTH = 8

/** Where the pairs of a block are. */
interface PairIndex {
  /** nameStart, valueStart and valueEnd of each pair. */
  readonly offsets: number[]
  /** The name of each pair that carries a header; undefined for other pairs. */
  readonly headers: (HeaderParamName | undefined)[]
}

// All params share this index. It is valid for those that were decoded last, up to their `count`. Most params are read before the next ones are
// decoded, and an index for each would be a quarter of the memory that a small request allocates.
const shared: PairIndex = { offsets: [], headers: [] }
// How many params have been decoded. It is the number of those that `shared` is valid for.
let decoded = 0

const SHORT_DECIMAL = /^\d{0,15}$/

/**
 * The name-value pairs of one request (RFC 3875 calls them meta-variables).
 *
 * Names and values are decoded as latin1, as Node's own HTTP parser does. If a name is repeated, the last one counts, because an nginx
 * configuration overrides a param of `include fastcgi_params` by naming it again. Repeated request headers are different: see
 * {@link Params.toRecord} and `headers` of RequestHead.
 */
export class Params {
  // A copy of the whole block. A copy of one kilobyte costs less than keeping a socket's buffer of 64 KiB alive.
  readonly #text: string
  // The value of `decoded` when these were decoded.
  readonly #number: number
  // Created if these are read after the next ones were decoded.
  #ownIndex: PairIndex | undefined
  #record: Record<string, string> | undefined

  /** The number of pairs, including repeated names. */
  readonly count: number
  /** The FAULT_* bits; 0 for nearly every request. */
  readonly faults: number
  /** REQUEST_METHOD; '' if it is absent. */
  readonly method: string
  /** REQUEST_URI. */
  readonly uri: string | undefined
  /** HTTP_HOST. */
  readonly host: string | undefined
  /** CONTENT_LENGTH. */
  readonly contentLength: string | undefined
  /** CONTENT_TYPE. */
  readonly contentType: string | undefined
  /** REDIRECT_HTTP_AUTHORIZATION, or the same with more than one `REDIRECT_`. */
  readonly redirectedAuthorization: string | undefined

  /**
   * Decodes `bytes[start, end)`. Throws a {@link RequestError}: with status 400 if a pair is truncated or contains a NUL byte (C programs
   * that the app calls would read only the part before it), and with 431 if there are too many pairs or a header is too long.
   */
  constructor(bytes: Buffer, start = 0, end: number = bytes.length, limits?: ParamsLimits) {
    const maxCount = limits?.maxParamsCount ?? DEFAULT_MAX_COUNT
    const maxHeaderBytes = limits?.maxHeaderBytes ?? Number.POSITIVE_INFINITY
    const text = bytes.toString('latin1', start, end)
    this.#text = text
    this.#number = ++decoded
    const { offsets, headers } = shared

    let count = 0
    let faults = 0
    let method: string | undefined
    let uri: string | undefined
    let host: string | undefined
    let contentLength: string | undefined
    let contentType: string | undefined
    let redirectedAuthorization: string | undefined
    let redirectedNameLength = 0
    // The position of the next NUL, LF and CR. The native search takes a sixth of the time of a loop. What it finds is nearly always one
    // of the length bytes between the pairs.
    let nul = start + indexOrInfinity(text, '\0', 0)
    let lf = start + indexOrInfinity(text, '\n', 0)
    let cr = start + indexOrInfinity(text, '\r', 0)

    for (let at = start; at < end; ) {
      const valueLengthAt = afterLength(bytes, at)
      const nameAt = afterLength(bytes, valueLengthAt)
      const valueAt = nameAt + lengthAt(bytes, at)
      const valueEnd = valueAt + lengthAt(bytes, valueLengthAt)
      if (!(valueEnd <= end)) {
        throw new RequestError(400, 'FCGI_ERR_PARAMS', 'The params end in the middle of a name-value pair.', {
          cause: truncatedPairError(),
        })
      }
      if (count === maxCount) {
        throw new RequestError(
          431,
          'FCGI_ERR_PARAMS_COUNT',
          `The request has more than ${maxCount} params (maxParamsCount).`,
        )
      }

      if (nul < nameAt) nul = start + indexOrInfinity(text, '\0', nameAt - start)
      if (nul < valueEnd) throw nulByte(text.slice(nameAt - start, valueAt - start))
      if (lf < nameAt) lf = start + indexOrInfinity(text, '\n', nameAt - start)
      if (cr < nameAt) cr = start + indexOrInfinity(text, '\r', nameAt - start)
      const breaksLine = lf < valueEnd || cr < valueEnd
      if (isHeaderParam(bytes, nameAt, valueAt)) {
        if (valueEnd - nameAt > maxHeaderBytes) {
          throw new RequestError(
            431,
            'FCGI_ERR_HEADER_LENGTH',
            `A header exceeds ${maxHeaderBytes} bytes (maxHeaderBytes).`,
          )
        }
        const name = headerParamName(bytes, nameAt, valueAt)
        headers[count] = name
        if (!name.isToken) faults |= FAULT_HEADER_NAME
        if (breaksLine) faults |= FAULT_LINE_BREAK
        if (name.header === 'host') host = text.slice(valueAt - start, valueEnd - start)
      } else {
        headers[count] = undefined
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
            // Each internal redirect of Apache prepends another REDIRECT_, so the param with the shortest name is the latest.
            if (redirectedNameLength === 0 || valueAt - nameAt <= redirectedNameLength) {
              redirectedNameLength = valueAt - nameAt
              redirectedAuthorization = text.slice(valueAt - start, valueEnd - start)
            }
            break
        }
      }
      offsets[count * 3] = nameAt - start
      offsets[count * 3 + 1] = valueAt - start
      offsets[count * 3 + 2] = valueEnd - start
      count++
      at = valueEnd
    }
    if (method !== 'GET' && (method === undefined || !isToken(method))) faults |= FAULT_METHOD
    if (contentLength && !SHORT_DECIMAL.test(contentLength)) faults |= FAULT_CONTENT_LENGTH
    this.count = count
    this.faults = faults
    this.method = method ?? ''
    this.uri = uri
    this.host = host
    this.contentLength = contentLength
    this.contentType = contentType
    this.redirectedAuthorization = redirectedAuthorization
  }

  /**
   * Returns the value of the last pair named `name`. An empty value is undefined for the names that {@link isAbsentIfEmpty} lists, for
   * example REMOTE_USER.
   */
  get(name: string): string | undefined {
    const { offsets } = this.#index
    const text = this.#text
    const { length } = name
    for (let i = (this.count - 1) * 3; i >= 0; i -= 3) {
      const at = offsets[i]!
      const valueAt = offsets[i + 1]!
      if (valueAt - at === length && text.startsWith(name, at)) {
        const value = text.slice(valueAt, offsets[i + 2])
        return value === '' && isAbsentIfEmpty(name) ? undefined : value
      }
    }
    return undefined
  }

  /** The name of pair number `i` if it is an `HTTP_*` param; undefined for other pairs. */
  headerNameAt(i: number): HeaderParamName | undefined {
    return this.#index.headers[i]
  }

  /** The value of pair number `i`. */
  valueAt(i: number): string {
    const { offsets } = this.#index
    return this.#text.slice(offsets[i * 3 + 1], offsets[i * 3 + 2])
  }

  /** Returns `[name, value, name, value, …]` in the order received, including repeated names. */
  toList(): string[] {
    const { offsets } = this.#index
    const text = this.#text
    const list: string[] = []
    for (let i = 0; i < this.count * 3; i += 3) {
      list.push(text.slice(offsets[i], offsets[i + 1]), text.slice(offsets[i + 1], offsets[i + 2]))
    }
    return list
  }

  /**
   * Returns the params by name, on an object without a prototype, so that a param can be named `__proto__` or `toString`. If a name is
   * repeated, the last value is used. Repeated `HTTP_*` params are joined as Node joins repeated headers: cookies with `; `, others with
   * `, `, but only the first value is used if the header cannot be a list (user-agent, …). For HTTP_HOST, the last value is used: front
   * servers refuse requests with two Host headers, so only a configuration can repeat it. Empty params that {@link isAbsentIfEmpty} lists,
   * for example REMOTE_USER, are omitted.
   */
  toRecord(): Record<string, string> {
    this.#record ??= this.#buildRecord()
    return this.#record
  }

  #buildRecord(): Record<string, string> {
    const { offsets, headers } = this.#index
    const text = this.#text
    const record: Record<string, string> = Object.create(null)
    for (let i = 0; i < this.count * 3; i += 3) {
      const value = text.slice(offsets[i + 1], offsets[i + 2])
      const header = headers[i / 3]
      const name = header?.text ?? text.slice(offsets[i], offsets[i + 1])
      const before = header && record[name]
      if (value === '' && header === undefined && isAbsentIfEmpty(name)) delete record[name]
      else if (before === undefined || header?.header === 'host') record[name] = value
      else if (header?.separator !== undefined) record[name] = before + header.separator + value
    }
    return record
  }

  get #index(): PairIndex {
    if (this.#ownIndex !== undefined) return this.#ownIndex
    if (this.#number === decoded) return shared
    this.#ownIndex = indexPairs(this.#text)
    return this.#ownIndex
  }
}

// Indexes a block that has been decoded before, so that it is known to be valid.
function indexPairs(text: string): PairIndex {
  const bytes = Buffer.from(text, 'latin1')
  const offsets: number[] = []
  const headers: (HeaderParamName | undefined)[] = []
  for (let at = 0; at < bytes.length; ) {
    const valueLengthAt = afterLength(bytes, at)
    const nameAt = afterLength(bytes, valueLengthAt)
    const valueAt = nameAt + lengthAt(bytes, at)
    at = valueAt + lengthAt(bytes, valueLengthAt)
    offsets.push(nameAt, valueAt, at)
    headers.push(isHeaderParam(bytes, nameAt, valueAt) ? headerParamName(bytes, nameAt, valueAt) : undefined)
  }
  return { offsets, headers }
}

// Returns the next position of `character` at or after `at`; Infinity if there is none.
function indexOrInfinity(text: string, character: string, at: number): number {
  const found = text.indexOf(character, at)
  return found < 0 ? Number.POSITIVE_INFINITY : found
}

/**
 * Whether an empty param named `name` is treated as absent. RFC 3875 section 4.1 allows that for all params. It is done only for the
 * params about the client and its TLS connection, because programs check only whether they exist. Caddy sends an empty REMOTE_USER with
 * each request, and nginx sends empty SSL_CLIENT_* for a client without a certificate.
 */
function isAbsentIfEmpty(name: string): boolean {
  return /^(?:AUTH_TYPE|REMOTE_(?:ADDR|HOST|IDENT|PORT|USER)|SSL_.*)$/.test(name)
}

function nulByte(name: string): RequestError {
  return new RequestError(400, 'FCGI_ERR_PARAMS', `The param ${quote(name)} contains a NUL byte.`)
}
