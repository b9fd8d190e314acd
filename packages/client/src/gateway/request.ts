import type { IncomingMessage } from 'node:http'
import { decodePath, type FastCgiParams } from '../request/params.ts'

/** A request as it is forwarded to the application. */
export interface ForwardedRequest {
  readonly method: string
  /** Path and query, or `*`. */
  readonly target: string
  /** [name, value, name, value…] */
  readonly headers: readonly string[]
  /** The params that describe the connection. */
  readonly params: FastCgiParams
}

/** A request that the gateway refuses and does not forward. The message is for the client. */
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
 * Returns the parts of a request that are forwarded. Throws {@link RequestRefusal} for what nginx and Apache refuse as well: an
 * invalid target or Host, and a path that climbs above the root.
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
 * Returns the request that follows a local redirect. It has the variables that Apache sets: REQUEST_URI is still what
 * the client requested. Throws {@link RequestRefusal} if `location` is not a valid target.
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

// A target in absolute form contains an authority, which overrides Host (RFC 9112 section 3.2.2).
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
  if (target.includes('#')) throw new RequestRefusal(400, 'The request target contains a "#".')
  const [path] = splitTarget(target)
  if (/%(?![\da-f]{2})/i.test(path)) {
    throw new RequestRefusal(400, 'The path contains a "%" that does not begin a percent-encoding.')
  }
  if (path.includes('%00')) throw new RequestRefusal(400, 'The path contains a NUL byte.')
  if (climbsAboveRoot(path)) throw new RequestRefusal(400, 'The path leads above the root.')
  return target
}

function splitTarget(target: string): [path: string, query: string] {
  const question = target.indexOf('?')
  return question === -1 ? [target, ''] : [target.slice(0, question), target.slice(question + 1)]
}

// Checks the decoded path: %2e%2e and %2f count.
function climbsAboveRoot(path: string): boolean {
  let depth = 0
  for (const segment of path.replace(/%2e/gi, '.').split(/\/|%2f/i)) {
    if (segment === '..') depth--
    else if (segment !== '' && segment !== '.') depth++
    if (depth < 0) return true
  }
  return false
}

// Refuse a second Host: some programs would use the first, and others the second (RFC 9112 section 3.2).
function readHost(rawHeaders: readonly string[]): string | undefined {
  let host: string | undefined
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (name.length !== 4 || name.toLowerCase() !== 'host') continue
    if (host !== undefined) throw new RequestRefusal(400, 'The request has more than one Host header.')
    host = rawHeaders[i + 1]!
    checkHost(host)
  }
  return host
}

function checkHost(host: string): void {
  if (!HOST.test(host)) throw new RequestRefusal(400, 'The Host header is not a valid host.')
}

// RFC 9112 section 6.1 requires 501 for an unknown coding. Node decodes 'chunked'.
function checkTransferEncoding(value: string | undefined): void {
  if (value !== undefined && value.toLowerCase() !== 'chunked') {
    throw new RequestRefusal(501, 'The gateway supports no Transfer-Encoding but chunked.')
  }
}

// A name with an underscore would become the same variable as one with a dash. A client could use that to bypass a
// proxy that sets or removes the header with the dash. nginx and Apache drop such names as well.
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
    // nginx sends "unix:" for a client on a Unix socket.
    REMOTE_ADDR: plainAddress(socket.remoteAddress) ?? 'unix:',
    REMOTE_PORT: socket.remotePort === undefined ? '' : String(socket.remotePort),
    SERVER_ADDR: plainAddress(socket.localAddress) ?? 'unix:',
    SERVER_PORT: socket.localPort === undefined ? '' : String(socket.localPort),
    SERVER_NAME: serverName(host) ?? plainAddress(socket.localAddress) ?? 'localhost',
    // If the client sent no Host, do not send a made-up HTTP_HOST.
    ...(host === undefined && { HTTP_HOST: undefined }),
  }
}

// Only the host, as in Apache: lower case, without a dot at its end.
function serverName(host: string | undefined): string | undefined {
  const name = HOST.exec(host ?? '')?.[1]
  return name?.toLowerCase().replace(/\.$/, '')
}

// For a socket that listens on IPv6 and IPv4, report an IPv4 client with its IPv4 address.
function plainAddress(address: string | undefined): string | undefined {
  return address?.replace(/^::ffff:(?=\d+\.)/i, '')
}
