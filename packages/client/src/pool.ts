import type { SocketAddress } from './address.ts'
import { ClientConnection } from './connection/connection.ts'
import type { ClientExchange } from './connection/exchange.ts'
import type { ConnectionOwner } from './connection/owner.ts'
import { QueueWatch } from './connection/queue-watch.ts'
import { askValues } from './connection/values.ts'
import type { ExchangeObserver } from './observer.ts'

/** How many connections there are, and how long. Times are in milliseconds. */
export interface PoolOptions {
  readonly keepConn: boolean
  readonly connectTimeout: number
  readonly maxConnections: number
  readonly maxIdleConnections: number
  readonly idleTimeout: number
  /** Requests at once on one connection, where the application can; 1 does not ask it. */
  readonly multiplex: number
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

// How long an application may take to say whether it can multiplex. Those that know nothing of the question are silent.
const ASK_TIMEOUT = 1000

// For how long an application that has closed a kept connection is expected to do so again.
const CLOSES_AGAIN_WITHIN = 60_000

/** The connections to one application, and the requests that wait for one. */
export class ConnectionPool implements ConnectionOwner<ClientConnection> {
  readonly #address: SocketAddress
  readonly #options: PoolOptions
  readonly #events: PoolEvents
  readonly #connections = new Set<ClientConnection>()
  readonly #up = new WeakSet<ClientConnection>()
  #opened = 0
  // The one that was used last is last, and is used next: those that are not needed grow old.
  readonly #idle: ClientConnection[] = []
  #waiting: ClientExchange[] = []
  #full = false
  #draining = false
  #whenClosed: (() => void) | undefined
  // How many requests a connection may have at once, as far as the application is known.
  #perConnection = 1
  #asking: AbortController | undefined
  // When the application last closed a connection that it was asked to keep: as PHP-FPM does after pm.max_requests.
  #peerClosedAt = Number.NEGATIVE_INFINITY
  readonly #queue: QueueWatch = new QueueWatch(() => this.#makeRoom())
  #abortsIgnored = false

  constructor(address: SocketAddress, options: PoolOptions, events: PoolEvents) {
    this.#address = address
    this.#options = options
    this.#events = events
  }

  /** Sends a request on a kept connection, a new one, or as soon as there is one. False: it waits. */
  dispatch(exchange: ClientExchange): boolean {
    if (!this.#start(exchange)) {
      this.#waiting.push(exchange)
      this.#full = true
    }
    return !this.#full
  }

