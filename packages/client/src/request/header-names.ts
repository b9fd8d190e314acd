import { ParamName } from './params-writer.ts'

/** What is known of a request header's name. */
export interface HeaderName {
  readonly lowerCase: string
  /** The variable that it becomes (RFC 3875 section 4.1.18). Undefined: it is not sent as one. */
  readonly param: ParamName | undefined
}

// A field name is a token (RFC 9110 section 5.6.2).
const TOKEN = /^[!#$%&'*+\-.^_`|~\w]+$/

// Headers that are about one hop (RFC 9110 section 7.6.1), answered here (Expect), or have a variable of their own;
// and Proxy, which would come out as HTTP_PROXY, and many HTTP clients take that for their proxy (httpoxy.org).
const NOT_SENT = new Set([
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

// By the name as it was given. What a client made up once is not kept for ever.
const KNOWN_MAX = 1000
const known = new Map<string, HeaderName>()

/** Undefined where it is no name of a header. */
export function headerName(name: string): HeaderName | undefined {
  return known.get(name) ?? readHeaderName(name)
}

function readHeaderName(name: string): HeaderName | undefined {
  if (!TOKEN.test(name)) return undefined
  const lowerCase = name.toLowerCase()
  const param = NOT_SENT.has(lowerCase)
    ? undefined
    : new ParamName(`HTTP_${name.toUpperCase().replaceAll('-', '_')}`)
  const read = { lowerCase, param }
  if (known.size < KNOWN_MAX && name.length < 64) known.set(name, read)
  return read
}
