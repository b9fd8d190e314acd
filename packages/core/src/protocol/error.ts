/** The ways in which a peer can violate FastCGI 1.0; each {@link ProtocolError} has a message. */
export type ProtocolErrorCode =
  | 'FCGI_ERR_VERSION'
  | 'FCGI_ERR_NULL_REQUEST_ID'
  | 'FCGI_ERR_ACTIVE_REQUEST_ID'
  | 'FCGI_ERR_BODY_LENGTH'
  | 'FCGI_ERR_NAME_VALUE'

/** The peer violated FastCGI 1.0. `code` is stable, the message may change. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  readonly code: ProtocolErrorCode

  constructor(code: ProtocolErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