  /** Closes the connections that nobody uses now. */
  closeIdle(): void {
    for (const connection of this.#idle) connection.close()
  }

  /** Lets what runs and waits come to its end. Settles when all connections are closed. */
  close(): Promise<void> {
    this.#draining = true
    this.#asking?.abort()
    this.closeIdle()
    return this.#closed()
  }

  /** Fails what runs and waits. Settles when all connections are closed. */
  destroy(error: Error): Promise<void> {
    this.#draining = true
    this.#asking?.abort()
    const waiting = this.#waiting
    this.#waiting = []
    for (const exchange of waiting) exchange.fail(error)
    for (const connection of this.#connections) connection.close(error)
    return this.#closed()
  }

  // ---- ConnectionOwner ----

  get abortsIgnored(): boolean {
    return this.#abortsIgnored
  }

  get clock(): number {
    return this.#queue.clock
  }

  onAbortIgnored(): void {
    this.#abortsIgnored = true
  }

  onOpen(connection: ClientConnection): void {
    this.#up.add(connection)
    this.#queue.onOpen(connection)
    this.#events.onConnect()
  }

  onAnswering(connection: ClientConnection): void {
    this.#queue.forget(connection)
  }

  onFree(connection: ClientConnection): void {
    // Its last request has overtaken one that was long there.
    if (connection.running === 0 && this.#queue.take(connection.lastStart)) {
      connection.close()
      return
    }
    while (connection.running < this.#perConnection && connection.usable) {
      const next = this.#nextWaiting()
      if (next === undefined) break
      if (this.#wantsNew(next)) {
        this.#waiting.unshift(next)
        // Its place is taken by a new one.
        if (connection.running === 0) connection.close()
        return
      }
      connection.start(next)
    }
    if (connection.running === 0) {
      if (this.#draining || this.#idle.length >= this.#options.maxIdleConnections) {
        connection.close()
      } else {
        connection.rest(this.#options.idleTimeout)
        this.#idle.push(connection)
        this.#makeRoom()
      }
    }
    if (this.#waiting.length === 0) this.#tellDrain()
  }

  onRefused(exchange: ClientExchange): void {
    this.#perConnection = 1
    if (!this.#start(exchange)) this.#waiting.unshift(exchange)
  }

  onClose(
    connection: ClientConnection,
    error: Error | undefined,
    byPeer: boolean,
    returned: readonly ClientExchange[],
  ): void {
    this.#connections.delete(connection)
    this.#queue.forget(connection)
    const idle = this.#idle.indexOf(connection)
    if (idle !== -1) this.#idle.splice(idle, 1)
    if (this.#up.has(connection)) {
      if (byPeer) this.#peerClosedAt = performance.now()
      this.#events.onDisconnect(error)
    } else if (error !== undefined) {
      this.#events.onConnectionError(error)
    }

    for (const exchange of returned) if (!this.#start(exchange)) this.#waiting.unshift(exchange)
    if (this.#connections.size < this.#options.maxConnections) {
      const next = this.#nextWaiting()
      if (next !== undefined) this.#connect().start(next)
      else this.#tellDrain()
    }
    if (this.#connections.size === 0) this.#whenClosed?.()
  }

  #start(exchange: ClientExchange): boolean {
    const wantsNew = this.#wantsNew(exchange)
    const connection = wantsNew ? undefined : (this.#takeIdle() ?? this.#takeShared())
    if (connection !== undefined) {
      connection.start(exchange)
    } else {
      // One that has a worker makes room for the new one.
      if (wantsNew) this.#idle.shift()?.close()
      if (this.#connections.size >= this.#options.maxConnections) return false
      this.#connect().start(exchange)
    }
    return true
  }

  // What can not be sent twice must not meet a connection that the application may be closing at that moment.
  #wantsNew(exchange: ClientExchange): boolean {
    if (exchange.returned) return true
    const closes = performance.now() - this.#peerClosedAt < CLOSES_AGAIN_WITHIN
    return closes && !exchange.repeatable
  }

  #connect(): ClientConnection {
    const { keepConn, connectTimeout, observer } = this.#options
    const options = { keepConn, connectTimeout, observer }
    if (this.#connections.size === 0 && !this.#draining) this.#askValues()
    const connection = new ClientConnection(this.#address, options, this, ++this.#opened)
    this.#connections.add(connection)
    return connection
  }

  // For each new connection that waits in the application's queue a kept one is closed, which may occupy a worker.
  #makeRoom(): void {
    while (this.#idle.length > 0 && this.#queue.take()) this.#idle.shift()!.close()
  }

  #takeIdle(): ClientConnection | undefined {
    for (;;) {
      const connection = this.#idle.pop()
      if (connection === undefined || connection.usable) return connection
    }
  }

  #takeShared(): ClientConnection | undefined {
    if (this.#perConnection === 1) return undefined
    for (const connection of this.#connections) {
      if (connection.running < this.#perConnection && connection.usable) return connection
    }
    return undefined
  }

  // On a connection of its own: PHP-FPM, for one, closes the connection that such a question comes on. Asked
  // again whenever there is none left: another application may be there by then.
  #askValues(): void {
    const { multiplex, keepConn } = this.#options
    if (multiplex === 1 || !keepConn || this.#asking !== undefined) return
    this.#asking = new AbortController()
    const { signal } = this.#asking
    askValues(this.#address, ASK_TIMEOUT, signal, { keepsAlive: false })
      .then(
        ({ mpxsConns, maxReqs }) => {
          this.#perConnection =
            mpxsConns === true ? Math.max(1, Math.min(multiplex, maxReqs ?? multiplex)) : 1
        },
        () => {
          this.#perConnection = 1
        },
      )
      .finally(() => {
        this.#asking = undefined
        for (const connection of this.#connections) if (connection.running > 0) this.#fill(connection)
      })
  }

  // There is more room than was known.
  #fill(connection: ClientConnection): void {
    if (this.#waiting.length > 0 && this.#perConnection > 1 && connection.usable) this.onFree(connection)
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
