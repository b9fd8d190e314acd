import { ExchangeError, type ExchangeErrorCode } from '../exchange/error.ts'
import type { ServerExchange } from '../exchange/server-exchange.ts'
import type { ActiveRequests } from './active-requests.ts'
import type { RecordDispatcher } from './record-dispatcher.ts'
import type { ResponseWriter } from './response-writer.ts'

/** What {@link RequestAborter} needs from the connection. */
export interface AborterConnection {
  /** Removes a request that ended without END_REQUEST. */
  remove(exchange: ServerExchange): void
}

/** Aborts the requests of a connection that is closing. */
export class RequestAborter {
  readonly #exchanges: ActiveRequests
  readonly #dispatcher: RecordDispatcher
  readonly #responses: ResponseWriter
  readonly #connection: AborterConnection

  constructor(
    exchanges: ActiveRequests,
    dispatcher: RecordDispatcher,
    responses: ResponseWriter,
    connection: AborterConnection,
  ) {
    this.#exchanges = exchanges
    this.#dispatcher = dispatcher
    this.#responses = responses
    this.#connection = connection
  }

  /** Aborts all requests and sends nothing more for them. */
  discardAll(code: ExchangeErrorCode, message: string): void {
    for (const exchange of this.#exchanges) {
      this.#responses.dropPendingEnd(exchange)
      this.#connection.remove(exchange)
      exchange.abort(new ExchangeError(code, message))
    }
  }

  /**
   * Aborts all requests. If `status` is given, a request whose response has not begun gets it, and a response that has begun is
   * truncated. Also sends the pending END_REQUESTs of responses that have ended.
   */
  abortAll(code: ExchangeErrorCode, message: string, status: number | undefined): void {
    for (const exchange of this.#exchanges) {
      // Do not wait for the rest of STDIN.
      exchange.stdinEnded = true
      if (exchange.ended) this.#responses.sendPendingEnd(exchange)
      else exchange.abort(new ExchangeError(code, message), status)
    }
  }

  /** Aborts the incomplete requests, because no more input will arrive. Also sends the pending END_REQUESTs of responses that have ended. */
  abortIncomplete(code: ExchangeErrorCode, message: string): void {
    for (const exchange of this.#exchanges) {
      if (exchange.ended) {
        this.#responses.sendPendingEnd(exchange)
        continue
      }
      this.#dispatcher.endMissingStdin(exchange)
      if (exchange.inputComplete) continue
      this.#connection.remove(exchange)
      exchange.abort(new ExchangeError(code, message))
    }
  }
}
