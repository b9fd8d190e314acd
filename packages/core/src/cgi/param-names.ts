// What the name of a param says, found out once a name: front servers send the same few dozen with every request.

/** A param's name, and what is known of it. */
export interface ParamName {
  readonly text: string
  /** Which of the {@link KNOWN_NAMES} it is; 0 for all others. */
  readonly known: number
  /** An `HTTP_*` that is no header name: not a token (RFC 9110 section 5.6.2). */
  readonly isBadHeader: boolean
  /** Its value becomes a part of one line: CR and LF have no place there. */
  readonly isSingleLine: boolean
  /** Of the `HTTP_*`, which carry request headers (RFC 3875 section 4.1.18): the header's name in lower case with `-` for `_`; '' for what no app sees, and for other params. */
  readonly header: string
  /** What joins the values of a repeated header (as Node joins them); undefined where the last, or of a few headers the first, counts. */
  readonly separator: string | undefined
  /** Of a repeated header the first counts. */
  readonly firstOnly: boolean
}

// Names that every request is asked for.
export const REQUEST_METHOD = 1
export const REQUEST_URI = 2
export const HTTP_HOST = 3
export const CONTENT_LENGTH = 4

const KNOWN_NAMES: readonly string[] = ['', 'REQUEST_METHOD', 'REQUEST_URI', 'HTTP_HOST', 'CONTENT_LENGTH']

const SINGLE_LINE: ReadonlySet<string> = new Set(['CONTENT_TYPE', 'REQUEST_URI', 'QUERY_STRING'])

// Where Node's IncomingMessage keeps the first of repeated headers (lib/_http_incoming.js, matchKnownFields).
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

// See RequestHead's `headers` for the reasons.
const LEFT_OUT: ReadonlySet<string> = new Set([
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

const TOKEN = /^HTTP_[\w!#$%&'*+.^`|~-]+$/

// A client may invent names, so a new one takes the place of another, and a long one is not kept.
const SEEN_SIZE = 2048
const KEPT_LENGTH_MAX = 100
const seen: (SeenName | undefined)[] = new Array(SEEN_SIZE).fill(undefined)

interface SeenName extends ParamName {
  readonly bytes: Uint8Array
}

/** What is known of the name `block[at, end)`. */
export function paramName(block: Uint8Array, at: number, end: number): ParamName {
  const length = end - at
  if (length < 3) return describeName(block, at, end)
  // Names differ at their ends, in length, and in the middle.
  const hash =
    (length * 5 +
      block[end - 1]! * 7 +
      block[end - 2]! * 53 +
      block[end - 3]! * 211 +
      block[at + (length >> 1)]! * 401 +
      block[at]! * 797) &
    (SEEN_SIZE - 1)
  const name = seen[hash]
  if (name !== undefined && isSame(name.bytes, block, at, length)) return name
  const described = describeName(block, at, end)
  if (length <= KEPT_LENGTH_MAX) seen[hash] = described
  return described
}

function isSame(bytes: Uint8Array, block: Uint8Array, at: number, length: number): boolean {
  if (bytes.length !== length) return false
  for (let i = 0; i < length; i++) {
    if (bytes[i] !== block[at + i]) return false
  }
  return true
}

function describeName(block: Uint8Array, at: number, end: number): SeenName {
  const bytes = Uint8Array.prototype.slice.call(block, at, end)
  // As the name of a property a string is there once, and is compared at a glance.
  const [text] = Object.keys({ [Buffer.from(bytes).toString('latin1')]: 0 }) as [string]
  const isHeader = text.startsWith('HTTP_')
  const header = isHeader ? text.slice(5).toLowerCase().replaceAll('_', '-') : ''
  const firstOnly = FIRST_ONLY.has(header)
  return {
    bytes,
    text,
    known: Math.max(0, KNOWN_NAMES.indexOf(text)),
    isBadHeader: isHeader && !TOKEN.test(text),
    isSingleLine: isHeader || SINGLE_LINE.has(text),
    header: LEFT_OUT.has(header) ? '' : header,
    separator: !isHeader || firstOnly ? undefined : header === 'cookie' ? '; ' : ', ',
    firstOnly,
  }
}
