import { channel } from 'node:diagnostics_channel'
import { EventEmitter, setMaxListeners } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Handler } from '../exchange/exchange.ts'
import { checkOptions } from '../listen/check-options.ts'
import { listenOn } from '../listen/listen.ts'
import type { ListenOptions } from '../listen/listen-options.ts'
import type { Listener } from '../listen/listener.ts'
import { createFrontServer } from '../listen/net-server.ts'
import type { OpenSocket } from '../listen/open-socket.ts'
import type { ProtocolError } from '../protocol/error.ts'
import { type Handlers, toHandlers } from './handlers.ts'
import { withHealth } from './health.ts'
import { Host } from './host.ts'
import { SERVER_OPTION_NAMES } from './option-names.ts'
import { resolveOptions, type ServerOptions } from './options.ts'
import { countConnections, type ServerStats } from './stats.ts'

/**
 * The name of the channel of `node:diagnostics_channel` on which a {@link FastCgiServer} is published each time it listens on an address.
 * A process manager gets `stats()` from it, whichever copy of this package the program uses.
 */
export const SERVER_CHANNEL = 'fcgi-bridge.server'

const SERVER = channel(SERVER_CHANNEL)

const CALLBACK_ADVICE =
  'Write createServer(handler, options). To run code when the server listens, await server.listen().'

/** The events of a {@link FastCgiServer}. */
export interface ServerEvents {
  /** The server listens on one more address. */
  listening: [address: AddressInfo | string]
  /** A front server connected. */
  connection: [socket: Duplex]
  /** A peer sent invalid FastCGI. Its connection is closed. Other connections are not affected. */
  protocolError: [error: ProtocolError, remoteAddress: string | undefined]
  /** Everything is closed. */
  close: []
}

/**
 * Creates a FastCGI server. `handler` serves responder requests, or is an object with a handler for each role. Call `listen` next. Throws
 * a TypeError for an unknown option, a handler that is not a function, or `healthPath` without a responder, and a RangeError for a value out
 * of range.
 */
export function createServer(handler: Handler | Handlers, options: ServerOptions = {}): FastCgiServer {
  checkOptions(options, SERVER_OPTION_NAMES, CALLBACK_ADVICE)
  return new FastCgiServer(toHandlers(handler), options)
}

