import { EventEmitter } from 'node:events'
import {
  type AddressInfo,
  createServer as createNetServer,
  type Server as NetServer,
  type Socket,
} from 'node:net'
import type { Duplex } from 'node:stream'
import { findMount } from '../cgi/mount.ts'
import { Connection, type ConnectionHost } from '../connection/connection.ts'
import { describeError } from '../exchange/error.ts'
import type { Exchange, Handler, Role } from '../exchange/exchange.ts'
import type { ExchangeSettings } from '../exchange/server-exchange.ts'
import { checkOptions } from '../listen/check-options.ts'
import { type CloseListener, listenOn } from '../listen/listen.ts'
import type { ListenOptions } from '../listen/listen-options.ts'
import type { ProtocolError } from '../protocol/error.ts'
import { type Handlers, toHandlers } from './handlers.ts'
import { mainProgram } from './main-program.ts'
import { SERVER_OPTION_NAMES } from './option-names.ts'
import { resolveOptions, type ServerOptions, type Settings } from './options.ts'
import type { ServerEvents } from './server-events.ts'
import { sweep } from './timeouts.ts'

// Milliseconds between two looks at what has waited too long; also the grain of the time-outs.
const TICK = 1000

/**
 * Makes a FastCGI server: `handler` serves responder requests, or each role has its own handler. Call `listen`
 * next. Throws a TypeError for an unknown option or a handler that is no function, and a RangeError for a value out of
 * range.
 */
export function createServer(handler: Handler | Handlers, options: ServerOptions = {}): FastCgiServer {
  checkOptions(options, SERVER_OPTION_NAMES)
  return new FastCgiServer(toHandlers(handler), options)
}

/** A FastCGI server, with the habits of net.Server; made by {@link createServer}. */
export class FastCgiServer extends EventEmitter<ServerEvents> {
  readonly #host: Host
  readonly #closeListeners: CloseListener[] = []
  readonly #listeners = new Set<NetServer>()
  #isReferenced = true
  #addresses: (AddressInfo | string)[] = []
  #closed: Promise<void> | undefined

  constructor(handlers: Handlers, options: ServerOptions) {
    super()
    this.#host = new Host(this, handlers, resolveOptions(options))
  }

