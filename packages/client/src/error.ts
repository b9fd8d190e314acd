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
 *   application ended the request without an answer and with this protocolStatus (section 5.5)
 * - `FCGI_ERR_CONNECTION_CLOSED`: the connection ended before the answer was complete
 * - `FCGI_ERR_NO_RESPONSE`: the application ended the request without an answer, and said that all was well
 * - `FCGI_ERR_RESPONSE_HEAD`, `FCGI_ERR_RESPONSE_HEAD_SIZE`: the head of the answer is no CGI response head, or
 *   is longer than `maxHeaderSize`
 * - `FCGI_ERR_RECORD`: a record that can not come here: the stream is out of step
 * - `FCGI_ERR_REQUEST`: the request has no form in CGI, such as a path that holds a NUL byte
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
export interface EndStatus {
  readonly appStatus: number
  readonly protocolStatus: number
}

/** A request to a FastCGI application failed. `code` is stable, the message is for people. */
export class FastCgiError extends Error {
  override readonly name = 'FastCgiError'
  readonly code: FastCgiErrorCode
  /**
   * The application said that it has not begun the request (FCGI_OVERLOADED, FCGI_CANT_MPX_CONN): it can be sent again,
   * after a while, whatever its method.
   */
  readonly retryable: boolean
  /** Of FCGI_END_REQUEST, where that is what the error is about. */
  readonly appStatus: number | undefined
  /** Of FCGI_END_REQUEST, where that is what the error is about. */
  readonly protocolStatus: number | undefined

  constructor(code: FastCgiErrorCode, message: string, options: ErrorOptions & Partial<EndStatus> = {}) {
    super(message, options)
    this.code = code
    this.retryable = code === 'FCGI_ERR_OVERLOADED' || code === 'FCGI_ERR_CANT_MPX_CONN'
    this.appStatus = options.appStatus
    this.protocolStatus = options.protocolStatus
  }
}

/** The error of a request that the application has ended without an answer. */
export function noAnswer(appStatus: number, protocolStatus: number): FastCgiError {
  const [code, why] = reasonOf(appStatus, protocolStatus)
  return new FastCgiError(code, `The FastCGI application ended the request ${why}.`, {
    appStatus,
    protocolStatus,
  })
}

function reasonOf(appStatus: number, protocolStatus: number): [code: FastCgiErrorCode, why: string] {
  switch (protocolStatus) {
    case FCGI_REQUEST_COMPLETE:
      return ['FCGI_ERR_NO_RESPONSE', `without an answer (appStatus ${appStatus})`]
    case FCGI_OVERLOADED:
      return ['FCGI_ERR_OVERLOADED', 'with FCGI_OVERLOADED: it has no room for another one now']
    case FCGI_CANT_MPX_CONN:
      return ['FCGI_ERR_CANT_MPX_CONN', 'with FCGI_CANT_MPX_CONN: it takes one at a time on a connection']
    case FCGI_UNKNOWN_ROLE:
      return ['FCGI_ERR_UNKNOWN_ROLE', 'with FCGI_UNKNOWN_ROLE: it is no responder']
    default:
      return [
        'FCGI_ERR_PROTOCOL_STATUS',
        `with protocolStatus ${protocolStatus}, which FastCGI 1.0 does not know`,
      ]
  }
}
