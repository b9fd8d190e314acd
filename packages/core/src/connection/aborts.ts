import { ExchangeError, type ExchangeErrorCode } from '../exchange/error.ts'
import type { ServerExchange } from '../exchange/server-exchange.ts'
import type { ActiveRequests } from './active-requests.ts'
import type { RecordDispatcher } from './record-dispatcher.ts'
import type { ResponseWriter } from './response-writer.ts'

/** What {@link Aborts} needs of the connection. */
export interface AbortConnection {
  /** Forgets a request that has ended without END_REQUEST. */
  remove(exchange: ServerExchange): void
}

/** Aborts the requests of a connection that is closing. */
export class Aborts {
  readonly #exchanges: ActiveRequests
  readonly #dispatcher: RecordDispatcher
  readonly #responses: ResponseWriter
  readonly #connection: AbortConnection

  constructor(
    exchanges: ActiveRequests,
    dispatcher: RecordDispatcher,
    responses: ResponseWriter,
    connection: AbortConnection,
  ) {
    this.#exchanges = exchanges
    this.#dispatcher = dispatcher
    this.#responses = responses
    this.#connection = connection
  }

  /** Aborts all requests. Nothing more is sent for them. */
  all(code: ExchangeErrorCode, message: string): void {
    for (const exchange of this.#exchanges) {
      this.#responses.dropHeld(exchange)
      this.#connection.remove(exchange)
      exchange.abort(new ExchangeError(code, message))
    }
  }

  /** Aborts all requests. One whose response has not begun gets `status`; a response that has ended gets its END_REQUEST. */
  respond(code: ExchangeErrorCode, message: string, status: number | undefined): void {
    for (const exchange of this.#exchanges) {
      // The rest of STDIN is not waited for.
      exchange.stdinEnded = true
      if (exchange.ended) this.#responses.endHeld(exchange)
      else exchange.abort(new ExchangeError(code, message), status)
    }
  }

  /** No more input comes: aborts the requests that have not come in whole, and ends those that only waited for it. */
  incomplete(code: ExchangeErrorCode, message: string): void {
    for (const exchange of this.#exchanges) {
      if (exchange.ended) {
        this.#responses.endHeld(exchange)
        continue
      }
      this.#dispatcher.endMissingStdin(exchange)
      if (exchange.inputComplete) continue
      this.#connection.remove(exchange)
      exchange.abort(new ExchangeError(code, message))
    }
  }
}
