import { inspect } from 'node:util'

/** What can end an exchange or its body before its time; see {@link ExchangeError}. */
export type ExchangeErrorCode =
  /** The front server sent FCGI_ABORT_REQUEST. */
  | 'FCGI_ERR_ABORTED'
  /** The connection closed, or broke, before the request was answered. */
  | 'FCGI_ERR_CONNECTION_CLOSED'
  /** One of the server's time-outs ran out. */
  | 'FCGI_ERR_TIMEOUT'
  /** The server closed and its drain deadline passed. */
  | 'FCGI_ERR_SHUTDOWN'
  /** The peer broke the protocol in a way that makes the rest of the request unreadable. */
  | 'FCGI_ERR_PROTOCOL'
  /** STDIN or DATA ended before the announced length, or went on behind it. */
  | 'FCGI_ERR_BODY_LENGTH'
  /** A body without an announced length grew past `maxBodyBytes`. */
  | 'FCGI_ERR_BODY_TOO_LARGE'
  /** What was left of the body was dropped: nobody had asked for it while the answer was under way, or the answer ended. */
  | 'FCGI_ERR_BODY_DISCARDED'
  /** Something was written after the exchange had ended. */
  | 'FCGI_ERR_ENDED'

/**
 * Why an exchange was aborted, or its body can not be had whole. `code` is stable. An abort has the name
 * `AbortError`, as the reason of an AbortSignal usually has.
 */
export class ExchangeError extends Error {
  readonly code: ExchangeErrorCode
  /** The HTTP status that fits, for middleware that answers errors by it (413 for a body too large, else 400). */
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

/** The error as a log shows it. Never throws, whatever an app throws. */
export function describeError(error: unknown): string {
  try {
    return typeof error === 'string' ? error : inspect(error)
  } catch {
    return 'An error that can not be shown.'
  }
}
