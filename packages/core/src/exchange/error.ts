import { inspect } from 'node:util'

/** Why an exchange or its request body ended early; see {@link ExchangeError}. */
export type ExchangeErrorCode =
  /** The front server sent FCGI_ABORT_REQUEST. */
  | 'FCGI_ERR_ABORTED'
  /** The connection closed or failed before the response ended. */
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
  /** The rest of the request body was dropped, because the response ended, or because it began before the app read the body. */
  | 'FCGI_ERR_BODY_DISCARDED'
  /** The app wrote after the exchange had ended. */
  | 'FCGI_ERR_ENDED'

/**
 * Why an exchange was aborted, or its request body is incomplete. `code` is stable. `name` is `AbortError` for an abort, as for the
 * default reason of an AbortSignal. Otherwise it is `ExchangeError`.
 */
export class ExchangeError extends Error {
  readonly code: ExchangeErrorCode
  /** The HTTP status, for middleware that responds with an error's status: 413 if the body is too large, otherwise 400. */
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

/** Returns `error` as text for a log. It accepts any value and never throws. */
export function describeError(error: unknown): string {
  try {
    return typeof error === 'string' ? error : inspect(error)
  } catch {
    return 'The app threw a value that cannot be inspected.'
  }
}
