import { realpathSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { findMount } from '../cgi/mount.ts'
import { Connection, type ConnectionHost } from '../connection/connection.ts'
import { describeError } from '../exchange/error.ts'
import type { Exchange, Handler, Role } from '../exchange/exchange.ts'
import type { ExchangeSettings } from '../exchange/server-exchange.ts'
import type { ProtocolError } from '../protocol/error.ts'
import type { Handlers } from './handlers.ts'
import type { Settings } from './options.ts'
import { sweep } from './timeouts.ts'

// Milliseconds between two checks of the time-outs. It is also their resolution.
const TICK = 1000

/** What a {@link Host} needs from its server. */
interface HostServer {
  /** Aborts when the server begins to drain. */
  readonly draining: AbortSignal
  /** Called when a peer has violated the protocol. */
  onProtocolError(error: ProtocolError, remoteAddress: string | undefined): void
}

/** The connections of a server, and the state that they share. */
export class Host implements ConnectionHost {
  readonly options: Settings
  readonly settings: ExchangeSettings
  readonly #server: HostServer
  readonly #handlers: Handlers
  readonly #connections = new Set<Connection>()
  readonly #pending = new Set<Promise<unknown>>()
  #runningRequests = 0
  #timer: NodeJS.Timeout | undefined
  // Called when no connection is open. `drain` can wait for that twice at a time.
  readonly #onEmpty: (() => void)[] = []
  tick = 0
  closing = false
  drainHalfOver = false
  /** Connections that have been accepted so far. */
  acceptedConnections = 0
  /** Requests that have begun so far, without those that were refused because of `maxRequests`. */
  acceptedRequests = 0
  /** Requests that got FCGI_OVERLOADED so far. */
  refusedRequests = 0

  constructor(server: HostServer, handlers: Handlers, options: Settings) {
    this.#server = server
    this.#handlers = handlers
    this.options = options
    const program = mainProgram()
    this.settings = {
      maxParamsBytes: options.maxParamsBytes,
      maxParamsCount: options.maxParamsCount,
      maxHeaderBytes: options.maxHeaderBytes,
      maxBodyBytes: options.maxBodyBytes,
      maxStderrBytes: options.maxStderrBytes,
      findMount: (params, target) => findMount(params, target, options.mount, program),
      onError: (error, exchange) => this.#report(error, exchange),
      waitUntil: (promise) => this.waitFor(promise),
      draining: () => server.draining,
    }
  }

  get connections(): ReadonlySet<Connection> {
    return this.#connections
  }

  get isFull(): boolean {
    return this.#connections.size >= this.options.maxConnections
  }

  /** Whether a front server waits for a response on a connection in `sockets`, or on any connection if `sockets` is undefined. */
  isAwaited(sockets: WeakSet<Duplex> | undefined): boolean {
    for (const connection of this.#connections) {
      if (connection.awaited && (sockets === undefined || sockets.has(connection.socket))) return true
    }
    return false
  }

  /** The number of promises passed to {@link waitFor} that have not settled. */
  get pendingPromises(): number {
    return this.#pending.size
  }

  /** Serves a new connection. See {@link Connection} for `sendsRequest`. */
  accept(stream: Duplex, sendsRequest?: boolean): void {
    this.acceptedConnections++
    this.#connections.add(new Connection(stream, this, sendsRequest))
    this.#timer ??= setInterval(() => this.#onTick(), TICK).unref()
  }

  handlerFor(role: Role): Handler | undefined {
    return this.#handlers[role]
  }

  admit(): boolean {
    if (this.#runningRequests >= this.options.maxRequests) return false
    this.#runningRequests++
    this.acceptedRequests++
    return true
  }

  onRefused(): void {
    this.refusedRequests++
  }

  release(): void {
    this.#runningRequests--
  }

  onProtocolError(error: ProtocolError, connection: Connection): void {
    const { remoteAddress } = connection.socket as Partial<Socket>
    this.#server.onProtocolError(error, remoteAddress)
  }

  onClose(connection: Connection): void {
    this.#connections.delete(connection)
    if (this.#connections.size > 0) return
    if (this.closing) this.#stopTimer()
    for (const resolve of this.#onEmpty.splice(0)) resolve()
  }

  /** Makes {@link drain} wait for `promise`. */
  waitFor(promise: Promise<unknown>): void {
    const settled: Promise<unknown> = promise.then(
      () => this.#pending.delete(settled),
      () => this.#pending.delete(settled),
    )
    this.#pending.add(settled)
  }

  /**
   * Closes each connection when no request can be in transit on it. After `drainTimeout`, it closes all of them, and requests whose response
   * has not begun get a 503. `stopped` settles when no more connections can arrive. The returned promise settles when all are closed.
   */
  async drain(stopped: Promise<unknown>): Promise<void> {
    const { drainTimeout } = this.options
    let deadline: NodeJS.Timeout | undefined
    const expired = new Promise<void>((resolve) => {
      deadline = setTimeout(resolve, drainTimeout)
    })
    const halfTime = setTimeout(() => {
      this.drainHalfOver = true
    }, drainTimeout / 2)
    this.closing = true
    for (const connection of [...this.#connections]) connection.drain()
    await Promise.race([stopped.then(() => this.#whenEmpty()).then(() => this.#whenSettled()), expired])
    clearTimeout(deadline)
    clearTimeout(halfTime)
    this.closeAllConnections()
    await this.#whenEmpty()
  }

  /** Closes the connections on which no request runs. */
  closeIdleConnections(): void {
    for (const connection of [...this.#connections]) if (connection.requests === 0) connection.finish()
  }

  /** Aborts running requests and closes all connections. A request whose response has not begun gets a 503. */
  closeAllConnections(): void {
    for (const connection of [...this.#connections]) {
      connection.destroy(
        'FCGI_ERR_SHUTDOWN',
        'The server closed before the response was complete (drainTimeout).',
        503,
      )
    }
  }

  #onTick(): void {
    this.tick++
    // Not stopped with the last connection: without kept connections there would be a new timer for each request.
    if (this.#connections.size === 0) this.#stopTimer()
    else sweep(this.#connections, this.tick, TICK, this.options)
  }

  #stopTimer(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #whenEmpty(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#connections.size === 0) resolve()
      else this.#onEmpty.push(resolve)
    })
  }

  // Running requests and pending promises can add more promises.
  async #whenSettled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending)
  }

  #report(error: unknown, exchange: Exchange): void {
    try {
      // `onError` can be an async function, although its type does not say so.
      const result: unknown = this.options.onError(error, exchange)
      if (result instanceof Promise) result.catch(warn)
    } catch (second) {
      warn(second)
    }
  }
}

function warn(error: unknown): void {
  process.emitWarning(`The option onError threw: ${describeError(error)}`)
}

// Returns the path with which this process was started, with links resolved. SCRIPT_FILENAME is compared with it.
function mainProgram(): string | undefined {
  try {
    return realpathSync(process.argv[1]!)
  } catch {
    return undefined
  }
}
