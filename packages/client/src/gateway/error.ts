import { errors } from 'undici'

/** A response of the application that the gateway cannot process. The message is for the operator of the gateway. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  readonly status: number

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.status = status
  }
}

/** The response status for a request that failed between the gateway and the application. */
export function statusOf(error: Error & { code?: string }): number {
  if (error instanceof GatewayError) return error.status
  if (error instanceof errors.HeadersTimeoutError || error instanceof errors.ConnectTimeoutError) return 504
  if (error.code === 'FCGI_ERR_OVERLOADED') return 503
  if (error.code === 'FCGI_ERR_REQUEST' || error instanceof errors.InvalidArgumentError) return 400
  if (error.code === 'FCGI_ERR_LENGTH_REQUIRED') return 411
  return 502
}

/** Advice for the operator on how to fix the error. Empty if there is none. */
export function adviceFor(error: Error & { code?: string; syscall?: string; port?: number }): string {
  switch (error.code) {
    case 'ECONNREFUSED':
      return error.port === undefined
        ? 'The socket exists, but nothing listens on it. Start the application again.'
        : 'Nothing listens there. Start the application, or give the gateway the address that it listens on.'
    case 'ENOENT':
      return 'The socket does not exist. Start the application, or give the gateway the path that it listens on.'
    case 'EACCES':
      return 'This user may not connect to the socket. Give the socket to a group that both users are in, with serve(app, { path, mode: 0o660 }).'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'The host name cannot be resolved on this machine.'
    case 'UND_ERR_CONNECT_TIMEOUT':
      return 'Check the address, and whether the application still accepts connections.'
    case 'UND_ERR_HEADERS_TIMEOUT':
      return 'Find out what the application waits for. If it needs that long, raise headersTimeout.'
    case 'FCGI_ERR_CONNECTION_CLOSED':
    case 'ECONNRESET':
    case 'EPIPE':
      return 'The application crashed, or does not accept requests from this machine (allowedServers, FCGI_WEB_SERVER_ADDRS), or does not speak FastCGI.'
    case 'FCGI_ERR_RECORD':
    case 'FCGI_ERR_VERSION':
      return 'The program at this address does not speak FastCGI. Check whether it is an HTTP server.'
    case 'FCGI_ERR_RESPONSE_HEAD':
      return 'The response must begin with header lines (Status: 200 OK, Content-Type: text/plain) and a blank line.'
    case 'FCGI_ERR_LENGTH_REQUIRED':
      return 'Send a Content-Length, or raise maxBufferedBody.'
    case 'FCGI_ERR_OVERLOADED':
      return 'Send it fewer requests at once (maxConnections), or raise the limit of the application.'
    default:
      return ''
  }
}
