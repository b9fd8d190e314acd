import { type Channel, channel } from 'node:diagnostics_channel'
import type { Exchange, Role } from './exchange.ts'

/**
 * The name of the tracing channel of `node:diagnostics_channel` on which each exchange is published:
 * `tracingChannel(EXCHANGE_CHANNEL)`, or the single channels `tracing:fcgi-bridge.exchange:start`, `…:head`, `…:end` and
 * `…:error`. Each event of an exchange has the same {@link ExchangeMessage}.
 *
 * - `start`, once: the handler is about to be called, or the request is about to be refused. Stores that are bound to this
 *   channel (`channel.bindStore`) are those of the handler.
 * - `head`, at most once: the response head goes out.
 * - `error`: the app failed, the request was refused because of an error, or the exchange was aborted.
 * - `end`, once and last: nothing more goes out. This is not the return of the handler, which may be earlier.
 *
 * An exchange is published only if one of the four channels has a subscriber when it begins.
 */
export const EXCHANGE_CHANNEL = 'fcgi-bridge.exchange'

/** What subscribers of {@link EXCHANGE_CHANNEL} get: one object for each exchange, which is filled in as the exchange goes on. */
export interface ExchangeMessage {
  /** For what else an exporter wants: `exchange.param('HTTP_TRACEPARENT')`, `exchange.remoteAddress`. */
  readonly exchange: Exchange
  readonly role: Role
  /** The request's id on its connection (section 3.3); unique only among the requests that run on one connection. */
  readonly requestId: number
  /** REQUEST_METHOD; undefined where the params do not say it, could not be read, or had not come whole. */
  readonly method: string | undefined
  /** Path and query as the client sent them; undefined as `method` is. */
  readonly target: string | undefined
  /** The status of the response, from `head` on. Undefined where no head went out. */
  readonly status: number | undefined
  /** Bytes of FCGI_STDIN and FCGI_DATA that have come in. */
  readonly bytesIn: number
  /** Bytes of the response body that have been handed to the connection. */
  readonly bytesOut: number
  /** When FCGI_BEGIN_REQUEST came, in milliseconds of `performance.now()`. */
  readonly startTime: number
  /** When the head went out, on the same clock; undefined before `head`. */
  readonly headTime: number | undefined
  /** When the exchange ended, on the same clock; undefined before `end`. */
  readonly endTime: number | undefined
  /** The latest error. The property is there from `error` on. `exchange.aborted` tells aborts from failures. */
  readonly error?: unknown
}

/** What a trace asks of the exchange it belongs to. */
export interface TracedExchange extends Exchange {
  /** Bytes of its inputs that have come in. */
  readonly bytesIn: number
  /** Params that have not come whole are none from now on. */
  settleParams(): void
}

const [START, HEAD, END, ERROR] = ['start', 'head', 'end', 'error'].map((event) =>
  channel(`tracing:${EXCHANGE_CHANNEL}:${event}`),
) as [Channel, Channel, Channel, Channel]

/** The trace of an exchange that begins now; undefined where nobody listens. */
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
  /** Of the head that will go out. */
  status: number | undefined

  constructor(exchange: TracedExchange) {
    this.#exchange = exchange
  }

  /** Publishes `start`, and calls `handler` with the stores that are bound to it. */
  start(handler: () => void): void {
    if (this.#message !== undefined) handler()
    else START.runStores(this.#begin(), handler)
  }

  /** Body bytes of the response were handed over. */
  onBody(chunk: Uint8Array | string): void {
    this.#bytesOut += typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.byteLength
  }

  /** The server answers with `status` and `body` in the app's place: nothing of the app's response has gone out. */
  onReplaced(status: number, body: Uint8Array | string): void {
    this.status = status
    this.#bytesOut = 0
    this.onBody(body)
  }

  onHead(): void {
    const message = this.#started()
    if (message.headTime !== undefined) return
    message.status = this.status
    message.headTime = performance.now()
    this.#publish(HEAD)
  }

  onError(error: unknown): void {
    if (this.#ended) return
    this.#started().error = error
    this.#publish(ERROR)
  }

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

  // A request that is refused never reaches a handler.
  #started(): Writable<ExchangeMessage> {
    if (this.#message === undefined) START.publish(this.#begin())
    return this.#message!
  }

  #begin(): Writable<ExchangeMessage> {
    const exchange = this.#exchange
    exchange.settleParams()
    const method = readable(() => exchange.method)
    this.#message = {
      exchange,
      role: exchange.role,
      requestId: exchange.requestId,
      method,
      target: method === undefined ? undefined : readable(() => exchange.target),
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

// Throws where the params make no request.
function readable(read: () => string): string | undefined {
  try {
    return read() || undefined
  } catch {
    return undefined
  }
}
