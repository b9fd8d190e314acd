/** The limits of each request of a dispatcher. Times are in milliseconds, 0 is no limit; `maxHeaderSize` is in bytes. */
export interface ExchangeLimits {
  readonly headersTimeout: number
  readonly bodyTimeout: number
  readonly maxHeaderSize: number
}

/**
 * How far a request is, for its handler:
 *
 * - `waiting`: for a connection, or for its connection to open.
 * - `sent`: nothing has come back.
 * - `head`: STDOUT or STDERR has come, and the response head is not complete.
 * - `body`: the handler has the head, and gets the body.
 * - `ended`: END_REQUEST has come, and a paused handler has not got the rest of the body.
 * - `closed`: the handler has got the end, or an error. The connection may still wait for END_REQUEST.
 */
export type ExchangeState = 'waiting' | 'sent' | 'head' | 'body' | 'ended' | 'closed'
