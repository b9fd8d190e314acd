import { type Channel, channel } from 'node:diagnostics_channel'
import type { Exchange, Role } from './exchange.ts'

/**
 * The name of the tracing channel of `node:diagnostics_channel` on which each exchange is published:
 * `tracingChannel(EXCHANGE_CHANNEL)`, or the single channels `tracing:fcgi-bridge.exchange:start`, `…:head`, `…:end` and
 * `…:error`. Each event of an exchange has the same {@link ExchangeMessage}.
 *
 * - `start`, once: the handler is about to be called, or the request is about to be refused. The handler runs with the stores that
 *   are bound to this channel (`channel.bindStore`).
 * - `head`, at most once: the response head is sent.
 * - `error`: the app failed, the request was refused because of an error, or the exchange was aborted.
 * - `end`, once and last: nothing more is sent. The handler may have returned earlier.
 *
 * An exchange is published only if one of the four channels has a subscriber when it begins.
 */
export const EXCHANGE_CHANNEL = 'fcgi-bridge.exchange'

/** The message that subscribers of {@link EXCHANGE_CHANNEL} receive: one object for each exchange, updated before each event. */
export interface ExchangeMessage {
  /** Gives an exporter all other values: `exchange.param('HTTP_TRACEPARENT')`, `exchange.remoteAddress`. */
  readonly exchange: Exchange
  readonly role: Role
  /** The request's id (section 3.3). It is unique only among the running requests of one connection. */
  readonly requestId: number
  /** REQUEST_METHOD; undefined if the params lack it, are invalid, or were incomplete. */
  readonly method: string | undefined
  /** Path and query as the client sent them; undefined if `method` is. */
  readonly target: string | undefined
  /** The status of the response; undefined until the head was sent. */
  readonly status: number | undefined
  /** Bytes of FCGI_STDIN and FCGI_DATA that have been received. */
  readonly bytesIn: number
  /** Bytes of the response body that have been passed to the connection. */
  readonly bytesOut: number
  /** When FCGI_BEGIN_REQUEST was received, in milliseconds of `performance.now()`. */
  readonly startTime: number
  /** When the head was sent, on the same clock; undefined before `head`. */
  readonly headTime: number | undefined
  /** When the exchange ended, on the same clock; undefined before `end`. */
  readonly endTime: number | undefined
  /** The latest error. The property exists from the first `error` event on. `exchange.aborted` tells an abort from a failure. */
  readonly error?: unknown
}

/** What a trace needs from its exchange. */
export interface TracedExchange extends Exchange {
  /** Bytes of FCGI_STDIN and FCGI_DATA that have been received. */
  readonly bytesIn: number
  /** Makes the params empty if they have not been read yet. */
  ignoreIncompleteParams(): void
}

const [START, HEAD, END, ERROR] = ['start', 'head', 'end', 'error'].map((event) =>
  channel(`tracing:${EXCHANGE_CHANNEL}:${event}`),
) as [Channel, Channel, Channel, Channel]

/** Returns the trace of an exchange that begins now; undefined if no channel has a subscriber. */
export function traceExchange(exchange: TracedExchange): ExchangeTrace | undefined {
  const isObserved = START.hasSubscribers || END.hasSubscribers || HEAD.hasSubscribers || ERROR.hasSubscribers
  return isObserved ? new ExchangeTrace(exchange) : undefined
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** Publishes one exchange on {@link EXCHANGE_CHANNEL}. */
export class ExchangeTrace {
  readonly #exchange: TracedExchange
  readonly #startTime: number = performance.now()
  #message: Writable<ExchangeMessage> | undefined
  #bytesOut = 0
  #ended = false
  /** The status of the head that will be sent. */
  status: number | undefined

  constructor(exchange: TracedExchange) {
    this.#exchange = exchange
  }

  /** Publishes `start`, and calls `handler` with the stores that are bound to that channel. */
  start(handler: () => void): void {
    if (this.#message !== undefined) handler()
    else START.runStores(this.#begin(), handler)
  }

  /** A chunk of the response body was passed to the connection. */
  onBody(chunk: Uint8Array | string): void {
    this.#bytesOut += typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.byteLength
  }

  /** The server responds with `status` and `body` instead of the app. Nothing of the app's response was sent. */
  onReplaced(status: number, body: Uint8Array | string): void {
    this.status = status
    this.#bytesOut = 0
    this.onBody(body)
  }

  /** The response head is sent. */
  onHead(): void {
    const message = this.#started()
    if (message.headTime !== undefined) return
    message.status = this.status
    message.headTime = performance.now()
    this.#publish(HEAD)
  }

  /** The exchange failed or was aborted. */
  onError(error: unknown): void {
    if (this.#ended) return
    this.#started().error = error
    this.#publish(ERROR)
  }

  /** Nothing more is sent. */
  onEnd(): void {
    if (this.#ended) return
    this.#ended = true
    this.#started().endTime = performance.now()
    this.#publish(END)
  }

  #publish(channel: Channel): void {
    const message = this.#started()
    message.bytesIn = this.#exchange.bytesIn
    message.bytesOut = this.#bytesOut
    channel.publish(message)
  }

  // Publishes `start` for a request that was refused before its handler was called.
  #started(): Writable<ExchangeMessage> {
    if (this.#message === undefined) START.publish(this.#begin())
    return this.#message!
  }

  #begin(): Writable<ExchangeMessage> {
    const exchange = this.#exchange
    exchange.ignoreIncompleteParams()
    const method = valueOrUndefined(() => exchange.method)
    this.#message = {
      exchange,
      role: exchange.role,
      requestId: exchange.requestId,
      method,
      target: method === undefined ? undefined : valueOrUndefined(() => exchange.target),
      status: undefined,
      bytesIn: exchange.bytesIn,
      bytesOut: 0,
      startTime: this.#startTime,
      headTime: undefined,
      endTime: undefined,
    }
    return this.#message
  }
}

// The getters of an exchange throw if the params are invalid.
function valueOrUndefined(read: () => string): string | undefined {
  try {
    return read() || undefined
  } catch {
    return undefined
  }
}
