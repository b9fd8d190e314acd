import { FastCgiError } from '../error.ts'
import type { ClientExchange } from './exchange.ts'

/** A request whose END_REQUEST was read. */
export interface EndedRequest {
  readonly exchange: ClientExchange
  readonly appStatus: number
  readonly protocolStatus: number
}

/** The requests of a connection, by request id. A closed exchange was aborted, and its END_REQUEST was not received yet. */
export class RunningExchanges {
  readonly #byId = new Map<number, ClientExchange>()

  get size(): number {
    return this.#byId.size
  }

  /** At least one running request was not aborted. */
  get hasLive(): boolean {
    for (const exchange of this.#byId.values()) if (!exchange.closed) return true
    return false
  }

  /** Adds a request under the lowest free id and returns the id. nginx and others do so, and some applications rely on small ids. */
  add(exchange: ClientExchange): number {
    let requestId = 1
    while (this.#byId.has(requestId)) requestId++
    this.#byId.set(requestId, exchange)
    return requestId
  }

  get(requestId: number): ClientExchange | undefined {
    return this.#byId.get(requestId)
  }

  /** The request of a record. Throws FastCgiError if there is none. */
  find(requestId: number): ClientExchange {
    const exchange = this.#byId.get(requestId)
    if (exchange === undefined) {
      throw unexpectedRecord(`a record of request ${requestId}, which does not run on this connection`)
    }
    return exchange
  }

  delete(requestId: number): void {
    this.#byId.delete(requestId)
  }

  clear(): void {
    this.#byId.clear()
  }

  [Symbol.iterator](): IterableIterator<ClientExchange> {
    return this.#byId.values()
  }
}

/** The error for a record that does not belong to a running request, or is malformed. `what` completes "The FastCGI application sent …". */
export function unexpectedRecord(what: string): FastCgiError {
  return new FastCgiError('FCGI_ERR_RECORD', `The FastCGI application sent ${what}.`)
}
