import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'

/**
 * Returns the request's body as a separate stream, or null if there is none. The application may stop reading it, which
 * destroys the stream. Destroying the request itself would close the client's connection, and lose the response.
 *
 * A client that waits for 100 Continue gets it when the body is first read, because then there is an application to
 * take the body.
 */
export function requestBody(request: IncomingMessage, response: ServerResponse): Readable | Buffer | null {
  const length = request.headers['content-length']
  if (request.headers['transfer-encoding'] === undefined) {
    if (length === undefined) return null
    if (Number(length) === 0) return Buffer.alloc(0)
  }
  // An HTTP/1.0 client would take the 100 for the response (RFC 9110 section 10.1.1).
  let expectsContinue = request.headers.expect !== undefined && request.httpVersion !== '1.0'
  // Without 100 Continue the client may never send its body, so the connection cannot be reused.
  const { shouldKeepAlive } = response
  if (expectsContinue) response.shouldKeepAlive = false
  const body = new Readable({
    read() {
      if (expectsContinue) {
        expectsContinue = false
        response.shouldKeepAlive = shouldKeepAlive
        response.writeContinue()
      }
      request.resume()
    },
    destroy(error, callback) {
      request.off('data', onData).off('end', onEnd)
      request.resume()
      callback(error)
    },
  })
  const onData = (chunk: Buffer): void => {
    if (!body.push(chunk)) request.pause()
  }
  const onEnd = (): void => {
    body.push(null)
  }
  // If the client disconnects meanwhile, the response emits 'close'.
  request.on('data', onData).on('end', onEnd)
  request.pause()
  return body
}
