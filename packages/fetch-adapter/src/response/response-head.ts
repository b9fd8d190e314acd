import type { Exchange, WriteCallback } from '@fcgi-bridge/core'
import { hasHeader } from '../header-list.ts'
import { declaredLength, shortBodyError, wrongLengthError } from './content-length.ts'

/** A response head that was not sent yet. {@link sendWhole} adds the Content-Length of a body that is complete by then. */
export interface ResponseHead {
  readonly status: number
  /** Name, value, name, value … Names are in lower case. */
  readonly headers: string[]
  readonly reason: string | undefined
}

/** Sets the response head, without adding a Content-Length. */
export function writeHead(exchange: Exchange, head: ResponseHead): void {
  exchange.writeHead(head.status, head.headers, head.reason)
}

/**
 * Sends head, body and end in one write. Adds a Content-Length, unless the app set one. Throws if the body is shorter than the app's
 * Content-Length. If it is longer, drops the rest and reports an error.
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
  exchange.fail(wrongLengthError(headers, length, declared))
}
