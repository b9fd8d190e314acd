import { inspect } from 'node:util'

/** Why an exchange or its request body ended early; see {@link ExchangeError}. */
export type ExchangeErrorCode =
  /** The front server sent FCGI_ABORT_REQUEST. */
  | 'FCGI_ERR_ABORTED'
  /** The connection closed, or broke, before the response ended. */
  | 'FCGI_ERR_CONNECTION_CLOSED'
  /** One of the server's time-outs expired. */
  | 'FCGI_ERR_TIMEOUT'
  /** The server closed, and the request did not end within `drainTimeout`. */
  | 'FCGI_ERR_SHUTDOWN'
  /** The peer violated the protocol, and the rest of the request cannot be read. */
  | 'FCGI_ERR_PROTOCOL'
  /** STDIN or DATA ended before its announced length, or exceeded it. */
  | 'FCGI_ERR_BODY_LENGTH'
  /** A body without an announced length grew past `maxBodyBytes`. */
  | 'FCGI_ERR_BODY_TOO_LARGE'
  /** The rest of the request body was dropped: nobody had asked for it when the response had begun, or the response ended. */
  | 'FCGI_ERR_BODY_DISCARDED'
  /** Something was written after the exchange had ended. */
  | 'FCGI_ERR_ENDED'

/**
 * Why an exchange was aborted, or its request body is incomplete. `code` is stable. The `name` of an abort is `AbortError`, like that
 * of an AbortSignal's usual reason.
 */
export class ExchangeError extends Error {
  readonly code: ExchangeErrorCode
  /** The HTTP status for middleware that responds with an error's status: 413 for a body that is too large, else 400. */
  readonly status: number

  constructor(code: ExchangeErrorCode, message: string) {
    super(message)
    this.name = ABORTS.has(code) ? 'AbortError' : 'ExchangeError'
    this.code = code
    this.status = code === 'FCGI_ERR_BODY_TOO_LARGE' ? 413 : 400
  }
}

const ABORTS: ReadonlySet<ExchangeErrorCode> = new Set<ExchangeErrorCode>([
  'FCGI_ERR_ABORTED',
  'FCGI_ERR_CONNECTION_CLOSED',
  'FCGI_ERR_TIMEOUT',
  'FCGI_ERR_SHUTDOWN',
  'FCGI_ERR_PROTOCOL',
])

/** The error as text for a log. Never throws, whatever value an app threw. */
export function describeError(error: unknown): string {
  try {
    return typeof error === 'string' ? error : inspect(error)
  } catch {
    return 'An error that cannot be shown.'
  }
}
