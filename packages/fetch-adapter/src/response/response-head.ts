import type { Exchange, WriteCallback } from '@fcgi-bridge/core'
import { hasHeader } from '../header-list.ts'
import { declaredLength, shortBodyError, wrongLength } from './content-length.ts'

/** A response head that waits for the body's first bytes, which may tell its Content-Length. */
export interface ResponseHead {
  readonly status: number
  /** Name, value, name, value …; names in lower case. */
  readonly headers: string[]
  readonly reason: string | undefined
}

/** Sets the head of an answer whose length is not known. */
export function writeHead(exchange: Exchange, head: ResponseHead): void {
  exchange.writeHead(head.status, head.headers, head.reason)
}

/**
 * Sends head, body and end in one write, with the Content-Length unless the app gave one. A body that is shorter than the
 * app's Content-Length is a failure; of a longer one the rest is dropped, and the error reported.
 */
export function sendWhole(
  exchange: Exchange,
  head: ResponseHead,
  body: Uint8Array | string,
  callback?: WriteCallback,
): void {
  const { headers } = head
  const declared = hasHeader(headers, 'content-length') ? declaredLength(headers) : undefined
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length
  if (declared === undefined) headers.push('content-length', String(length))
  else {
    const error = shortBodyError(headers, length, declared)
    if (error !== undefined) throw error
  }
  writeHead(exchange, head)
  if (declared === undefined || length <= declared) {
    exchange.end(body, callback)
    return
  }
  exchange.end(Buffer.from(body as string).subarray(0, declared), callback)
  exchange.fail(wrongLength(headers, length, declared))
}
