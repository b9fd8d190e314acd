// The params of one request: one string for all of them, and an index, made in a pass that also takes note of whatever
// `checkRequest` must refuse. Names and values become strings of their own when somebody asks for one.

import { indexNameValues } from '../protocol/name-values.ts'
import { RequestError } from './error.ts'

/** How much of a request's params is accepted. */
export interface ParamsLimits {
  /** Pairs; default 2000, some ten times what a large real request has. */
  maxCount?: number
}

const MAX_COUNT = 2000

// What Params notes about the pairs while it indexes them; several may be set. See checkRequest.
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

// What a byte can not be part of.
const NO_TOKEN = 1
const NO_DIGIT = 2
const CLASS = new Uint8Array(256).fill(NO_TOKEN | NO_DIGIT)
for (const c of "!#$%&'*+-.^_`|~ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
  CLASS[c.charCodeAt(0)] = NO_DIGIT
}
for (const c of '0123456789') CLASS[c.charCodeAt(0)] = 0

const HTTP_HOST = Buffer.from('HTTP_HOST')
const CONTENT_LENGTH = Buffer.from('CONTENT_LENGTH')
const REQUEST_METHOD = Buffer.from('REQUEST_METHOD')
const SINGLE_LINE: ReadonlySet<string> = new Set(['CONTENT_TYPE', 'REQUEST_URI', 'QUERY_STRING'])

/**
 * The name-value pairs of one request (RFC 3875 calls them meta-variables).
 *
 * Names and values are bytes read as latin1, as Node's own HTTP parser does. A name that is there twice: the last
 * one is meant, because an nginx configuration overrides what `include fastcgi_params` set by naming it again.
 * Headers that the client repeated are another thing: see {@link Params.toRecord} and RequestHead's `headers`.
 */
export class Params {
  // The whole block as latin1, a copy: one of a kilobyte costs less than to keep a socket's 64 KiB from being freed.
  readonly #text: string
  // nameStart, nameEnd, valueStart, valueEnd of each pair, in the block; #start less in #text.
  readonly #index: number[]
  readonly #start: number
  #record: Record<string, string> | undefined

  /** The FAULT_* bits of what checkRequest must refuse; 0 for nearly every request. */
  readonly faults: number

