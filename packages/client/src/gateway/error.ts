import { errors } from 'undici'

/** An answer of the application's that the gateway can not carry out. The message is for whoever runs it. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  readonly status: number

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.status = status
  }
}

/** The status of the answer to a request that failed between here and the application. */
export function statusOf(error: Error & { code?: string }): number {
  if (error instanceof GatewayError) return error.status
  if (error instanceof errors.HeadersTimeoutError || error instanceof errors.ConnectTimeoutError) return 504
  if (error.code === 'FCGI_ERR_OVERLOADED') return 503
  if (error.code === 'FCGI_ERR_REQUEST' || error instanceof errors.InvalidArgumentError) return 400
  if (error.code === 'FCGI_ERR_LENGTH_REQUIRED') return 411
  return 502
}

/** What to do about it, as far as that can be told from here. */
export function adviceFor(error: Error & { code?: string; syscall?: string; port?: number }): string {
  switch (error.code) {
    case 'ECONNREFUSED':
      return error.port === undefined
        ? 'The socket is there and nobody listens on it: start the application again.'
        : 'Nobody listens there: start the application, or give the gateway the address that it listens on.'
    case 'ENOENT':
      return 'There is no such socket: start the application, or give the gateway the path that it listens on.'
    case 'EACCES':
      return 'This user may not connect to the socket: let the application give it to a group of both (serve(app, { path, mode: 0o660 })).'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'The name of the host is not known here.'
    case 'UND_ERR_CONNECT_TIMEOUT':
      return 'Is it the right address, and does the application still accept connections?'
    case 'UND_ERR_HEADERS_TIMEOUT':
      return 'What does the application wait for? Where it needs that long, raise headersTimeout.'
    case 'FCGI_ERR_CONNECTION_CLOSED':
    case 'ECONNRESET':
    case 'EPIPE':
      return 'The application has crashed, or does not take requests from here (allowedServers, FCGI_WEB_SERVER_ADDRS), or does not speak FastCGI.'
    case 'FCGI_ERR_RECORD':
    case 'FCGI_ERR_VERSION':
      return 'What listens there does not speak FastCGI. Is it an HTTP server?'
    case 'FCGI_ERR_RESPONSE_HEAD':
      return 'It has to begin with header lines (Status: 200 OK, Content-Type: text/plain) and a blank one.'
    case 'FCGI_ERR_RESPONSE_HEAD_SIZE':
      return 'Where the application needs that much, raise maxHeaderSize.'
    case 'FCGI_ERR_LENGTH_REQUIRED':
      return 'Send a Content-Length, or raise maxBufferedBody.'
    case 'FCGI_ERR_OVERLOADED':
      return 'It may be given fewer at once (maxConnections), or take more.'
    default:
      return ''
  }
}
