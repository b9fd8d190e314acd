/** What the client, or the front server on its behalf, did wrong: one stable name a reason. */
export type RequestErrorCode =
  | 'FCGI_ERR_PARAMS'
  | 'FCGI_ERR_PARAMS_COUNT'
  | 'FCGI_ERR_HEADER_LENGTH'
  | 'FCGI_ERR_METHOD'
  | 'FCGI_ERR_TARGET'
  | 'FCGI_ERR_HEADER'
  | 'FCGI_ERR_AUTHORITY'
  | 'FCGI_ERR_CONTENT_LENGTH'
  | 'FCGI_ERR_BODY_LENGTH'

/**
 * A request that no app should see: it is answered with `status` (400, 413, 431) before any app code runs.
 * `code` is stable, the message is for the error log and never for the client.
 */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  readonly status: number
  readonly code: RequestErrorCode

  constructor(status: number, code: RequestErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.status = status
    this.code = code
  }
}
