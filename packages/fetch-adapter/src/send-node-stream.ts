import { finished, type Readable } from 'node:stream'
import { isUint8Array } from 'node:util/types'
import type { Exchange } from '@fcgi-bridge/core'
import { type ResponseHead, writeHead } from './response-head.ts'

/**
 * Sends a body that is a Node stream, as the Responses of node-fetch and h3 may have. Head first, then each chunk as it comes;
 * the stream is paused while the front server is slow, and destroyed when it gives up.
 */
export function sendNodeStream(exchange: Exchange, head: ResponseHead, stream: Readable): void {
  writeHead(exchange, head)
  // Apart from the assignment, as in send-stream.ts.
  const onAbort = (reason: Error): void => void stream.destroy(reason)
  const onDrain = (): void => void stream.resume()
  exchange.onAbort = onAbort
  exchange.onDrain = onDrain
  finished(stream, { writable: false }, (error) => {
    if (error) exchange.fail(error)
    else exchange.end()
  })
  stream.on('data', (chunk: unknown) => {
    if (typeof chunk !== 'string' && !isUint8Array(chunk)) {
      stream.destroy(new TypeError(notBytes(chunk)))
    } else if (!exchange.write(chunk)) {
      stream.pause()
    }
  })
  // What is in the stream already comes with the head in one write; if nothing is, the head does not wait for it.
  setImmediate(() => exchange.flush())
}

function notBytes(value: unknown): string {
  return `A response stream gave ${Object.prototype.toString.call(value)} where bytes or text are due.`
}