/** A FastCGI server with the conventions of net.Server. Create it with {@link createServer}. */
export class FastCgiServer extends EventEmitter<ServerEvents> {
  readonly #host: Host
  // Each listener, with the connections that it has accepted. Undefined: while it drains, the connections of all listeners count.
  readonly #listeners = new Map<Listener, WeakSet<Duplex> | undefined>()
  #addresses: (AddressInfo | string)[] = []
  #state: ServerStats['state'] = 'idle'
  #isReferenced = true
  #isCloseAnnounced = false
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
    const settings = resolveOptions(options)
    const { healthPath } = settings
    const isHealthy = (): boolean => !this.#isCloseAnnounced && this.#closed === undefined
    const all = healthPath === undefined ? handlers : withHealth(handlers, healthPath, isHealthy)
    this.#host = new Host(hostServer, all, settings)
  }

  /** Listens on one more address. Rejects with a message that says what to do if that is not possible. */
  async listen(options: ListenOptions): Promise<this> {
    this.#throwIfClosed()
    // `allowedServers` does not apply to a Unix socket, which its file mode protects.
    let isGuarded = options?.path === undefined
    const netServer = createFrontServer((socket) => this.#accept(socket, isGuarded))
    const listener = await listenOn(netServer, options)
    // Node does not know the path of a Unix socket that it did not bind.
    const address = netServer.address() ?? `fd ${options.fd}`
    isGuarded = typeof address !== 'string'
    if (this.#closed !== undefined) {
      await listener.close()
      this.#throwIfClosed()
    }
    this.#add(listener, address)
    return this
  }

  /** Serves a socket that already listens, and the connections that wait in it. */
  adopt(socket: OpenSocket): void {
    this.#throwIfClosed()
    // A socket of a front server can be TCP.
    const isGuarded = typeof socket.address !== 'string'
    const accepted = new WeakSet<Duplex>()
    this.#add(socket.listener, socket.address, accepted)
    socket.deliverTo((connection) => {
      accepted.add(connection)
      this.#accept(connection, isGuarded, true)
      connection.resume()
    })
  }

  /** Returns the (first) address on which the server listens; null if it does not listen. `fd 0` means an inherited Unix socket. */
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
    for (const listener of this.#listeners.keys()) listener.ref()
    return this
  }

  /** Lets the process end while the server listens. */
  unref(): this {
    this.#isReferenced = false
    for (const listener of this.#listeners.keys()) listener.unref()
    return this
  }

  /** Serves FastCGI over any byte stream, like an accepted socket. A closed server destroys the stream. */
  acceptStream(stream: Duplex): void {
    this.#serve(stream)
  }

  /** Makes `close` wait for `promise`, but no longer than `drainTimeout`. The caller must handle a rejection. */
  waitUntil(promise: Promise<unknown>): void {
    this.#host.waitFor(promise)
  }

  /**
   * Aborts when `close` is called. Responses that do not end by themselves, such as event streams, should end then. Add listeners with
   * `{ once: true }`, and remove them when the response ends.
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

  /**
   * Makes the health path (`healthPath`) respond with 503 from now on, so that load balancers stop sending requests. All requests are still
   * served. Call `close` once the balancers have noticed.
   */
  announceClose(): void {
    this.#isCloseAnnounced = true
  }

  /** Returns the current numbers of connections and requests. It iterates over all connections, so do not call it for each request. */
  stats(): ServerStats {
    const { acceptedConnections, acceptedRequests, refusedRequests, connections, pendingPromises } =
      this.#host
    return {
      state: this.#state,
      ...countConnections(connections),
      pendingPromises,
      acceptedConnections,
      acceptedRequests,
      refusedRequests,
    }
  }

  /**
   * Drains the server. Returns when everything is closed.
   *
   * Connections in the queue of a listening socket are accepted before the socket is closed. Requests that arrive on open connections are
   * served. Each connection is closed at the first of these events:
   *
   * - nginx closes it when it is idle, because the server asks nginx to do so.
   * - It had no request for 400 ms, or no first request for a second. This does not apply to nginx.
   * - It has sent its next response, if nginx sent that request.
   * - It has sent its next response after half of `drainTimeout`.
   *
   * Requests that are still running after `drainTimeout` are aborted. They get a 503 or, if the response has begun, it is truncated.
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
    const listeners = [...this.#listeners]
    this.#listeners.clear()
    const drained = listeners.map(([listener, accepted]) =>
      listener.drain(limit, () => this.#host.isAwaited(accepted)),
    )
    await this.#host.drain(Promise.all(drained))
    await Promise.all(listeners.map(([listener]) => listener.closed))
    this.#state = 'closed'
    this.emit('close')
  }

  #add(listener: Listener, address: AddressInfo | string, accepted?: WeakSet<Duplex>): void {
    this.#state = 'listening'
    this.#listeners.set(listener, accepted)
    if (!this.#isReferenced) listener.unref()
    this.#addresses.push(address)
    SERVER.publish(this)
    this.emit('listening', address)
  }

  #accept(socket: Socket, isGuarded: boolean, sendsRequest = false): void {
    const { allowedServers } = this.#host.options
    // A peer that has already disconnected has no address. It needs no response.
    const isStranger =
      isGuarded && allowedServers !== undefined && !allowedServers.allows(socket.remoteAddress ?? '')
    if (isStranger || this.#host.isFull) socket.destroy()
    else this.#serve(socket, sendsRequest)
  }

  #serve(stream: Duplex, sendsRequest?: boolean): void {
    if (this.#state === 'closed') {
      stream.destroy()
      return
    }
    this.#host.accept(stream, sendsRequest)
    this.emit('connection', stream)
  }

  #throwIfClosed(): void {
    if (this.#closed !== undefined) throw new Error('The server has been closed. Create a new one.')
  }
}
