/** Why a request was refused; see {@link RequestError}. */
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
 * The request is invalid or too large. The server responds with `status` (400, 413 or 431) without calling the app. `code` is stable.
 * The message is one line for error logs (the server's `onError`, FCGI_STDERR). It is never sent to clients.
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

/**
 * Quotes `text` for an error message. The result has about 100 characters at most, and no character that could break a line or control
 * a terminal.
 */
export function quote(text: string): string {
  const shown = JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
  return shown.replace(/[\x7f-\xff]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`)
}
