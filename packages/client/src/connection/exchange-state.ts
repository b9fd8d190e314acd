/** The limits of each request of a dispatcher. Times are in milliseconds; 0 is no limit; `maxHeaderSize` is in bytes. */
export interface ExchangeLimits {
  readonly headersTimeout: number
  readonly bodyTimeout: number
  readonly maxHeaderSize: number
}

/**
 * The state of a request, as far as its handler is concerned:
 *
 * - `waiting`: the request waits for a connection, or for its connection to open.
 * - `sent`: the request was sent, and nothing was received.
 * - `head`: STDOUT or STDERR was received, and the response head is not complete.
 * - `body`: the handler has the head, and receives the body.
 * - `ended`: END_REQUEST was received, and the rest of the body is buffered because the handler is paused.
 * - `closed`: onEnd or onError was called. The connection may still wait for END_REQUEST.
 */
export type ExchangeState = 'waiting' | 'sent' | 'head' | 'body' | 'ended' | 'closed'
