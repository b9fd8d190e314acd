/** Why a request was refused: one stable name for each reason. */
export type RequestErrorCode =
  | 'FCGI_ERR_PARAMS'
  | 'FCGI_ERR_PARAMS_COUNT'
  | 'FCGI_ERR_PARAMS_LENGTH'
  | 'FCGI_ERR_HEADER_LENGTH'
  | 'FCGI_ERR_METHOD'
  | 'FCGI_ERR_TARGET'
  | 'FCGI_ERR_HEADER'
  | 'FCGI_ERR_AUTHORITY'
  | 'FCGI_ERR_CONTENT_LENGTH'
  | 'FCGI_ERR_BODY_LENGTH'
  | 'FCGI_ERR_BODY_TOO_LARGE'

/**
 * A request that no app should see: it gets a response with `status` (400, 413, 431) before any app code runs. `code` is
 * stable. The message is one line for error logs (the server's `onError`, FCGI_STDERR); clients never see it.
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

/** `text` for an error message: in quotes, at most 100 characters, and nothing that could break a line or control a terminal. */
export function quote(text: string): string {
  const shown = JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
  return shown.replace(/[\x7f-\xff]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`)
}
