// The params of one request, kept as they came: one string, which is gone through once to take note of whatever `checkRequest`
// must refuse. Names and values become strings of their own when somebody asks for one.

import { afterLength, cutShort, lengthAt } from '../protocol/name-values.ts'
import { RequestError } from './error.ts'
import {
  CONTENT_LENGTH,
  HTTP_HOST,
  type ParamName,
  paramName,
  REQUEST_METHOD,
  REQUEST_URI,
} from './param-names.ts'

/** How much of a request's params is accepted. */
export interface ParamsLimits {
  /** Pairs; default 2000, some ten times what a large real request has. */
  maxCount?: number
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
/** CONTENT_LENGTH or HTTP_HOST is there twice with different values. */
export const FAULT_CONFLICT = 16

const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/
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
  readonly #names: ParamName[] = []
  // Where each value begins and ends in #text.
  readonly #places: number[] = []
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

  /**
   * Reads `bytes[start, end)`. Throws {@link RequestError}: 400 for a pair that is cut short or a NUL byte (C programs
   * behind us would read less than was checked), 431 for too many pairs.
   */
  constructor(bytes: Buffer, start = 0, end: number = bytes.length, limits?: ParamsLimits) {
    const maxCount = limits?.maxCount ?? MAX_COUNT
    const text = bytes.toString('latin1', start, end)
    const names = this.#names
    const places = this.#places
    this.#text = text

    let faults = 0
    let method: string | undefined
    let uri: string | undefined
    let host: string | undefined
    let contentLength: string | undefined
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
        throw new RequestError(400, 'FCGI_ERR_PARAMS', 'The params are cut short.', { cause: cutShort() })
      }
      if (names.length === maxCount) {
        throw new RequestError(431, 'FCGI_ERR_PARAMS_COUNT', `The request has more than ${maxCount} params.`)
      }

      if (nul < nameAt) nul = start + next(text, '\0', nameAt - start)
      if (nul < valueEnd) throw nulByte(text.slice(nameAt - start, valueAt - start))
      if (lf < nameAt) lf = start + next(text, '\n', nameAt - start)
      if (cr < nameAt) cr = start + next(text, '\r', nameAt - start)
      const name = paramName(bytes, nameAt, valueAt)
      if (name.isSingleLine && (lf < valueEnd || cr < valueEnd)) faults |= FAULT_LINE_BREAK
      if (name.isBadHeader) faults |= FAULT_HEADER_NAME
      names.push(name)
      places.push(valueAt - start, valueEnd - start)

      switch (name.known) {
        case REQUEST_METHOD:
          method = text.slice(valueAt - start, valueEnd - start)
          break
        case REQUEST_URI:
          uri = text.slice(valueAt - start, valueEnd - start)
          break
        case HTTP_HOST: {
          const before = host
          host = text.slice(valueAt - start, valueEnd - start)
          if (before !== undefined && before !== host) faults |= FAULT_CONFLICT
          break
        }
        case CONTENT_LENGTH: {
          const before = contentLength
          contentLength = text.slice(valueAt - start, valueEnd - start)
          if (before !== undefined && before !== contentLength) faults |= FAULT_CONFLICT
          if (contentLength !== '' && !PLAIN_LENGTH.test(contentLength)) faults |= FAULT_CONTENT_LENGTH
          break
        }
      }
      at = valueEnd
    }
    if (method !== 'GET' && (method === undefined || !TOKEN.test(method))) faults |= FAULT_METHOD
    this.faults = faults
    this.method = method ?? ''
    this.uri = uri
    this.host = host
    this.contentLength = contentLength
  }

  /** Pairs, repeats included. */
  get count(): number {
    return this.#names.length
  }

  /** The value of the last pair named `name`. */
  get(name: string): string | undefined {
    const names = this.#names
    for (let i = names.length - 1; i >= 0; i--) {
      if (names[i]!.text === name) return this.#valueAt(i)
    }
    return undefined
  }

  /** Calls `visit` with each pair as received: in order, repeats kept. */
  forEach(visit: (name: ParamName, value: string) => void): void {
    const names = this.#names
    for (let i = 0; i < names.length; i++) visit(names[i]!, this.#valueAt(i))
  }

  /** `[name, value, name, value, …]` as received: in order, repeats kept. */
  toList(): string[] {
    const list: string[] = []
    this.forEach((name, value) => {
      list.push(name.text, value)
    })
    return list
  }

  /**
   * The params by name, without a prototype, so that a param may be called `__proto__` or `toString`. Of a repeated
   * name the last value stays, but repeated `HTTP_*` are joined as Node joins repeated headers: cookies with `; `,
   * others with `, `, and the first alone where a header can not be a list (host, user-agent, …).
   */
  toRecord(): Record<string, string> {
    this.#record ??= this.#buildRecord()
    return this.#record
  }

  #valueAt(i: number): string {
    return this.#text.slice(this.#places[i * 2], this.#places[i * 2 + 1])
  }

  #buildRecord(): Record<string, string> {
    const record: Record<string, string> = Object.create(null)
    this.forEach(({ text, separator, firstOnly }, value) => {
      const before = separator !== undefined || firstOnly ? record[text] : undefined
      if (before === undefined) record[text] = value
      else if (!firstOnly) record[text] = before + separator + value
    })
    return record
  }
}

// Where `character` is next, from `at` on; Infinity if it is nowhere.
function next(text: string, character: string, at: number): number {
  const found = text.indexOf(character, at)
  return found < 0 ? Number.POSITIVE_INFINITY : found
}

function nulByte(name: string): RequestError {
  return new RequestError(
    400,
    'FCGI_ERR_PARAMS',
    `A NUL byte in the param ${JSON.stringify(name.slice(0, 64))}.`,
  )
}
