import { channel } from 'node:diagnostics_channel'
import { EventEmitter } from 'node:events'
import { type IncomingMessage, Server, type ServerResponse } from 'node:http'

/**
 * The message that node:http publishes on `http.server.request.start` and `http.server.response.finish`.
 *
 * It is a class because V8 pretenures objects of a literal: when some of them survive minor collections, V8 allocates the next ones in the
 * old generation. Each then keeps its request alive until the next major collection. With OpenTelemetry, that took half of the CPU time
 * of a request. V8 does not do this for instances of a class.
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

/**
 * Replaces the values of `host` and `user-agent` in raw headers (name, value, name, value …, names in lower case) by equal strings that share
 * no memory with the params. Tools keep these two until they send their spans. V8 represents a value of 13 characters or more as a slice
 * of the string with all params, and each such slice keeps that string in memory.
 */
export function separateKeptHeaders(rawHeaders: readonly string[]): void {
  const list = rawHeaders as string[]
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i]
    if (name === 'host') list[i + 1] = separateHost(list[i + 1]!)
    else if (name === 'user-agent') list[i + 1] = separate(list[i + 1]!)
  }
}

// A server has few hosts, and most requests have the same host as the one before.
let lastHost = ''

function separateHost(host: string): string {
  if (host !== lastHost) lastHost = separate(host)
  return lastHost
}

// V8 copies the characters of a concatenation when it is sliced.
function separate(value: string): string {
  return ` ${value}`.slice(1)
}

// Keep these channels alive, because node:diagnostics_channel holds a channel without subscribers only weakly.
const requestStart = channel('http.server.request.start')
const responseCreated = channel('http.server.response.created')
const responseFinish = channel('http.server.response.finish')

// Undefined if a tool replaced `emit` of all emitters before this module was loaded. Every request then counts as observed.
const nodeEmit: EventEmitter['emit'] | undefined = Function.prototype.toString
  .call(EventEmitter.prototype.emit)
  .includes('kErrorMonitor')
  ? EventEmitter.prototype.emit
  : undefined

/**
 * Publishes and emits the events of an `http.Server` for an adapter that has none. Monitoring tools observe HTTP requests through the
 * diagnostics channels of node:http and through `emit('request')` of an `http.Server`.
 *
 * An adapter checks {@link isObserved} for each request. If it is false, no tool can notice a difference, and the adapter calls its app
 * directly. If it is true, the adapter creates the request and the response, and calls, in the order of lib/_http_server.js,
 * {@link publishStart}, {@link emitRequest}, and {@link publishFinish} as the first listener of the response's 'finish'.
 */
export class HttpServerEvents {
  readonly #listener: (request: IncomingMessage, response: ServerResponse) => void
  readonly #appServer: Server | undefined
  #server: Server | undefined

  /**
   * `listener` becomes the listener for 'request' of an `http.Server` that never listens. If the app has an `http.Server`, pass it as
   * `appServer`. It is then published in place of the other one, and the adapter emits its 'request' itself.
   */
  constructor(listener: (request: IncomingMessage, response: ServerResponse) => void, appServer?: Server) {
    this.#listener = listener
    this.#appServer = appServer
  }

  /** Whether a tool has subscribed to a channel, has replaced `emit` of all `http.Server`s, or has changed this `http.Server`. */
  get isObserved(): boolean {
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

  /** Emits 'request'. Throws if the listener throws. */
  emitRequest(request: IncomingMessage, response: ServerResponse): void {
    this.#lazyServer.emit('request', request, response)
  }

  /** Publishes `http.server.response.finish`. */
  publishFinish(message: RequestMessage): void {
    if (responseFinish.hasSubscribers) responseFinish.publish(this.#complete(message))
  }

  #complete({ request, response, socket }: RequestMessage): object {
    return { request, response, socket, server: this.#appServer ?? this.#lazyServer }
  }

  get #lazyServer(): Server {
    this.#server ??= new Server(this.#listener)
    return this.#server
  }
}

// A subscriber may have kept the server that it received in a message, and changed it.
function isChanged(server: Server): boolean {
  return server.emit !== nodeEmit || server.listenerCount('request') !== 1
}
