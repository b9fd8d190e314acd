import type { IncomingMessage } from 'node:http'
import { decodePath, type FastCgiParams } from '../request/params.ts'

/** A request as it goes to the application. */
export interface ForwardedRequest {
  readonly method: string
  /** Path and query, or `*`. */
  readonly target: string
  /** [name, value, name, value…] */
  readonly headers: readonly string[]
  /** What is known of the connection. */
  readonly params: FastCgiParams
}

/** A request that no application is asked about. The message is for the one who sent it. */
export class RequestRefusal extends Error {
  override readonly name = 'RequestRefusal'
  readonly status: 400 | 501

  constructor(status: 400 | 501, message: string) {
    super(message)
    this.status = status
  }
}

// The characters of a host (RFC 3986 section 3.2.2, without percent-encoding), and a port.
const HOST = /^(\[[\da-f:.]+\]|[\w.~!$&'()*+,;=-]+)(?::\d*)?$/i

/**
 * What the application is told of a request. Throws {@link RequestRefusal} for what nginx and Apache refuse too: a target
 * or a Host that is none, a path that climbs above the root.
 */
export function readRequest(request: IncomingMessage): ForwardedRequest {
  const { method = 'GET', rawHeaders } = request
  const { target, authority } = readTarget(method, request.url!)
  const host = authority ?? readHost(rawHeaders)
  checkTransferEncoding(request.headers['transfer-encoding'])
  return {
    method,
    target,
    headers: forwardedHeaders(rawHeaders, authority),
    params: connectionParams(request, host),
  }
}

/**
 * The request that stands in for one that was answered with a local redirect. It has the variables that Apache gives it:
 * REQUEST_URI stays what the client asked for. Throws {@link RequestRefusal} where `location` is no path to ask for.
 */
export function redirectedRequest(
  { method, target, headers, params }: ForwardedRequest,
  location: string,
): ForwardedRequest {
  const [path, query] = splitTarget(target)
  return {
    method: method === 'HEAD' ? 'HEAD' : 'GET',
    target: checkedTarget(location),
    headers: headers.filter((_, i) => !/^content-(?:length|type)$/i.test(headers[i - (i % 2)]!)),
    params: {
      ...params,
      REQUEST_URI: params.REQUEST_URI ?? target,
      REDIRECT_URL: Buffer.from(decodePath(path), 'latin1'),
      REDIRECT_QUERY_STRING: query,
    },
  }
}

// The absolute form of a target brings its own authority, which wins over Host (RFC 9112 section 3.2.2).
function readTarget(method: string, url: string): { target: string; authority: string | undefined } {
  if (url.startsWith('/')) return { target: checkedTarget(url), authority: undefined }
  if (url === '*' && method === 'OPTIONS') return { target: url, authority: undefined }
  const [, authority, target = ''] = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url) ?? []
  if (authority === undefined) {
    throw new RequestRefusal(400, 'The request target is neither a path nor an http URL.')
  }
  checkHost(authority)
  return {
    target: checkedTarget(target.startsWith('/') ? target : `/${target}`),
    authority: authority.toLowerCase(),
  }
}

function checkedTarget(target: string): string {
  if (!/[%#]|\/\./.test(target)) return target
  if (target.includes('#')) throw new RequestRefusal(400, 'The request target holds a "#".')
  const [path] = splitTarget(target)
  if (/%(?![\da-f]{2})/i.test(path)) {
    throw new RequestRefusal(400, 'The path holds a "%" that does not begin a percent-encoding.')
  }
  if (path.includes('%00')) throw new RequestRefusal(400, 'The path holds a NUL byte.')
  if (climbsAboveRoot(path)) throw new RequestRefusal(400, 'The path leads above the root.')
  return target
}

function splitTarget(target: string): [path: string, query: string] {
  const question = target.indexOf('?')
  return question === -1 ? [target, ''] : [target.slice(0, question), target.slice(question + 1)]
}

// As the path is when it is decoded: %2e%2e and %2f count.
function climbsAboveRoot(path: string): boolean {
  let depth = 0
  for (const segment of path.replace(/%2e/gi, '.').split(/\/|%2f/i)) {
    if (segment === '..') depth--
    else if (segment !== '' && segment !== '.') depth++
    if (depth < 0) return true
  }
  return false
}

// Two would be read as one by some, and as the other by others (RFC 9112 section 3.2).
function readHost(rawHeaders: readonly string[]): string | undefined {
  let host: string | undefined
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (name.length !== 4 || name.toLowerCase() !== 'host') continue
    if (host !== undefined) throw new RequestRefusal(400, 'The request has more than one Host.')
    host = rawHeaders[i + 1]!
    checkHost(host)
  }
  return host
}

function checkHost(host: string): void {
  if (!HOST.test(host)) throw new RequestRefusal(400, 'The Host is none.')
}

// RFC 9112 section 6.1: what is not understood. Node undoes 'chunked', and hands on what is below it.
function checkTransferEncoding(value: string | undefined): void {
  if (value !== undefined && value.toLowerCase() !== 'chunked') {
    throw new RequestRefusal(501, 'The only Transfer-Encoding that is understood here is chunked.')
  }
}

// A name with an underscore would come out as the same variable as one with a dash, which is how a client slips past
// whoever sets or strips the latter (nginx and Apache drop such names as well).
function forwardedHeaders(rawHeaders: readonly string[], authority: string | undefined): string[] {
  const headers: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (authority !== undefined && name.toLowerCase() === 'host') continue
    if (/^[A-Za-z\d-]+$/.test(name)) headers.push(name, rawHeaders[i + 1]!)
  }
  if (authority !== undefined) headers.push('Host', authority)
  return headers
}

function connectionParams({ httpVersion, socket }: IncomingMessage, host: string | undefined): FastCgiParams {
  return {
    SERVER_PROTOCOL: `HTTP/${httpVersion}`,
    // nginx says "unix:" for a client on a Unix socket.
    REMOTE_ADDR: plainAddress(socket.remoteAddress) ?? 'unix:',
    REMOTE_PORT: socket.remotePort === undefined ? '' : String(socket.remotePort),
    SERVER_ADDR: plainAddress(socket.localAddress) ?? 'unix:',
    SERVER_PORT: socket.localPort === undefined ? '' : String(socket.localPort),
    SERVER_NAME: serverName(host) ?? plainAddress(socket.localAddress) ?? 'localhost',
    // Without a Host there is none, rather than a made-up one.
    ...(host === undefined && { HTTP_HOST: undefined }),
  }
}

// The host alone, as Apache has it: lower case, no dot at its end.
function serverName(host: string | undefined): string | undefined {
  const name = HOST.exec(host ?? '')?.[1]
  return name?.toLowerCase().replace(/\.$/, '')
}

// An IPv4 client on a socket that listens on IPv6 as well is an IPv4 client to applications.
function plainAddress(address: string | undefined): string | undefined {
  return address?.replace(/^::ffff:(?=\d+\.)/i, '')
}
