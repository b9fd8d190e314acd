import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'

/**
 * The request's body as a stream of its own, or null where there is none. The one of the request must not be destroyed when the
 * application wants no more of it: that would take the client's connection along, and the answer with it.
 *
 * A client that waits for it is told to go on (100 Continue) when the body is first read: there is an application then to take
 * it.
 */
export function requestBody(request: IncomingMessage, response: ServerResponse): Readable | Buffer | null {
  const length = request.headers['content-length']
  if (request.headers['transfer-encoding'] === undefined) {
    if (length === undefined) return null
    if (Number(length) === 0) return Buffer.alloc(0)
  }
  let expectsContinue = request.headers.expect !== undefined
  // A client that is not told to go on may never send its body: nothing can follow on its connection.
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
  // That the client leaves in between is told by the response's 'close'.
  request.on('data', onData).on('end', onEnd)
  request.pause()
  return body
}
