import type { Duplex } from 'node:stream'
import type { Handler, Role } from '../exchange/exchange.ts'
import type { ServerExchange } from '../exchange/server-exchange.ts'
import { ENTERED_CONTEXT_STAYS } from './async-context.ts'

/** Finds the handler of a role. */
export interface HandlerSource {
  /** Undefined if there is none for `role`. */
  handlerFor(role: Role): Handler | undefined
}

/**
 * Calls the handlers of the requests whose PARAMS ended in the chunk that was read. They run after the whole chunk was decoded: the
 * end of STDIN and a small body are then usually there, and a handler that responds at once ends the request with one write.
 */
export class HandlerCalls {
  readonly #socket: Duplex
  readonly #source: HandlerSource
  #ready: ServerExchange[] = []

  constructor(socket: Duplex, source: HandlerSource) {
    this.#socket = socket
    this.#source = source
  }

  /** The PARAMS of `exchange` are complete. */
  add(exchange: ServerExchange): void {
    this.#ready.push(exchange)
  }

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

  // No other request runs before this callback of the socket returns.
  #callOnly(exchange: ServerExchange): void {
    if (ENTERED_CONTEXT_STAYS) this.#callInScope(exchange)
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
