import type { Writable } from 'node:stream'
import type { ExchangeError } from './error.ts'
import type { Input } from './input.ts'

/** Called when the bytes have been handed to the operating system, or could not be. */
export type WriteCallback = (error?: Error | null) => void

/** The role that the front server asks the application to play (section 6). */
export type Role = 'responder' | 'authorizer' | 'filter'

/**
 * One request, from BEGIN_REQUEST to END_REQUEST: the argument of a {@link Handler}. Its parts are built on
 * first use.
 */
export interface Exchange {
  /** The request's id on its connection (section 3.3). */
  readonly requestId: number
  readonly role: Role
  /** The front server asked that the connection stay open (FCGI_KEEP_CONN, section 5.1). */
  readonly keepConn: boolean

  /**
   * The params (RFC 3875 section 4.1), one character a byte (latin1), on an object without prototype. Of a repeated name, and
   * of HTTP_HOST, the last value stays; other repeated `HTTP_*` are joined as Node joins repeated headers. Empty params that say who the client is
   * are left out: REMOTE_USER, REMOTE_ADDR, REMOTE_PORT, REMOTE_HOST, REMOTE_IDENT, AUTH_TYPE and SSL_*.
   */
  readonly params: Readonly<Record<string, string | undefined>>
  /** All params in the order received: name, value, name, value … */
  readonly rawParams: readonly string[]
  /** One param as in `params`, without making an object of all of them; of a repeated `HTTP_*` the last value alone. */
  param(name: string): string | undefined
  /** REQUEST_METHOD. */
  readonly method: string
  /** Path and query as the client sent them, never re-encoded: `/shop/cart?x=1`; `*` is possible. */
  readonly target: string
  /** The absolute URL: scheme, authority, target. */
  readonly url: string
  readonly scheme: 'http' | 'https'
  readonly authority: string
  /**
   * The request headers as `node:http` would give them: name, value, name, value …, names in lower case, repeats kept. Headers that the front
   * server adds on its own are left out: a content-length of 0 and a content-type that the client did not send.
   */
  readonly headers: readonly string[]
  /** Where the app is mounted: `''`, or the beginning of `target` that belongs to the mount, as `/shop`. */
  readonly mount: string
  /** Bytes of the body, or undefined if only the end of STDIN tells the length. */
  readonly contentLength: number | undefined
  /** REMOTE_ADDR. Undefined if that is not an IP address, as for a client on a Unix socket (nginx: `unix:`). */
  readonly remoteAddress: string | undefined
  /** REMOTE_PORT. Undefined if that is not a number from 1 to 65535. */
  readonly remotePort: number | undefined
  /** The standard Request. Throws a TypeError for the methods that Request refuses (CONNECT, TRACE, TRACK). */
  readonly request: Request
  /** Aborts when the front server gives up the request, or this server aborts it. Never after the end of the response. */
  readonly signal: AbortSignal
  /**
   * Aborts when the server begins to drain: end event streams then, so that their clients reconnect elsewhere. All exchanges of a
   * server share it, so remove listeners when the response has ended.
   */
  readonly draining: AbortSignal

  /** The body. */
  readonly stdin: Input
  /** The file that a filter processes (section 6.4); empty in other roles. */
  readonly data: Input

  /** The exit status in END_REQUEST, 0 to 2³²−1; default 0. */
  appStatus: number
  /** The head is set: by `writeHead`, or by the first write without it. */
  readonly headSent: boolean
  /**
   * Sets the response head, which goes out with the first write, `flush` or `end`. `headers` is name, value,
   * name, value …; hop-by-hop headers are left out. Throws if called twice, for a status outside 200 to 999,
   * and for names and values that HTTP does not allow.
   */
  writeHead(status: number, headers?: readonly string[], reason?: string): void
  /**
   * Sends body bytes (strings as UTF-8); drops them if the response has no body (HEAD, 204, 205, 304). Returns false if the app
   * should wait for `onDrain`. `callback` runs once the bytes are with the operating system, or with an error. Of small pieces (up to 1 KiB)
   * that are written without one in the same turn of the event loop, all but the first are sent together after that turn.
   */
  write(chunk: Uint8Array | string, callback?: WriteCallback): boolean
  /** Sends the head, and what `write` has kept for the end of the turn, now. */
  flush(): void
  /** Sends what remains and END_REQUEST. Later calls are ignored. */
  end(chunk?: Uint8Array | string, callback?: WriteCallback): void
  /** `write` returned false and `onDrain` has not run since. */
  readonly writableNeedDrain: boolean
  /**
   * The app failed. Before the head was sent, the response is a 500 without details of the error. After it, the response
   * is cut, so that the front server sees a failure. The error goes to FCGI_STDERR and to the server's `onError`.
   */
  fail(error: unknown): void
  /** FCGI_STDERR: the front server's error log. Output beyond the server's `maxStderrBytes` is dropped. */
  readonly stderr: Writable
  /** Work that continues after the response: the server's `close` waits for it, within its deadline. A rejection goes to `onError`. */
  waitUntil(promise: PromiseLike<unknown>): void

  /** Called when writing may go on, in the async context of the write that returned false. */
  onDrain: (() => void) | undefined
  /** Called once when the exchange is aborted; not if the abort came before this was set: see `aborted`. */
  onAbort: ((reason: ExchangeError) => void) | undefined
  readonly aborted: boolean
  /** Nothing more is sent: `end`, `fail` or an abort came first. */
  readonly ended: boolean
}

/**
 * Responds to one request. It may return before the response has ended. If it throws or rejects, `exchange.fail(error)` is called.
 * The handler, and the exchange's hooks, run in an async context of this exchange: no other request sees its stores.
 */
export type Handler = (exchange: Exchange) => void | Promise<void>
