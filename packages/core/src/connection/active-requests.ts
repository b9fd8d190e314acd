import type { ServerExchange } from '../exchange/server-exchange.ts'

/**
 * The running requests of a connection, by request id (section 3.3). Usually there is only one at a time. Filling and emptying a Map
 * for it would cost as much as all other bookkeeping of a request.
 */
export class ActiveRequests implements Iterable<ServerExchange> {
  #only: ServerExchange | undefined
  // All running requests, in the order in which they began, if there is more than one.
  #all: Map<number, ServerExchange> | undefined
  /** The sum of their bytes of PARAMS. */
  paramsBytes = 0

  /** The number of running requests. */
  get size(): number {
    return this.#all?.size ?? (this.#only === undefined ? 0 : 1)
  }

  /** The request that began first. */
  get first(): ServerExchange | undefined {
    return this.#only ?? this.#all?.values().next().value
  }

  /** Returns the running request with this id. */
  get(requestId: number): ServerExchange | undefined {
    const only = this.#only
    if (only !== undefined) return only.requestId === requestId ? only : undefined
    return this.#all?.get(requestId)
  }

  /** Adds a request. Its id must not be in use. */
  add(exchange: ServerExchange): void {
    if (this.size === 0) {
      this.#only = exchange
      return
    }
    if (this.#only !== undefined) {
      this.#all = new Map([[this.#only.requestId, this.#only]])
      this.#only = undefined
    }
    this.#all!.set(exchange.requestId, exchange)
  }

  /** Removes a request that has ended. Returns false if it was not there. */
  delete(exchange: ServerExchange): boolean {
    if (!this.#take(exchange)) return false
    this.paramsBytes -= exchange.paramsBytes
    if (exchange.missingBodyTimer !== undefined) clearTimeout(exchange.missingBodyTimer)
    return true
  }

  #take(exchange: ServerExchange): boolean {
    if (this.#only === exchange) {
      this.#only = undefined
      return true
    }
    if (this.#all?.get(exchange.requestId) !== exchange) return false
    this.#all.delete(exchange.requestId)
    if (this.#all.size === 0) this.#all = undefined
    return true
  }

  /** Iterates over a snapshot, because requests may begin and end meanwhile. */
  [Symbol.iterator](): IterableIterator<ServerExchange> {
    const all = this.#only === undefined ? [...(this.#all?.values() ?? [])] : [this.#only]
    return all.values()
  }
}
