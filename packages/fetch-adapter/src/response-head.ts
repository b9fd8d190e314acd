import type { Exchange, WriteCallback } from '@fcgi-bridge/core'
import { hasHeader } from './header-list.ts'

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

/** Sends head, body and end in one write, with the Content-Length unless the app has given one. */
export function sendWhole(
  exchange: Exchange,
  head: ResponseHead,
  body: Uint8Array | string,
  callback?: WriteCallback,
): void {
  const { headers } = head
  if (!hasHeader(headers, 'content-length')) {
    headers.push('content-length', String(typeof body === 'string' ? Buffer.byteLength(body) : body.length))
  }
  writeHead(exchange, head)
  exchange.end(body, callback)
}
