import {
  FCGI_CANT_MPX_CONN,
  FCGI_OVERLOADED,
  FCGI_REQUEST_COMPLETE,
  FCGI_UNKNOWN_ROLE,
} from '@fcgi-bridge/core'

/**
 * What went wrong between this client and the FastCGI application:
 *
 * - `FCGI_ERR_OVERLOADED`, `FCGI_ERR_CANT_MPX_CONN`, `FCGI_ERR_UNKNOWN_ROLE`, `FCGI_ERR_PROTOCOL_STATUS`: the
 *   application ended the request without a response and with this protocolStatus (section 5.5)
 * - `FCGI_ERR_CONNECTION_CLOSED`: the connection was closed before the response was complete
 * - `FCGI_ERR_NO_RESPONSE`: the application ended the request with FCGI_REQUEST_COMPLETE, but without a response
 * - `FCGI_ERR_RESPONSE_HEAD`, `FCGI_ERR_RESPONSE_HEAD_SIZE`: the response does not begin with a CGI response head, or the
 *   head is longer than `maxHeaderSize`
 * - `FCGI_ERR_RECORD`: the application sent a record that is malformed or belongs to no running request
 * - `FCGI_ERR_REQUEST`: CGI cannot express the request, for example a path that contains a NUL byte
 * - `FCGI_ERR_LENGTH_REQUIRED`: the request body has no length and is longer than `maxBufferedBody`
 */
export type FastCgiErrorCode =
  | 'FCGI_ERR_OVERLOADED'
  | 'FCGI_ERR_CANT_MPX_CONN'
  | 'FCGI_ERR_UNKNOWN_ROLE'
  | 'FCGI_ERR_PROTOCOL_STATUS'
  | 'FCGI_ERR_CONNECTION_CLOSED'
  | 'FCGI_ERR_NO_RESPONSE'
  | 'FCGI_ERR_RESPONSE_HEAD'
  | 'FCGI_ERR_RESPONSE_HEAD_SIZE'
  | 'FCGI_ERR_RECORD'
  | 'FCGI_ERR_REQUEST'
  | 'FCGI_ERR_LENGTH_REQUIRED'

/** How the application ended a request (FCGI_END_REQUEST, section 5.5). */
interface EndStatus {
  readonly appStatus: number
  readonly protocolStatus: number
}

/** A request to a FastCGI application failed. `code` is stable, the message is for people. */
export class FastCgiError extends Error {
  override readonly name = 'FastCgiError'
  readonly code: FastCgiErrorCode
  /**
   * The application reported that it has not begun the request (FCGI_OVERLOADED, FCGI_CANT_MPX_CONN). A request of any method
   * can be sent again later.
   */
  readonly retryable: boolean
  /** From FCGI_END_REQUEST, if that caused the error. */
  readonly appStatus: number | undefined
  /** From FCGI_END_REQUEST, if that caused the error. */
  readonly protocolStatus: number | undefined

  constructor(code: FastCgiErrorCode, message: string, options: ErrorOptions & Partial<EndStatus> = {}) {
    super(message, options)
    this.code = code
    this.retryable = code === 'FCGI_ERR_OVERLOADED' || code === 'FCGI_ERR_CANT_MPX_CONN'
    this.appStatus = options.appStatus
    this.protocolStatus = options.protocolStatus
  }
}

/** The error of a request that the application has ended without a response. */
export function noResponse(appStatus: number, protocolStatus: number): FastCgiError {
  const [code, why] = reasonOf(appStatus, protocolStatus)
  return new FastCgiError(code, `The FastCGI application ended the request ${why}.`, {
    appStatus,
    protocolStatus,
  })
}

function reasonOf(appStatus: number, protocolStatus: number): [code: FastCgiErrorCode, why: string] {
  switch (protocolStatus) {
    case FCGI_REQUEST_COMPLETE:
      return ['FCGI_ERR_NO_RESPONSE', `without a response (appStatus ${appStatus})`]
    case FCGI_OVERLOADED:
      return ['FCGI_ERR_OVERLOADED', 'with FCGI_OVERLOADED: it has no room for another request now']
    case FCGI_CANT_MPX_CONN:
      return [
        'FCGI_ERR_CANT_MPX_CONN',
        'with FCGI_CANT_MPX_CONN: it takes one request at a time on a connection',
      ]
    case FCGI_UNKNOWN_ROLE:
      return ['FCGI_ERR_UNKNOWN_ROLE', 'with FCGI_UNKNOWN_ROLE: it is not a responder']
    default:
      return [
        'FCGI_ERR_PROTOCOL_STATUS',
        `with protocolStatus ${protocolStatus}, which FastCGI 1.0 does not define`,
      ]
  }
}
