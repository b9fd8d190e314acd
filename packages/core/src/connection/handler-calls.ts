import type { Duplex } from 'node:stream'
import type { Handler, Role } from '../exchange/exchange.ts'
import type { ServerExchange } from '../exchange/server-exchange.ts'
import { ENTER_WITH_PERSISTS } from './async-context.ts'

/** Finds the handler of a role. */
export interface HandlerSource {
  /** Undefined if there is none for `role`. */
  handlerFor(role: Role): Handler | undefined
}

/**
 * Calls the handlers of the requests whose PARAMS ended in the current chunk. They run after the whole chunk has been decoded, because
 * it usually contains the end of STDIN or a small body, too. A handler that responds at once then ends the request with one write.
 */
export class HandlerCalls {
  readonly #socket: Duplex
  readonly #source: HandlerSource
  #ready: ServerExchange[] = []

  constructor(socket: Duplex, source: HandlerSource) {
    this.#socket = socket
    this.#source = source
  }

  /** Adds a request whose PARAMS are complete. */
  add(exchange: ServerExchange): void {
    this.#ready.push(exchange)
  }

  /** Calls the handlers of the requests that were added. */
  run(): void {
    const ready = this.#ready
    if (ready.length < 2) {
      if (ready.length === 1) this.#callOnly(ready.pop()!)
      return
    }
    this.#ready = []
    this.#socket.cork()
    for (const exchange of ready) this.#callInScope(exchange)
    this.#socket.uncork()
  }

  // The request needs no scope if no other request can run before the socket's callback returns.
  #callOnly(exchange: ServerExchange): void {
    if (ENTER_WITH_PERSISTS) this.#callInScope(exchange)
    else if (!exchange.ended) this.#call(exchange)
  }

  #callInScope(exchange: ServerExchange): void {
    if (!exchange.ended) exchange.runInAsyncScope(this.#call, this, exchange)
  }

  #call(exchange: ServerExchange): void {
    const { trace } = exchange
    if (trace === undefined) this.#callHandler(exchange)
    else trace.start(() => this.#callHandler(exchange))
  }

  #callHandler(exchange: ServerExchange): void {
    try {
      const result: unknown = this.#source.handlerFor(exchange.role)!(exchange)
      if (isThenable(result)) result.then(undefined, (error: unknown) => exchange.fail(error))
    } catch (error) {
      exchange.fail(error)
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function'
}
