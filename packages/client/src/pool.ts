import type { SocketAddress } from './address.ts'
import { ClientConnection } from './connection/connection.ts'
import type { ClientExchange } from './connection/exchange.ts'
import type { ConnectionOwner } from './connection/owner.ts'
import { QueueWatch } from './connection/queue-watch.ts'
import { askValues } from './connection/values.ts'
import type { ExchangeObserver } from './observer.ts'

/** The limits of a pool. Times are in milliseconds. */
export interface PoolOptions {
  readonly keepConn: boolean
  readonly connectTimeout: number
  readonly maxConnections: number
  readonly maxIdleConnections: number
  readonly idleTimeout: number
  /** The most concurrent requests on one connection, if the application can multiplex. 1: do not ask the application. */
  readonly multiplex: number
  readonly observer: ExchangeObserver | undefined
}

/** Receives the events of a pool's connections. */
export interface PoolEvents {
  onConnect(): void
  /** `error` is undefined if this side closed the connection. */
  onDisconnect(error: Error | undefined): void
  onConnectionError(error: Error): void
  /** There is room for another request. */
  onDrain(): void
}

// How long (milliseconds) an application may take to respond to FCGI_GET_VALUES. Some applications never respond to it.
const ASK_TIMEOUT = 1000

// If an application has closed a kept connection, it may close another one within this time (milliseconds).
const CLOSES_AGAIN_WITHIN = 60_000

/** The connections to one application, and the requests that wait for one. */
export class ConnectionPool implements ConnectionOwner<ClientConnection> {
  readonly #address: SocketAddress
  readonly #options: PoolOptions
  readonly #events: PoolEvents
  readonly #connections = new Set<ClientConnection>()
  readonly #connected = new WeakSet<ClientConnection>()
  #opened = 0
  // In the order of last use. The most recently used connection is used next, so that surplus connections time out.
  readonly #idle: ClientConnection[] = []
  #waiting: ClientExchange[] = []
  #full = false
  #draining = false
  #whenClosed: (() => void) | undefined
  // The most concurrent requests on a connection: 1 until the application has reported that it can multiplex.
  #perConnection = 1
  #valuesQuery: AbortController | undefined
  // When the application last closed a connection that it was asked to keep, as PHP-FPM does after pm.max_requests.
  #peerClosedAt = Number.NEGATIVE_INFINITY
  readonly #queue: QueueWatch = new QueueWatch(() => this.#makeRoom())
  #abortsIgnored = false

  constructor(address: SocketAddress, options: PoolOptions, events: PoolEvents) {
    this.#address = address
    this.#options = options
    this.#events = events
  }

  /** Sends a request on a kept or new connection. False: the request waits, because maxConnections are busy. */
  dispatch(exchange: ClientExchange): boolean {
    if (!this.#start(exchange)) {
      this.#waiting.push(exchange)
      this.#full = true
    }
    return !this.#full
  }

  /** Closes the idle connections. */
  closeIdle(): void {
    for (const connection of this.#idle) connection.close()
  }

  /** Finishes running and waiting requests. Settles when all connections are closed. */
  close(): Promise<void> {
    this.#draining = true
    this.#valuesQuery?.abort()
    this.closeIdle()
    return this.#closed()
  }

  /** Fails running and waiting requests. Settles when all connections are closed. */
  destroy(error: Error): Promise<void> {
    this.#draining = true
    this.#valuesQuery?.abort()
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
    this.#connected.add(connection)
    this.#queue.onOpen(connection)
    this.#events.onConnect()
  }

  onFirstBytes(connection: ClientConnection): void {
    this.#queue.forget(connection)
  }

  onFree(connection: ClientConnection): void {
    // Another connection waits in the application's queue, and had waited before this one took its last request. Close this one
    // to free a worker.
    if (connection.running === 0 && this.#queue.take(connection.lastStart)) {
      connection.close()
      return
    }
    while (connection.running < this.#perConnection && connection.usable) {
      const next = this.#nextWaiting()
      if (next === undefined) break
      if (this.#needsNewConnection(next)) {
        this.#waiting.unshift(next)
        // onClose opens a new connection in place of this one.
        if (connection.running === 0) connection.close()
        return
      }
      connection.start(next)
    }
    if (connection.running === 0) {
      if (this.#draining || this.#idle.length >= this.#options.maxIdleConnections) {
        connection.close()
      } else {
        connection.becomeIdle(this.#options.idleTimeout)
        this.#idle.push(connection)
        this.#makeRoom()
      }
    }
    if (this.#waiting.length === 0) this.#emitDrain()
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
    if (this.#connected.has(connection)) {
      if (byPeer) this.#peerClosedAt = performance.now()
      this.#events.onDisconnect(error)
    } else if (error !== undefined) {
      this.#events.onConnectionError(error)
    }

    for (const exchange of returned) if (!this.#start(exchange)) this.#waiting.unshift(exchange)
    if (this.#connections.size < this.#options.maxConnections) {
      const next = this.#nextWaiting()
      if (next !== undefined) this.#connect().start(next)
      else this.#emitDrain()
    }
    if (this.#connections.size === 0) this.#whenClosed?.()
  }

  #start(exchange: ClientExchange): boolean {
    const needsNewConnection = this.#needsNewConnection(exchange)
    const connection = needsNewConnection ? undefined : (this.#takeIdle() ?? this.#takeShared())
    if (connection !== undefined) {
      connection.start(exchange)
    } else {
      // A kept connection may occupy a worker that the new one needs.
      if (needsNewConnection) this.#idle.shift()?.close()
      if (this.#connections.size >= this.#options.maxConnections) return false
      this.#connect().start(exchange)
    }
    return true
  }

  // A request that cannot be sent twice must not use a kept connection that the application may be closing at that moment.
  #needsNewConnection(exchange: ClientExchange): boolean {
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

  // Closes one idle connection, which may occupy a worker, for each new connection that waits in the application's queue.
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

  // Uses a separate connection, because PHP-FPM, for example, closes a connection that FCGI_GET_VALUES arrives on. Asks again
  // when the pool connects after its last connection has closed, because another application may listen there by then.
  #askValues(): void {
    const { multiplex, keepConn } = this.#options
    if (multiplex === 1 || !keepConn || this.#valuesQuery !== undefined) return
    this.#valuesQuery = new AbortController()
    const { signal } = this.#valuesQuery
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
        this.#valuesQuery = undefined
        for (const connection of this.#connections) if (connection.running > 0) this.#fill(connection)
      })
  }

  // The application has reported that it can multiplex: start waiting requests on a connection that is in use.
  #fill(connection: ClientConnection): void {
    if (this.#waiting.length > 0 && this.#perConnection > 1 && connection.usable) this.onFree(connection)
  }

  #nextWaiting(): ClientExchange | undefined {
    for (;;) {
      const exchange = this.#waiting.shift()
      if (exchange === undefined || !exchange.closed) return exchange
    }
  }

  #emitDrain(): void {
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
