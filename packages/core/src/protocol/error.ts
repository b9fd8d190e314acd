/** How a peer violated FastCGI 1.0; see {@link ProtocolError}. */
export type ProtocolErrorCode =
  | 'FCGI_ERR_VERSION'
  | 'FCGI_ERR_NULL_REQUEST_ID'
  | 'FCGI_ERR_ACTIVE_REQUEST_ID'
  | 'FCGI_ERR_BODY_LENGTH'
  | 'FCGI_ERR_NAME_VALUE'

/** The peer violated FastCGI 1.0. `code` is stable. The message may change. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  readonly code: ProtocolErrorCode

  constructor(code: ProtocolErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
