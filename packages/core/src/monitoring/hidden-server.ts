import { channel } from 'node:diagnostics_channel'
import { EventEmitter } from 'node:events'
import { type IncomingMessage, Server, type ServerResponse } from 'node:http'

/**
 * What node:http publishes on `http.server.request.start` and `http.server.response.finish`.
 *
 * A class, not an object literal: when the objects of a literal survive V8's minor collections, V8 allocates the next ones in
 * the old generation. Each then keeps its request alive until the next major collection. While OpenTelemetry was on, that was
 * half of the CPU time of a request. V8 has no such rule for the instances of a class.
 */
export class RequestMessage {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** The connection, a net.Socket on node:http. */
  readonly socket: unknown

  constructor(request: IncomingMessage, response: ServerResponse, socket: unknown) {
    this.request = request
    this.response = response
    this.socket = socket
  }
}

// Kept for the life of the process: node:diagnostics_channel itself holds a channel without subscribers weakly.
const requestStart = channel('http.server.request.start')
const responseCreated = channel('http.server.response.created')
const responseFinish = channel('http.server.response.finish')

// Undefined if a tool replaced `emit` of all emitters before this module was loaded. Every request is then observed.
const nodeEmit: EventEmitter['emit'] | undefined = Function.prototype.toString
  .call(EventEmitter.prototype.emit)
  .includes('kErrorMonitor')
  ? EventEmitter.prototype.emit
  : undefined

/**
 * An `http.Server` that never listens. Monitoring tools see HTTP requests through the diagnostics channels of node:http and
 * through `emit('request')` of an `http.Server`; an adapter publishes and emits here what node:http would.
 *
 * An adapter asks {@link observed} for each request. If it is false, nobody can see a difference, and the adapter calls its app
 * directly. If it is true, the adapter makes the request and the response, and calls in the order of lib/_http_server.js:
 * {@link publishStart}, then {@link emitRequest}, and {@link publishFinish} as the first listener of the response's 'finish'.
 */
export class HiddenServer {
  readonly #listener: (request: IncomingMessage, response: ServerResponse) => void
  readonly #visible: Server | undefined
  #server: Server | undefined

  /**
   * `listener` becomes the server's listener for 'request'. If the app has an `http.Server` of its own, pass it as `visible`: it is
   * published in place of the hidden one, and the adapter emits its 'request' itself.
   */
  constructor(listener: (request: IncomingMessage, response: ServerResponse) => void, visible?: Server) {
    this.#listener = listener
    this.#visible = visible
  }

  /** Whether a tool subscribed to a channel, or changed how an `http.Server` emits: all of them, or this one. */
  get observed(): boolean {
    return (
      requestStart.hasSubscribers ||
      Server.prototype.emit !== nodeEmit ||
      responseFinish.hasSubscribers ||
      responseCreated.hasSubscribers ||
      (this.#server !== undefined && isChanged(this.#server))
    )
  }

  /** Publishes `http.server.request.start`. The response has no socket yet, as on node:http. */
  publishStart(message: RequestMessage): void {
    if (requestStart.hasSubscribers) requestStart.publish(this.#complete(message))
  }

  /** Emits 'request'. Throws what the listener throws. */
  emitRequest(request: IncomingMessage, response: ServerResponse): void {
    this.#made.emit('request', request, response)
  }

  /** Publishes `http.server.response.finish`. */
  publishFinish(message: RequestMessage): void {
    if (responseFinish.hasSubscribers) responseFinish.publish(this.#complete(message))
  }

  #complete({ request, response, socket }: RequestMessage): object {
    return { request, response, socket, server: this.#visible ?? this.#made }
  }

  get #made(): Server {
    this.#server ??= new Server(this.#listener)
    return this.#server
  }
}

// A subscriber got the server in a message, and may have stayed with it.
function isChanged(server: Server): boolean {
  return server.emit !== nodeEmit || server.listenerCount('request') !== 1
}
