import type { ClientExchange } from './connection/exchange.ts'
import type { BufferedRequest } from './request/request.ts'

/** The requests of a dispatcher whose bodies are being buffered. Their handlers were started, and they have no connection yet. */
export class BufferingRequests {
  readonly #exchanges = new Set<ClientExchange>()
  #whenEmpty: (() => void) | undefined

  /** Reads the body of `exchange`, then calls `send`. A request that fails before that is never sent. */
  add(
    exchange: ClientExchange,
    { source, complete }: BufferedRequest,
    send: (exchange: ClientExchange) => void,
  ): void {
    this.#exchanges.add(exchange)
    source.read({
      onBuffered: (bytes) => {
        try {
          exchange.request = complete(bytes)
          send(exchange)
        } catch (error) {
          exchange.fail(error as Error)
        }
        this.#remove(exchange)
      },
      onBufferFailed: (error) => exchange.fail(error),
      onBufferStopped: () => this.#remove(exchange),
    })
  }

  /** Fails all of these requests. */
  fail(error: Error): void {
    for (const exchange of [...this.#exchanges]) exchange.fail(error)
  }

  /** A promise that resolves when no request is left, or undefined if there is none now. */
  whenEmpty(): Promise<void> | undefined {
    if (this.#exchanges.size === 0) return undefined
    return new Promise((resolve) => {
      this.#whenEmpty = resolve
    })
  }

  #remove(exchange: ClientExchange): void {
    this.#exchanges.delete(exchange)
    if (this.#exchanges.size === 0) this.#whenEmpty?.()
  }
}
