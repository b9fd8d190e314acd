import type { ServerExchange } from '../exchange/server-exchange.ts'

/**
 * The requests of a connection that have begun and not ended, by their ids (section 3.3). Nearly always there is one at a
 * time, and a Map that is filled and emptied again costs as much as all other bookkeeping.
 */
export class ActiveRequests implements Iterable<ServerExchange> {
  #only: ServerExchange | undefined
  // Where there is more than one, all of them, in the order in which they began.
  #all: Map<number, ServerExchange> | undefined

  get size(): number {
    return this.#all?.size ?? (this.#only === undefined ? 0 : 1)
  }

  /** The one that began first. */
  get first(): ServerExchange | undefined {
    return this.#only ?? this.#all?.values().next().value
  }

  get(requestId: number): ServerExchange | undefined {
    const only = this.#only
    if (only !== undefined) return only.requestId === requestId ? only : undefined
    return this.#all?.get(requestId)
  }

  /** Takes one whose id no other has. */
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

  /** False if it is not there. */
  delete(exchange: ServerExchange): boolean {
    if (this.#only === exchange) {
      this.#only = undefined
      return true
    }
    if (this.#all?.get(exchange.requestId) !== exchange) return false
    this.#all.delete(exchange.requestId)
    if (this.#all.size === 0) this.#all = undefined
    return true
  }

  /** Of those that are there when it is asked for: they may end meanwhile, and others begin. */
  [Symbol.iterator](): IterableIterator<ServerExchange> {
    const all = this.#only === undefined ? [...(this.#all?.values() ?? [])] : [this.#only]
    return all.values()
  }
}
