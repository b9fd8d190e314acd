// Classifies the names of params, and caches the result, because front servers send the same few dozen names with every request.

import { isToken } from './token.ts'

/** The name of an `HTTP_*` param, which carries a request header (RFC 3875 section 4.1.18). */
export interface HeaderParamName {
  /** The param's name. */
  readonly text: string
  /** The header's name in lower case with `-` for `_`; '' for a header that is omitted. */
  readonly header: string
  /** The header's name is valid: a token (RFC 9110 section 5.6.2). */
  readonly isToken: boolean
  /** The separator with which Node joins the values of a repeated header; undefined if only the first value counts. */
  readonly separator: string | undefined
}

// Node's IncomingMessage keeps only the first value of these headers (lib/_http_incoming.js, matchKnownFields).
const FIRST_ONLY: ReadonlySet<string> = new Set([
  'age',
  'authorization',
  'content-length',
  'content-type',
  'etag',
  'expires',
  'from',
  'host',
  'if-modified-since',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'referer',
  'retry-after',
  'server',
  'user-agent',
])

// The headers that are omitted. See `headers` of RequestHead for the reasons.
const OMITTED: ReadonlySet<string> = new Set([
  'content-length',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
])

// The cache is a hash table in which a new name replaces an old one with the same hash, because a client can send any number of names.
// Long names are not cached. With a quarter of this size, a fifth of 500 names collided, and each of these missed the cache in every
// request.
const CACHE_SIZE = 8192
const CACHED_LENGTH_MAX = 100
const cache: (CachedName | undefined)[] = new Array(CACHE_SIZE).fill(undefined)

interface CachedName extends HeaderParamName {
  readonly bytes: Uint8Array
}

/** Whether `block[at, end)` begins with `HTTP_`. */
export function isHeaderParam(block: Uint8Array, at: number, end: number): boolean {
  return (
    end - at >= 5 &&
    block[at] === 0x48 &&
    block[at + 4] === 0x5f &&
    block[at + 1] === 0x54 &&
    block[at + 2] === 0x54 &&
    block[at + 3] === 0x50
  )
}

/** Classifies the name `block[at, end)`, which begins with `HTTP_`. */
export function headerParamName(block: Buffer, at: number, end: number): HeaderParamName {
  const length = end - at
  // Names usually differ in length, at the end, or in the middle.
  const hash =
    (length * 5 +
      block[end - 1]! * 7 +
      block[end - 2]! * 53 +
      block[end - 3]! * 211 +
      block[at + (length >> 1)]! * 401) &
    (CACHE_SIZE - 1)
  const name = cache[hash]
  if (name !== undefined && isSame(name.bytes, block, at, length)) return name
  const described = describeName(block, at, end)
  if (length <= CACHED_LENGTH_MAX) cache[hash] = described
  return described
}

function isSame(bytes: Uint8Array, block: Uint8Array, at: number, length: number): boolean {
  if (bytes.length !== length) return false
  // Both begin with `HTTP_`.
  for (let i = 5; i < length; i++) {
    if (bytes[i] !== block[at + i]) return false
  }
  return true
}

function describeName(block: Buffer, at: number, end: number): CachedName {
  const bytes = Uint8Array.prototype.slice.call(block, at, end)
  // Decode a new string: a slice of the params' text would keep the whole text in memory.
  const text = block.toString('latin1', at, end)
  const header = text.slice(5).toLowerCase().replaceAll('_', '-')
  return {
    bytes,
    text,
    header: OMITTED.has(header) ? '' : header,
    isToken: isToken(text.slice(5)),
    separator: FIRST_ONLY.has(header) ? undefined : header === 'cookie' ? '; ' : ', ',
  }
}

const REQUEST_METHOD = Buffer.from('REQUEST_METHOD')
const REQUEST_URI = Buffer.from('REQUEST_URI')
const QUERY_STRING = Buffer.from('QUERY_STRING')
const CONTENT_TYPE = Buffer.from('CONTENT_TYPE')
const CONTENT_LENGTH = Buffer.from('CONTENT_LENGTH')
const REDIRECT = Buffer.from('REDIRECT_')
const HTTP_AUTHORIZATION = Buffer.from('HTTP_AUTHORIZATION')

/** Returns the name `block[at, end)` if it is one of the params that every request needs. */
export function knownName(block: Uint8Array, at: number, end: number): KnownName | undefined {
  switch (end - at) {
    case 11:
      return isName(block, at, REQUEST_URI) ? 'REQUEST_URI' : undefined
    case 12:
      if (isName(block, at, CONTENT_TYPE)) return 'CONTENT_TYPE'
      return isName(block, at, QUERY_STRING) ? 'QUERY_STRING' : undefined
    case 14:
      if (isName(block, at, REQUEST_METHOD)) return 'REQUEST_METHOD'
      return isName(block, at, CONTENT_LENGTH) ? 'CONTENT_LENGTH' : undefined
    default:
      return block[at] === 0x52 && isRedirected(block, at, end) ? 'REDIRECT_HTTP_AUTHORIZATION' : undefined
  }
}

/** See {@link knownName}. */
export type KnownName =
  | 'REQUEST_METHOD'
  | 'REQUEST_URI'
  | 'QUERY_STRING'
  | 'CONTENT_TYPE'
  | 'CONTENT_LENGTH'
  | 'REDIRECT_HTTP_AUTHORIZATION'

// Matches one or more `REDIRECT_`, then `HTTP_AUTHORIZATION`.
function isRedirected(block: Uint8Array, at: number, end: number): boolean {
  const nameAt = end - HTTP_AUTHORIZATION.length
  if (nameAt <= at || (nameAt - at) % REDIRECT.length !== 0 || !isName(block, nameAt, HTTP_AUTHORIZATION))
    return false
  for (let i = at; i < nameAt; i += REDIRECT.length) {
    if (!isName(block, i, REDIRECT)) return false
  }
  return true
}

function isName(block: Uint8Array, at: number, name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) {
    if (block[at + i] !== name[i]) return false
  }
  return true
}