  /**
   * Reads `block[start, end)`. Throws {@link RequestError}: 400 for a pair that is cut short or a NUL byte (C programs
   * behind us would read less than was checked), 431 for too many pairs.
   */
  constructor(block: Buffer, start = 0, end: number = block.length, limits?: ParamsLimits) {
    const maxCount = limits?.maxCount ?? MAX_COUNT
    const index = indexPairs(block, start, end, maxCount)
    if (index.length > maxCount * 4) {
      throw new RequestError(431, 'FCGI_ERR_PARAMS_COUNT', `The request has more than ${maxCount} params.`)
    }
    const text = block.toString('latin1', start, end)
    this.#index = index
    this.#text = text
    this.#start = start

    const nul = this.#findCharacter('\0', 0)
    if (nul >= 0) throw nulByte(this.#slice(index[nul]!, index[nul + 1]!))

    // Until there is one.
    let faults = FAULT_METHOD
    let lengthAt = -1
    let hostAt = -1
    for (let i = 0; i < index.length; i += 4) {
      const at = index[i]!
      const nameEnd = index[i + 1]!
      if (isHeader(block, at, nameEnd)) {
        if (nameEnd === at + 5 || !isAll(block, at + 5, nameEnd, NO_TOKEN)) faults |= FAULT_HEADER_NAME
        if (isName(block, at, nameEnd, HTTP_HOST)) {
          if (hostAt >= 0 && !this.#isSameValue(hostAt, i)) faults |= FAULT_CONFLICT
          hostAt = i
        }
      } else if (isName(block, at, nameEnd, REQUEST_METHOD)) {
        const isToken = index[i + 3]! > index[i + 2]! && isAll(block, index[i + 2]!, index[i + 3]!, NO_TOKEN)
        faults = isToken ? faults & ~FAULT_METHOD : faults | FAULT_METHOD
      } else if (isName(block, at, nameEnd, CONTENT_LENGTH)) {
        if (lengthAt >= 0 && !this.#isSameValue(lengthAt, i)) faults |= FAULT_CONFLICT
        const isPlain =
          index[i + 3]! - index[i + 2]! <= 15 && isAll(block, index[i + 2]!, index[i + 3]!, NO_DIGIT)
        if (!isPlain) faults |= FAULT_CONTENT_LENGTH
        lengthAt = i
      }
    }
    if (this.#breaksLine('\n') || this.#breaksLine('\r')) faults |= FAULT_LINE_BREAK
    this.faults = faults
  }

  /** Pairs, repeats included. */
  get count(): number {
    return this.#index.length / 4
  }

  /** The value of the last pair named `name`. */
  get(name: string): string | undefined {
    const i = this.#find(name)
    return i < 0 ? undefined : this.#slice(this.#index[i + 2]!, this.#index[i + 3]!)
  }

  /** Whether a pair is named `name`; its value may be empty. */
  has(name: string): boolean {
    return this.#find(name) >= 0
  }

  /** The name of pair `i`, counted from 0. */
  nameAt(i: number): string {
    return this.#slice(this.#index[i * 4]!, this.#index[i * 4 + 1]!)
  }

  /** The value of pair `i`. */
  valueAt(i: number): string {
    return this.#slice(this.#index[i * 4 + 2]!, this.#index[i * 4 + 3]!)
  }

  /** Whether pair `i` is named `name`. */
  isNamed(i: number, name: string): boolean {
    const at = this.#index[i * 4]!
    return this.#index[i * 4 + 1]! - at === name.length && this.#text.startsWith(name, at - this.#start)
  }

  /** Whether pair `i` is one of the `HTTP_*`, which carry request headers (RFC 3875 section 4.1.18). */
  isHeaderAt(i: number): boolean {
    const at = this.#index[i * 4]!
    return this.#index[i * 4 + 1]! - at > 5 && this.#text.startsWith('HTTP_', at - this.#start)
  }

  /** `[name, value, name, value, …]` as received: in order, repeats kept. */
  toList(): string[] {
    const index = this.#index
    const list: string[] = []
    for (let i = 0; i < index.length; i += 4) {
      list.push(this.#slice(index[i]!, index[i + 1]!), this.#slice(index[i + 2]!, index[i + 3]!))
    }
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

  #buildRecord(): Record<string, string> {
    const index = this.#index
    const record: Record<string, string> = Object.create(null)
    for (let i = 0; i < index.length; i += 4) {
      const name = this.#slice(index[i]!, index[i + 1]!)
      const value = this.#slice(index[i + 2]!, index[i + 3]!)
      const before = name.startsWith('HTTP_') ? record[name] : undefined
      if (before === undefined) record[name] = value
      else if (name === 'HTTP_COOKIE') record[name] = `${before}; ${value}`
      else if (!FIRST_ONLY.has(name)) record[name] = `${before}, ${value}`
    }
    return record
  }

  // From the end: the last pair of a name wins.
  #find(name: string): number {
    const index = this.#index
    const text = this.#text
    const start = this.#start
    const length = name.length
    for (let i = index.length - 4; i >= 0; i -= 4) {
      const at = index[i]!
      if (index[i + 1]! - at === length && text.startsWith(name, at - start)) return i
    }
    return -1
  }

  // The first pair from `i` on that holds `character` in its name or value, or -1. Native code searches; what it
  // finds is nearly always one of the lengths between the pairs. A loop over all bytes takes six times as long.
  #findCharacter(character: string, i: number): number {
    const index = this.#index
    const text = this.#text
    if (i >= index.length) return -1
    let found = text.indexOf(character, index[i]! - this.#start)
    while (found >= 0) {
      const at = found + this.#start
      while (index[i + 3]! <= at) i += 4
      if (at >= index[i]!) return i
      found = text.indexOf(character, found + 1)
    }
    return -1
  }

  #breaksLine(character: string): boolean {
    const index = this.#index
    for (let i = this.#findCharacter(character, 0); i >= 0; i = this.#findCharacter(character, i + 4)) {
      const name = this.#slice(index[i]!, index[i + 1]!)
      if (name.startsWith('HTTP_') || SINGLE_LINE.has(name)) return true
    }
    return false
  }

  #slice(start: number, end: number): string {
    return this.#text.slice(start - this.#start, end - this.#start)
  }

  #isSameValue(i: number, j: number): boolean {
    return this.valueAt(i / 4) === this.valueAt(j / 4)
  }
}

// Where Node's IncomingMessage keeps the first of repeated headers (lib/_http_incoming.js, matchKnownFields).
const FIRST_ONLY: ReadonlySet<string> = new Set(
  [
    'AGE',
    'AUTHORIZATION',
    'CONTENT_LENGTH',
    'CONTENT_TYPE',
    'ETAG',
    'EXPIRES',
    'FROM',
    'HOST',
    'IF_MODIFIED_SINCE',
    'IF_UNMODIFIED_SINCE',
    'LAST_MODIFIED',
    'LOCATION',
    'MAX_FORWARDS',
    'PROXY_AUTHORIZATION',
    'REFERER',
    'RETRY_AFTER',
    'SERVER',
    'USER_AGENT',
  ].map((name) => `HTTP_${name}`),
)

function indexPairs(block: Buffer, start: number, end: number, maxCount: number): number[] {
  try {
    return indexNameValues(block, start, end, maxCount)
  } catch (cause) {
    throw new RequestError(400, 'FCGI_ERR_PARAMS', 'The params are cut short.', { cause })
  }
}

function nulByte(name: string): RequestError {
  return new RequestError(
    400,
    'FCGI_ERR_PARAMS',
    `A NUL byte in the param ${JSON.stringify(name.slice(0, 64))}.`,
  )
}

// HTTP_
function isHeader(block: Buffer, at: number, nameEnd: number): boolean {
  return (
    nameEnd - at >= 5 &&
    block[at] === 0x48 &&
    block[at + 4] === 0x5f &&
    block[at + 1] === 0x54 &&
    block[at + 2] === 0x54 &&
    block[at + 3] === 0x50
  )
}

function isName(block: Buffer, at: number, nameEnd: number, name: Buffer): boolean {
  if (nameEnd - at !== name.length) return false
  for (let i = 0; i < name.length; i++) {
    if (block[at + i] !== name[i]) return false
  }
  return true
}

function isAll(block: Buffer, start: number, end: number, not: number): boolean {
  let found = 0
  for (let at = start; at < end; at++) found |= CLASS[block[at]!]!
  return (found & not) === 0
}
