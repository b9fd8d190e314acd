import type { SocketAddress } from './address.ts'
import { ClientConnection, type ConnectionOwner } from './connection.ts'
import type { ClientExchange } from './exchange.ts'
import type { ExchangeObserver } from './observer.ts'

/** How many connections there are, and how long. Times are in milliseconds. */
export interface PoolOptions {
  readonly connectTimeout: number
  readonly maxConnections: number
  readonly maxIdleConnections: number
  readonly idleTimeout: number
  readonly observer: ExchangeObserver | undefined
}

/** What happens to a pool's connections, for those who watch. */
export interface PoolEvents {
  onConnect(): void
  /** `error` is undefined where the connection ended by our own wish. */
  onDisconnect(error: Error | undefined): void
  onConnectionError(error: Error): void
  /** There is room for another request. */
  onDrain(): void
}

interface IdleConnection {
  readonly connection: ClientConnection
  readonly timer: NodeJS.Timeout | undefined
}

/** The connections to one application, and the requests that wait for one. */
export class ConnectionPool implements ConnectionOwner {
  readonly #address: SocketAddress
  readonly #options: PoolOptions
  readonly #events: PoolEvents
  readonly #connections = new Set<ClientConnection>()
  readonly #up = new WeakSet<ClientConnection>()
  #opened = 0
  // The one that was used last is last, and is used next: those that are not needed grow old.
  readonly #idle: IdleConnection[] = []
  #waiting: ClientExchange[] = []
  #full = false
  #draining = false
  #whenClosed: (() => void) | undefined

  constructor(address: SocketAddress, options: PoolOptions, events: PoolEvents) {
    this.#address = address
    this.#options = options
    this.#events = events
  }

  /** Sends a request on a kept connection, a new one, or as soon as there is one. False: it waits. */
  dispatch(exchange: ClientExchange): boolean {
    const idle = this.#takeIdle()
    if (idle !== undefined) {
      idle.start(exchange)
    } else if (this.#connections.size < this.#options.maxConnections) {
      this.#connect().start(exchange)
    } else {
      this.#waiting.push(exchange)
      this.#full = true
    }
    return !this.#full
  }

  /** Closes the connections that nobody uses now. */
  closeIdle(): void {
    for (const { connection } of this.#idle) connection.close()
  }

  /** Lets what runs and waits come to its end. Settles when all connections are closed. */
  close(): Promise<void> {
    this.#draining = true
    this.closeIdle()
    return this.#closed()
  }

  /** Fails what runs and waits. Settles when all connections are closed. */
  destroy(error: Error): Promise<void> {
    this.#draining = true
    const waiting = this.#waiting
    this.#waiting = []
    for (const exchange of waiting) exchange.fail(error)
    for (const connection of this.#connections) connection.close(error)
    return this.#closed()
  }

  // ---- ConnectionOwner ----

  onOpen(connection: ClientConnection): void {
    this.#up.add(connection)
    this.#events.onConnect()
  }

  onFree(connection: ClientConnection): void {
    const next = this.#nextWaiting()
    if (next !== undefined) {
      connection.start(next)
      return
    }
    if (this.#draining || this.#idle.length >= this.#options.maxIdleConnections) {
      connection.close()
    } else {
      connection.unref()
      const { idleTimeout } = this.#options
      const timer = idleTimeout > 0 ? setTimeout(() => connection.close(), idleTimeout).unref() : undefined
      this.#idle.push({ connection, timer })
    }
    this.#tellDrain()
  }

  onClose(connection: ClientConnection, error: Error | undefined): void {
    this.#connections.delete(connection)
    const idle = this.#idle.findIndex((one) => one.connection === connection)
    if (idle !== -1) clearTimeout(this.#idle.splice(idle, 1)[0]!.timer)
    if (this.#up.has(connection)) this.#events.onDisconnect(error)
    else if (error !== undefined) this.#events.onConnectionError(error)

    const next = this.#nextWaiting()
    if (next !== undefined) this.#connect().start(next)
    else this.#tellDrain()
    if (this.#connections.size === 0) this.#whenClosed?.()
  }

  #connect(): ClientConnection {
    const { maxIdleConnections, connectTimeout, observer } = this.#options
    const options = { keepConn: maxIdleConnections > 0, connectTimeout, observer }
    const connection = new ClientConnection(this.#address, options, this, ++this.#opened)
    this.#connections.add(connection)
    return connection
  }

  #takeIdle(): ClientConnection | undefined {
    for (;;) {
      const idle = this.#idle.pop()
      if (idle === undefined) return undefined
      clearTimeout(idle.timer)
      if (idle.connection.usable) return idle.connection
    }
  }

  #nextWaiting(): ClientExchange | undefined {
    for (;;) {
      const exchange = this.#waiting.shift()
      if (exchange === undefined || !exchange.closed) return exchange
    }
  }

  #tellDrain(): void {
    if (!this.#full) return
    this.#full = false
    this.#events.onDrain()
  }

  #closed(): Promise<void> {
    if (this.#connections.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const before = this.#whenClosed
      this.#whenClosed = () => {
        before?.()
        resolve()
      }
    })
  }
}
