// Encodes the head of a CGI response (RFC 3875 section 6) in the form that all front servers accept.

import { reasonPhrase } from './reason-phrase.ts'
import { isToken } from './token.ts'

// Errors have the codes and classes of Node's own, so that code that handles an invalid header of node:http handles these, too.
interface CodedError extends Error {
  code: string
}

// Status lines with the default reason phrase, without a line end, by status.
const statusLines: string[] = []

/**
 * Returns the head as a latin1 string: `Status: 200 OK`, the headers in the given order, an empty line. All lines end with CRLF, because
 * Apache takes mixed line ends as the end of the head. The status is always included: a Location without a status would be a local
 * redirect (RFC 3875 section 6.2.2), or a 200 on four of seven servers. A Location comes before the status, because HAProxy turns every
 * status before a Location into a 302.
 *
 * `headers` is a flat list, [name, value, …]. These headers are omitted: hop-by-hop headers (the front server manages its connection),
 * Status, Content-Length for 204, and a Content-Length that repeats the first one. The Content-Length of a 205 is sent as 0: a 205 has no
 * content (RFC 9110 section 15.3.6), and with any other length clients of nginx and HAProxy would wait for a body. Line breaks are removed
 * from `reason`, because fetch accepts any statusText. An empty reason means the default one.
 *
 * Throws like Node's `writeHead`: a RangeError (ERR_HTTP_INVALID_STATUS_CODE) for a status that is not an integer from 200 to 999, a
 * TypeError for a name that is not a token (ERR_INVALID_HTTP_TOKEN) or a value with characters that HTTP does not allow
 * (ERR_INVALID_CHAR). Unlike Node, it also throws a TypeError (ERR_HTTP_INVALID_HEADER_VALUE) for a Content-Length that is not a plain
 * decimal number up to 2^53−1, or that differs from a previous one. nginx responds with 502 to such a head. Behind another server, the
 * client and the server may disagree about the end of the response.
 */
export function encodeResponseHead(status: number, headers: readonly string[] = [], reason = ''): string {
  let head = reason === '' ? (statusLines[status] ?? defaultStatusLine(status)) : statusLine(status, reason)
  let length: string | undefined
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    const { kind, prefix } = fieldName(name)
    if (kind === OMITTED || (kind === LENGTH && status === 204)) continue
    const value = kind === LENGTH && status === 205 ? '0' : headers[i + 1]!
    if (kind === LENGTH) {
      if (value === length) continue
      checkLength(name, value, length)
      length = value
    }
    if (INVALID_VALUE.test(value)) {
      throw coded(new TypeError(`Invalid character in header content ["${name}"]`), 'ERR_INVALID_CHAR')
    }
    head = kind === LOCATION ? `${name}: ${value}\r\n${head}` : head + prefix + value
  }
  return `${head}\r\n\r\n`
}

function checkLength(name: string, value: string, before: string | undefined): void {
  if (before === undefined && isDecimal(value) && Number.isSafeInteger(Number(value))) return
  const problem =
    before === undefined ? `Invalid value "${value}"` : `Two different values "${before}" and "${value}"`
  throw coded(new TypeError(`${problem} for header "${name}"`), 'ERR_HTTP_INVALID_HEADER_VALUE')
}

/** Whether a response has a body: HEAD, 204, 205 and 304 have none (RFC 9110 sections 9.3.2 and 15.3–15.4). */
export function bodyAllowed(method: string, status: number): boolean {
  return method !== 'HEAD' && status !== 204 && status !== 205 && status !== 304
}

// A loop, because for a few digits it costs less than a regular expression.
function isDecimal(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < DIGIT_0 || code > DIGIT_9) return false
  }
  return text !== ''
}

const DIGIT_0 = 0x30
const DIGIT_9 = 0x39

// Matches a character that a field value must not contain (RFC 9110 section 5.5), or that is not latin1 and cannot be written as one byte.
const INVALID_VALUE = /[^\t\x20-\x7e\x80-\xff]/

const ORDINARY = 1
const LENGTH = 2
const LOCATION = 3
const OMITTED = 4

const SPECIAL_NAMES: ReadonlyMap<string, number> = new Map([
  ['content-length', LENGTH],
  ['location', LOCATION],
])

const OMITTED_NAMES: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'status',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

interface FieldName {
  readonly kind: number
  /** What precedes the value: the end of the line before, and the name as the app writes it. */
  readonly prefix: string
}

// Caches the names. The size is limited, because an app can use any number of names.
const fieldNames = new Map<string, FieldName>()
const FIELD_NAMES_MAX = 500

function fieldName(name: string): FieldName {
  const known = fieldNames.get(name)
  if (known !== undefined) return known
  if (!isToken(name)) {
    throw coded(new TypeError(`Header name must be a valid HTTP token ["${name}"]`), 'ERR_INVALID_HTTP_TOKEN')
  }
  const lower = name.toLowerCase()
  const kind = OMITTED_NAMES.has(lower) ? OMITTED : (SPECIAL_NAMES.get(lower) ?? ORDINARY)
  const field = { kind, prefix: `\r\n${name}: ` }
  if (fieldNames.size < FIELD_NAMES_MAX) fieldNames.set(name, field)
  return field
}

function defaultStatusLine(status: number): string {
  const line = statusLine(status, reasonPhrase(status))
  statusLines[status] = line
  return line
}

function statusLine(status: number, reason: string): string {
  if (!Number.isInteger(status) || status < 200 || status > 999) {
    throw coded(new RangeError(`Invalid status code: ${status}`), 'ERR_HTTP_INVALID_STATUS_CODE')
  }
  return `Status: ${status} ${reason.replace(/[\r\n]+/g, '').replace(/[^\t\x20-\x7e\x80-\xff]/g, '?')}`
}

function coded<E extends Error>(error: E, code: string): E & CodedError {
  return Object.assign(error, { code })
}
