import { finished, type Readable } from 'node:stream'
import type { Exchange } from '@fcgi-bridge/core'
import { isEventStream } from '../header-list.ts'
import { bytesOf, notBytesError } from './body-chunk.ts'
import { declaredLength, shortBodyError, wrongLengthError } from './content-length.ts'
import { type ResponseHead, writeHead } from './response-head.ts'

/**
 * Sends a body that is a Node stream, as Responses of node-fetch and h3 may have. As with `stream.pipe(res)`, the head is sent with the first
 * chunk: if the stream fails before (a file that cannot be opened), the response is a 500. Only the head of an event stream does not wait,
 * because a client considers the stream open when it has the head. The stream is paused while the front server reads slowly, and destroyed
 * when the front server aborts.
 */
export function sendNodeStream(exchange: Exchange, head: ResponseHead, stream: Readable): void {
  const { headers } = head
  const declared = declaredLength(headers)
  let sent = 0
  writeHead(exchange, head)
  // Create the closures separately, for the same reason as in send-stream.ts.
  const onAbort = (reason: Error): void => void stream.destroy(reason)
  const onDrain = (): void => void stream.resume()
  exchange.onAbort = onAbort
  exchange.onDrain = onDrain
  finished(stream, { writable: false }, (streamError) => {
    const error = streamError ?? shortBodyError(headers, sent, declared)
    if (error) exchange.fail(error)
    else exchange.end()
  })
  stream.on('data', (value: unknown) => {
    const chunk = bytesOf(value)
    if (chunk === undefined) {
      stream.destroy(notBytesError(value))
      return
    }
    const before = sent
    sent += chunk.length
    if (declared !== undefined && sent > declared) {
      exchange.end(chunk.subarray(0, declared - before))
      stream.destroy(wrongLengthError(headers, sent, declared))
    } else if (!exchange.write(chunk)) {
      stream.pause()
    }
  })
  // Wait for one turn of the event loop, so that bytes that the stream already has share a write with the head.
  if (isEventStream(headers)) setImmediate(() => exchange.flush())
}
