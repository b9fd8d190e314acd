import { ParamName } from './params-writer.ts'

/** The parsed name of a request header. */
interface HeaderName {
  readonly lowerCase: string
  /** The `HTTP_*` param to which the header is copied (RFC 3875 section 4.1.18). Undefined if it is in {@link NOT_COPIED}. */
  readonly param: ParamName | undefined
}

// A field name is a token (RFC 9110 section 5.6.2).
const TOKEN = /^[!#$%&'*+\-.^_`|~\w]+$/

// Hop-by-hop headers (RFC 9110 section 7.6.1), Expect, which the gateway handles itself, and headers that have a
// variable of their own. Proxy is not sent because it would become HTTP_PROXY, which many HTTP clients use as their
// proxy (httpoxy.org).
const NOT_COPIED = new Set([
  'connection',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'proxy',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

// Parsed names, by the name as given. Limited, because clients can invent names.
const KNOWN_MAX = 1000
const known = new Map<string, HeaderName>()

/** Parses a header name. Undefined if it is not a valid name. */
export function headerName(name: string): HeaderName | undefined {
  return known.get(name) ?? readHeaderName(name)
}

function readHeaderName(name: string): HeaderName | undefined {
  if (!TOKEN.test(name)) return undefined
  const lowerCase = name.toLowerCase()
  const param = NOT_COPIED.has(lowerCase)
    ? undefined
    : new ParamName(`HTTP_${name.toUpperCase().replaceAll('-', '_')}`)
  const read = { lowerCase, param }
  if (known.size < KNOWN_MAX && name.length < 64) known.set(name, read)
  return read
}
