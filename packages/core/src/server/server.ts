import { EventEmitter, setMaxListeners } from 'node:events'
import { type AddressInfo, createServer as createNetServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Handler } from '../exchange/exchange.ts'
import { checkOptions } from '../listen/check-options.ts'
import { listenOn } from '../listen/listen.ts'
import type { ListenOptions } from '../listen/listen-options.ts'
import type { Listener } from '../listen/listener.ts'
import type { ProtocolError } from '../protocol/error.ts'
import { type Handlers, toHandlers } from './handlers.ts'
import { Host } from './host.ts'
import { SERVER_OPTION_NAMES } from './option-names.ts'
import { resolveOptions, type ServerOptions } from './options.ts'
import { countConnections, type ServerStats } from './stats.ts'

/** The events of a {@link FastCgiServer}. */
export interface ServerEvents {
  /** It listens on one more address. */
  listening: [address: AddressInfo | string]
  /** A front server connected. */
  connection: [socket: Duplex]
  /** A peer sent bytes that are not FastCGI. Its connection is closed; nothing else is affected. */
  protocolError: [error: ProtocolError, remoteAddress: string | undefined]
  /** Everything is closed. */
  close: []
}

/**
 * Makes a FastCGI server: `handler` serves responder requests, or each role has its own handler. Call `listen` next. Throws a
 * TypeError for an unknown option or a handler that is not a function, and a RangeError for a value out of range.
 */
export function createServer(handler: Handler | Handlers, options: ServerOptions = {}): FastCgiServer {
  checkOptions(options, SERVER_OPTION_NAMES)
  return new FastCgiServer(toHandlers(handler), options)
}

/** A FastCGI server with the conventions of net.Server. {@link createServer} makes it. */
export class FastCgiServer extends EventEmitter<ServerEvents> {
  readonly #host: Host
  readonly #listeners: Listener[] = []
  #addresses: (AddressInfo | string)[] = []
  #state: ServerStats['state'] = 'idle'
  #isReferenced = true
  #closed: Promise<void> | undefined
  #drainController: AbortController | undefined

  constructor(handlers: Handlers, options: ServerOptions) {
    super()
    const server: FastCgiServer = this
    const hostServer = {
      get draining(): AbortSignal {
        return server.draining
      },
      onProtocolError(error: ProtocolError, remoteAddress: string | undefined): void {
        server.emit('protocolError', error, remoteAddress)
      },
    }
    this.#host = new Host(hostServer, handlers, resolveOptions(options))
  }

  /** Listens on one more address. Rejects with a message that says what to do if that is not possible. */
  async listen(options: ListenOptions): Promise<this> {
    this.#throwIfClosed()
    // The file mode protects a Unix socket.
    let isGuarded = options.path === undefined
    const netServer = createNetServer(
      // Half-open: a peer that has sent its request may shut its write side and still wait for the response.
      { allowHalfOpen: true, noDelay: true, highWaterMark: 64 * 1024 },
      (socket) => this.#accept(socket, isGuarded),
    )
    const listener = await listenOn(netServer, options)
    // Node does not know the path of a Unix socket that it did not bind.
    const address = netServer.address() ?? `fd ${options.fd}`
    isGuarded = typeof address !== 'string'
    if (this.#closed !== undefined) {
      await listener.close()
      this.#throwIfClosed()
    }
    this.#state = 'listening'
    this.#listeners.push(listener)
    if (!this.#isReferenced) listener.unref()
    this.#addresses.push(address)
    // An error means that the process has no free file descriptor. Accepting continues once there is one.
    netServer.on('error', () => {})
    this.emit('listening', address)
    return this
  }

  /** The address it listens on, the first one if there are several; null if it does not listen. `fd 0` is an inherited Unix socket. */
  address(): AddressInfo | string | null {
    return this.#addresses[0] ?? null
  }

  /** Closes the connections on which no request runs. */
  closeIdleConnections(): void {
    this.#host.closeIdleConnections()
  }

  /** Closes all connections, and aborts the requests that run, as `close` does after `drainTimeout`. */
  closeAllConnections(): void {
    this.#host.closeAllConnections()
  }

  /** Keeps the process alive while the server listens. This is the default. */
  ref(): this {
    this.#isReferenced = true
    for (const listener of this.#listeners) listener.ref()
    return this
  }

  /** Lets the process end while the server listens. */
  unref(): this {
    this.#isReferenced = false
    for (const listener of this.#listeners) listener.unref()
    return this
  }

  /** Serves FastCGI over any byte stream, as over an accepted socket. A server that has closed destroys it. */
  acceptStream(stream: Duplex): void {
    if (this.#state === 'closed') {
      stream.destroy()
      return
    }
    this.#host.accept(stream)
    this.emit('connection', stream)
  }

  /** `close` waits for `promise` too, within `drainTimeout`. The caller handles a rejection. */
  waitUntil(promise: Promise<unknown>): void {
    this.#host.waitFor(promise)
  }

  /**
   * Aborts when `close` is called: responses that do not end by themselves, such as event streams, should end then. Add listeners with
   * `{ once: true }`, and remove them with the response.
   */
  get draining(): AbortSignal {
    if (this.#drainController === undefined) {
      this.#drainController = new AbortController()
      // Each running request may listen to it.
      setMaxListeners(0, this.#drainController.signal)
      if (this.#closed !== undefined) this.#drainController.abort()
    }
    return this.#drainController.signal
  }

  /** Counts the server's connections and requests now. It walks over all connections, so do not call it for each request. */
  stats(): ServerStats {
    const { acceptedConnections, acceptedRequests, connections, pendingPromises } = this.#host
    return {
      state: this.#state,
      ...countConnections(connections),
      pendingPromises,
      acceptedConnections,
      acceptedRequests,
    }
  }

  /**
   * Drains the server and settles when everything is closed. Connections that wait in the queue of a listening socket are accepted
   * before it is closed. Requests that arrive on open connections are served. A connection is closed once no request has come on it for
   * 400 ms, or after its next response if nginx sent that request, or, when half of `drainTimeout` has passed, after its next
   * response in any case. What still runs after `drainTimeout` is aborted: with a 503 if no response has begun, else the response is
   * cut.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    this.#state = 'draining'
    this.#addresses = []
    // `draining` must abort after `close()` has returned its promise, because a listener may call `close()`.
    process.nextTick(() => this.#drainController?.abort())
    const limit = this.#host.options.drainTimeout / 2
    const listeners = this.#listeners.splice(0)
    const stopped = Promise.all(listeners.map((listener) => listener.drain(limit, () => this.#host.awaited)))
    await this.#host.drain(stopped)
    await Promise.all(listeners.map((listener) => listener.closed))
    this.#state = 'closed'
    this.emit('close')
  }

  #accept(socket: Socket, isGuarded: boolean): void {
    const { allowedServers } = this.#host.options
    // A peer that has already disconnected has no address, and needs no response.
    const isStranger =
      isGuarded && allowedServers !== undefined && !allowedServers.allows(socket.remoteAddress ?? '')
    if (isStranger || this.#host.isFull) socket.destroy()
    else this.acceptStream(socket)
  }

  #throwIfClosed(): void {
    if (this.#closed !== undefined) throw new Error('The server was closed: make a new one.')
  }
}
