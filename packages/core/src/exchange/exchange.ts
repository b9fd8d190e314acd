import type { Writable } from 'node:stream'
import type { ExchangeError } from './error.ts'
import type { Input } from './input.ts'

/** Called when the bytes have been passed to the operating system, or with an error. */
export type WriteCallback = (error?: Error | null) => void

/** The role that the front server requests (section 6). */
export type Role = 'responder' | 'authorizer' | 'filter'

/**
 * One request and its response, from BEGIN_REQUEST to END_REQUEST: the argument of a {@link Handler}. Each property is computed when
 * it is first read.
 */
export interface Exchange {
  /** The request's id on its connection (section 3.3). */
  readonly requestId: number
  readonly role: Role
  /** The front server asked to keep the connection open after this request (FCGI_KEEP_CONN, section 5.1). */
  readonly keepConn: boolean

  /**
   * The params (RFC 3875 section 4.1), one character per byte (latin1), on an object without prototype. If a name is repeated, the last
   * value is used. Repeated `HTTP_*` params other than HTTP_HOST are joined as Node joins repeated headers. Empty params about the client's
   * identity are omitted: REMOTE_USER, REMOTE_ADDR, REMOTE_PORT, REMOTE_HOST, REMOTE_IDENT, AUTH_TYPE and SSL_*.
   */
  readonly params: Readonly<Record<string, string | undefined>>
  /** All params in the order in which they were received: name, value, name, value … */
  readonly rawParams: readonly string[]
  /** Returns one param without creating the `params` object. If the name is repeated, it returns the last value, also for `HTTP_*`. */
  param(name: string): string | undefined
  /** REQUEST_METHOD. */
  readonly method: string
  /** Path and query as the client sent them, never re-encoded: `/shop/cart?x=1`. It can be `*`. */
  readonly target: string
  /** The absolute URL: scheme, authority, target. */
  readonly url: string
  /** The scheme of {@link url}. */
  readonly scheme: 'http' | 'https'
  /** The host of {@link url}, with the port if there is one. */
  readonly authority: string
  /**
   * The request headers as in `rawHeaders` of `node:http`: name, value, name, value …, but with names in lower case. Repeated headers are
   * kept. Headers that the front server adds on its own are omitted: a content-length of 0, and a content-type that the client did not send.
   */
  readonly headers: readonly string[]
  /** The path at which the app is mounted: `''`, or the beginning of `target`, for example `/shop`. */
  readonly mount: string
  /** The length of the body in bytes, or undefined if only the end of STDIN marks its end. */
  readonly contentLength: number | undefined
  /** REMOTE_ADDR. Undefined if it is not an IP address, for example for a client on a Unix socket (nginx: `unix:`). */
  readonly remoteAddress: string | undefined
  /** REMOTE_PORT. Undefined if it is not a number from 1 to 65535. */
  readonly remotePort: number | undefined
  /** The standard Request. Throws a TypeError for the methods that Request refuses (CONNECT, TRACE, TRACK). */
  readonly request: Request
  /** Aborts when the front server or this server aborts the request. It never aborts after the response has ended. */
  readonly signal: AbortSignal
  /**
   * Aborts when the server begins to drain. End event streams then, so that their clients reconnect to another server. All exchanges of a
   * server share this signal, so remove listeners when the response has ended.
   */
  readonly draining: AbortSignal

  /** The body. */
  readonly stdin: Input
  /** The file that a filter processes (section 6.4); empty in other roles. */
  readonly data: Input

  /** The exit status in END_REQUEST, 0 to 2³²−1. The default is 0. */
  appStatus: number
  /** The response head is set, by `writeHead`, or by `write` or `end` with status 200. */
  readonly headSent: boolean
  /**
   * Sets the response head, which is sent with the first write, `flush` or `end`. `headers` is name, value, name, value …
   * Hop-by-hop headers are omitted. Throws an Error if called twice, a RangeError for a status outside 200 to 999, and a TypeError
   * for names and values that HTTP does not allow.
   */
  writeHead(status: number, headers?: readonly string[], reason?: string): void
  /**
   * Sends part of the response body, strings as UTF-8. Drops it if the response has no body (HEAD, 204, 205, 304). Returns false if
   * the app should wait for `onDrain`. `callback` runs when the bytes have been passed to the operating system, or with an error.
   * Small chunks (up to 1 KiB) without a callback are batched: the first one of an event loop tick is sent at once, and the others
   * together after that tick. Throws a TypeError for any other type of chunk.
   */
  write(chunk: Uint8Array | string, callback?: WriteCallback): boolean
  /** Sends the head and the batched chunks now. */
  flush(): void
  /** Sends `chunk`, everything that is still buffered, and END_REQUEST. Later calls are ignored. */
  end(chunk?: Uint8Array | string, callback?: WriteCallback): void
  /** `write` returned false and `onDrain` has not run since. */
  readonly writableNeedDrain: boolean
  /**
   * Ends the exchange because the app failed. If the head has not been sent, the response is a 500 without details of the error.
   * Otherwise the response is truncated in a way that the front server sees as a failure. The error is written to FCGI_STDERR and
   * passed to the server's `onError`.
   */
  fail(error: unknown): void
  /** FCGI_STDERR: output for the front server's error log. Output beyond the server's `maxStderrBytes` is dropped. */
  readonly stderr: Writable
  /**
   * Registers work that continues after the response. The server's `close` waits for it, but no longer than `drainTimeout`. A rejection
   * is passed to `onError`.
   */
  waitUntil(promise: PromiseLike<unknown>): void

  /** Called when the app can write again, in the async context of the write that returned false. */
  onDrain: (() => void) | undefined
  /** Called once when the exchange is aborted, but not if it was aborted before this was set: check `aborted`. */
  onAbort: ((reason: ExchangeError) => void) | undefined
  /** The front server or this server has aborted the exchange. */
  readonly aborted: boolean
  /** Nothing more is sent, because of `end`, `fail` or an abort. */
  readonly ended: boolean
}

/**
 * Responds to one request. It can return before the response has ended. If it throws or rejects, `exchange.fail(error)` is called.
 * The handler and the exchange's hooks run in the exchange's own async context, so no other request sees its AsyncLocalStorage stores.
 */
export type Handler = (exchange: Exchange) => void | Promise<void>
