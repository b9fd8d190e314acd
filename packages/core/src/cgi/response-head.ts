// From status and headers to the head of a CGI response (RFC 3875 section 6), as front servers expect it.

import { STATUS_CODES } from 'node:http'
import { isToken } from './token.ts'

// Node's own codes and classes, so that what handles a bad header from node:http handles this one.
interface CodedError extends Error {
  code: string
}

// By status, with its usual reason.
const statusLines: string[] = []

/**
 * The head as a latin1 string: `Status: 200 OK`, the headers in the order given, an empty line, all with CRLF (Apache
 * takes a mix of line ends for the end of the head). The status is always written: a Location without a status would be a
 * local redirect (RFC 3875 section 6.2.2), or a 200 on four of seven servers. A Location is written in front of the status: after
 * it, HAProxy turns every status into a 302.
 *
 * `headers` is a flat list, [name, value, …]. Left out are hop-by-hop headers (the connection belongs to the front server), any
 * Status, Content-Length for 204, and a Content-Length that repeats the first one. The Content-Length of a 205 is written as 0: a
 * 205 has no content (RFC 9110 section 15.3.6), and clients of nginx and HAProxy would wait for the bytes that any other length
 * promises. Line breaks in `reason` are left out, since fetch lets any statusText through; an empty reason means the usual one.
 *
 * Throws as Node's `writeHead` does: a RangeError (ERR_HTTP_INVALID_STATUS_CODE) for a status that is not an integer from 200 to
 * 999, a TypeError for a name that is not a token (ERR_INVALID_HTTP_TOKEN) or a value with characters that HTTP does
 * not allow (ERR_INVALID_CHAR). Other than `node:http`, which sends it, it also throws a TypeError (ERR_HTTP_INVALID_HEADER_VALUE) for
 * a Content-Length that is not a plain decimal number up to 2^53−1, or that contradicts the one before: nginx answers 502 to such a head,
 * and a client behind another server may find the end of the response elsewhere than this server.
 */
export function encodeResponseHead(status: number, headers: readonly string[] = [], reason = ''): string {
  let head = reason === '' ? (statusLines[status] ?? usualStatusLine(status)) : statusLine(status, reason)
  let length: string | undefined
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    const kind = kindOf(name)
    if (kind === LEFT_OUT || (kind === LENGTH && status === 204)) continue
    const value = kind === LENGTH && status === 205 ? '0' : headers[i + 1]!
    if (kind === LENGTH) {
      if (value === length) continue
      checkLength(name, value, length)
      length = value
    }
    if (NO_VALUE.test(value)) {
      throw coded(new TypeError(`Invalid character in header content ["${name}"]`), 'ERR_INVALID_CHAR')
    }
    const field = `${name}: ${value}\r\n`
    head = kind === LOCATION ? field + head : head + field
  }
  return `${head}\r\n`
}

function checkLength(name: string, value: string, before: string | undefined): void {
  if (before === undefined && LENGTH_VALUE.test(value) && Number.isSafeInteger(Number(value))) return
  const problem =
    before === undefined ? `Invalid value "${value}"` : `Two different values "${before}" and "${value}"`
  throw coded(new TypeError(`${problem} for header "${name}"`), 'ERR_HTTP_INVALID_HEADER_VALUE')
}

/** Whether a response has a body: HEAD, 204, 205 and 304 have none (RFC 9110 sections 9.3.2 and 15.3–15.4). */
export function bodyAllowed(method: string, status: number): boolean {
  return method !== 'HEAD' && status !== 204 && status !== 205 && status !== 304
}

const LENGTH_VALUE = /^\d+$/

// The characters that a field value cannot have (RFC 9110 section 5.5); beyond latin1 there is no byte to send.
const NO_VALUE = /[^\t\x20-\x7e\x80-\xff]/

const SENT = 1
const LENGTH = 2
const LOCATION = 3
const LEFT_OUT = 4

const SPECIAL_NAMES: ReadonlyMap<string, number> = new Map([
  ['content-length', LENGTH],
  ['location', LOCATION],
])

const LEFT_OUT_NAMES: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'status',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

// By name as the app writes it. Bounded, since an app may make names up.
const kinds = new Map<string, number>()
const KINDS_MAX = 500

function kindOf(name: string): number {
  const known = kinds.get(name)
  if (known !== undefined) return known
  if (!isToken(name)) {
    throw coded(new TypeError(`Header name must be a valid HTTP token ["${name}"]`), 'ERR_INVALID_HTTP_TOKEN')
  }
  const lower = name.toLowerCase()
  const kind = LEFT_OUT_NAMES.has(lower) ? LEFT_OUT : (SPECIAL_NAMES.get(lower) ?? SENT)
  if (kinds.size < KINDS_MAX) kinds.set(name, kind)
  return kind
}

function usualStatusLine(status: number): string {
  const line = statusLine(status, STATUS_CODES[status] ?? 'unknown')
  statusLines[status] = line
  return line
}

function statusLine(status: number, reason: string): string {
  if (!Number.isInteger(status) || status < 200 || status > 999) {
    throw coded(new RangeError(`Invalid status code: ${status}`), 'ERR_HTTP_INVALID_STATUS_CODE')
  }
  return `Status: ${status} ${reason.replace(/[\r\n]+/g, '').replace(/[^\t\x20-\x7e\x80-\xff]/g, '?')}\r\n`
}

function coded<E extends Error>(error: E, code: string): E & CodedError {
  return Object.assign(error, { code })
}