  /** Listens on one more address. Rejects with a message that says what to do when that is not possible. */
  async listen(options: ListenOptions): Promise<this> {
    this.#throwIfClosed()
    // A Unix socket is guarded by its mode.
    let guarded = options.path === undefined
    const listener = createNetServer(
      // Half-open: a peer that has sent its request may shut its write side and still wait for the answer.
      { allowHalfOpen: true, noDelay: true, highWaterMark: 64 * 1024 },
      (socket) => this.#accept(socket, guarded),
    )
    const closeListener = await listenOn(listener, options)
    const address = addressOf(listener, options)
    guarded = typeof address !== 'string'
    if (this.#closed !== undefined) await closeListener()
    this.#throwIfClosed()
    this.#closeListeners.push(closeListener)
    this.#listeners.add(listener)
    if (!this.#isReferenced) listener.unref()
    this.#addresses.push(address)
    // A full table of file descriptors comes as an error; accepting goes on when there is room again.
    listener.on('error', () => {})
    this.emit('listening', address)
    return this
  }

  /** Open connections of front servers. */
  get connectionCount(): number {
    return this.#host.connectionCount
  }

  /** Closes the connections on which no request runs. */
  closeIdleConnections(): void {
    this.#host.closeIdleConnections()
  }

  /** Closes all connections. Requests that run are aborted, as when `drainTimeout` is over. */
  closeAllConnections(): void {
    this.#host.closeAllConnections()
  }

  /** The process stays alive while the server listens (the default). */
  ref(): this {
    this.#isReferenced = true
    for (const listener of this.#listeners) listener.ref()
    return this
  }

  /** That the server listens does not keep the process alive. */
  unref(): this {
    this.#isReferenced = false
    for (const listener of this.#listeners) listener.unref()
    return this
  }

  /** Where it listens (the first address, if there are several); null when it does not. `fd 0` is an inherited Unix socket. */
  address(): AddressInfo | string | null {
    return this.#addresses[0] ?? null
  }

  /** Serves FastCGI over any byte stream, as over an accepted socket. A server that was closed destroys it. */
  acceptStream(stream: Duplex): void {
    if (this.#closed !== undefined) {
      stream.destroy()
      return
    }
    this.#host.accept(stream)
    this.emit('connection', stream)
  }

  /** `close` waits for `promise` too, within its deadline. A rejection is the caller's to handle. */
  waitUntil(promise: Promise<unknown>): void {
    this.#host.waitFor(promise)
  }

  /**
   * Stops accepting, closes idle connections, lets running requests finish, and settles when all is closed. What still runs after
   * `drainTimeout` is aborted: with a 503 where no answer has begun, else cut.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const ends = this.#closeListeners.map((closeListener) => closeListener())
    this.#addresses = []
    await this.#host.close()
    await Promise.all(ends)
    this.emit('close')
  }

  #accept(socket: Socket, guarded: boolean): void {
    const { allowedServers } = this.#host.options
    // A peer that is gone again has no address, and what it sent is nobody's.
    const stranger =
      guarded && allowedServers !== undefined && !allowedServers.allows(socket.remoteAddress ?? '')
    if (stranger || this.#host.isFull) socket.destroy()
    else this.acceptStream(socket)
  }

  #throwIfClosed(): void {
    if (this.#closed !== undefined) throw new Error('The server was closed: make a new one.')
  }
}

// Node does not know the path of a Unix socket that it did not bind.
function addressOf(listener: NetServer, { fd }: ListenOptions): AddressInfo | string {
  return listener.address() ?? `fd ${fd}`
}

/** What the connections share; the server's own side of it is private to it. */
class Host implements ConnectionHost {
  readonly options: Settings
  readonly settings: ExchangeSettings
  readonly #server: FastCgiServer
  readonly #handlers: Handlers
  readonly #connections = new Set<Connection>()
  readonly #pending = new Set<Promise<unknown>>()
  #requests = 0
  #timer: NodeJS.Timeout | undefined
  #onEmpty: (() => void) | undefined
  tick = 0
  closing = false

  constructor(server: FastCgiServer, handlers: Handlers, options: Settings) {
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
    }
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  get isFull(): boolean {
    return this.#connections.size >= this.options.maxConnections
  }

  accept(stream: Duplex): void {
    this.#connections.add(new Connection(stream, this))
    this.#timer ??= setInterval(() => {
      this.tick++
      sweep(this.#connections, this.tick, TICK, this.options)
    }, TICK).unref()
  }

  handlerFor(role: Role): Handler | undefined {
    return this.#handlers[role]
  }

  admit(): boolean {
    if (this.#requests >= this.options.maxRequests) return false
    this.#requests++
    return true
  }

  release(): void {
    this.#requests--
  }

  onProtocolError(error: ProtocolError, connection: Connection): void {
    const { remoteAddress } = connection.socket as Partial<Socket>
    this.#server.emit('protocolError', error, remoteAddress)
  }

  onClose(connection: Connection): void {
    this.#connections.delete(connection)
    if (this.#connections.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#onEmpty?.()
  }

  waitFor(promise: Promise<unknown>): void {
    const settled: Promise<unknown> = promise.then(
      () => this.#pending.delete(settled),
      () => this.#pending.delete(settled),
    )
    this.#pending.add(settled)
  }

  async close(): Promise<void> {
    let deadline: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      deadline = setTimeout(resolve, this.options.drainTimeout)
    })
    // Requests that are in the sockets by now run already, as far as the front servers know: they are read first.
    for (let turns = 0; turns < 2; turns++) await new Promise(setImmediate)
    this.closing = true
    for (const connection of [...this.#connections]) connection.drain()
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve
      if (this.#connections.size === 0) resolve()
    })
    await Promise.race([empty.then(() => this.#settled()), late])
    clearTimeout(deadline)
    this.closeAllConnections()
    await empty
  }

  closeIdleConnections(): void {
    for (const connection of [...this.#connections]) if (connection.idle) connection.drain()
  }

  closeAllConnections(): void {
    for (const connection of [...this.#connections]) {
      connection.destroy('FCGI_ERR_SHUTDOWN', 'The server closed before the request was answered.', 503)
    }
  }

  // Requests may add to what is pending until the last one has ended, and what is pending may add more.
  async #settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending)
  }

  #report(error: unknown, exchange: Exchange): void {
    try {
      // It may be an async function, whatever its type says.
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
