import { IncomingMessage, ServerResponse } from 'node:http'
import type { Exchange, Handler } from '@fcgi-bridge/core'
import { type FrameworkApp, recognizeFramework } from './app/framework.ts'
import type { RequestListener } from './app/listener.ts'
import { fetchHandlerError } from './app/returned-response.ts'
import type { InternalRequest, InternalResponse } from './internals.ts'
import {
  defineRequest,
  defineResponse,
  type RequestConstructor,
  type ResponseConstructor,
  wrapRequestClass,
  wrapResponseClass,
} from './messages/prototypes.ts'
import { type CallListener, ObservedRequests } from './observed.ts'
import type { ExchangeSocket } from './socket/exchange-socket.ts'
import { createSocket } from './socket/tls-socket.ts'

/**
 * Turns an app into a handler for `createServer` of `@fcgi-bridge/core`. If the listener throws or rejects before the response head was
 * sent, the response is a 500. If it does so later, the response is cut off.
 *
 * `app` is a listener, an Express or connect app, an `http.Server` that does not listen, or a Koa, Fastify, NestJS or hapi app.
 * If the app has to start, requests wait until it has started. If it fails to start, all requests fail.
 *
 * Pass the Express app itself rather than a function around it: on Node 20 and 22 a request then takes a fraction of the CPU time.
 * Throws a TypeError if `app` is none of these.
 */
export function toHandler(app: RequestListener | FrameworkApp): Handler {
  const recognized = recognizeFramework(app)
  if (recognized === undefined) return listenerToHandler(app as RequestListener)
  const handler = listenerToHandler(recognized.listener)
  let starting = recognized.ready?.().then(() => {
    starting = undefined
  })
  // Each request reports the failure.
  starting?.catch(() => {})
  return (exchange) => (starting === undefined ? handler(exchange) : starting.then(() => handler(exchange)))
}

/** Like {@link toHandler}, for a listener. Throws a TypeError if `listener` is not a function. */
export function listenerToHandler(listener: RequestListener): Handler {
  if (typeof listener !== 'function') {
    const isFetch = typeof (listener as { fetch?: unknown } | null | undefined)?.fetch === 'function'
    throw new TypeError(
      isFetch
        ? 'The app has a fetch method. Serve it with @fcgi-bridge/fetch-adapter.'
        : 'The app is not a request listener. Pass (request, response) => …, an Express or connect app, an http.Server, or a Koa ' +
            '(or app.callback()), Fastify, NestJS or hapi app.',
    )
  }
  const constructors = new MessageConstructors(listener)
  const call: CallListener = (request, response, socket) => {
    const result = listener(request, response)
    if (isThenable(result)) {
      result.then(
        (value) => checkResult(value, listener, response, socket),
        (error: unknown) => socket.fail(error),
      )
    } else if (result !== undefined) checkResult(result, listener, response, socket)
  }
  const observers = new ObservedRequests(call)
  return (exchange) => handle(exchange, call, constructors, observers)
}

/** Makes the request and the response of an exchange, and passes them to `call`. */
export function handle(
  exchange: Exchange,
  call: CallListener,
  constructors: MessageConstructors,
  observers: ObservedRequests,
): void {
  const socket = createSocket(exchange)
  constructors.refresh()
  const request = new constructors.Request(socket, exchange)
  const observed = observers.isObserved
  const protocol = exchange.param('SERVER_PROTOCOL')
  if (observed) setHttpVersion(request, protocol)
  // node:http has no mounts: monitoring tools and performance entries see the whole target. The app sees the path below the mount.
  const { url } = request
  request.url = exchange.target
  const response = new constructors.Response(request)
  if (observed) useHttp11Defaults(response)
  else setHttpVersion(request, protocol)
  try {
    if (observed) {
      observers.run(socket, request, response, url!)
    } else {
      request.url = url!
      socket.open(request, response)
      call(request, response as unknown as ServerResponse, socket)
    }
  } catch (error) {
    socket.fail(error)
  }
  socket.opened()
}

// A fetch handler never ends the response. Without this check the request would wait until the front server times out.
function checkResult(
  value: unknown,
  listener: RequestListener,
  response: ServerResponse,
  socket: ExchangeSocket,
): void {
  const error = fetchHandlerError(listener.length, value)
  if (error !== undefined && !response.headersSent && !response.writableEnded) socket.fail(error)
}

/** The classes of a server's requests and responses, if they are not Node's: options of `http.createServer()`. */
export interface MessageClasses {
  readonly Request?: (new (socket: ExchangeSocket) => InternalRequest) | undefined
  readonly Response?: (new (request: InternalRequest, options: object) => InternalResponse) | undefined
}

/**
 * The constructors of a listener's requests and responses. Those of an Express app have the app's own prototypes, unless the server has
 * classes of its own: Express then sets the prototypes itself, as over HTTP.
 */
export class MessageConstructors {
  readonly #app: Readonly<Prototypes> | undefined
  readonly #classes: MessageClasses
  Request: RequestConstructor
  Response: ResponseConstructor

  constructor(listener: RequestListener, classes: MessageClasses = {}) {
    const { Request, Response } = classes
    this.#app = hasPrototypes(listener) ? listener : undefined
    this.#classes = classes
    this.Request = Request ? wrapRequestClass(Request) : defineRequest(this.#app?.request ?? REQUEST)
    this.Response = Response ? wrapResponseClass(Response) : defineResponse(this.#app?.response ?? RESPONSE)
  }

  /** Uses the prototypes that the app has now, because code can replace `app.request` and `app.response` at any time. */
  refresh(): void {
    const app = this.#app
    if (app === undefined) return
    const { Request, Response } = this.#classes
    if (!Request && app.request !== this.Request.prototype) this.Request = defineRequest(app.request)
    if (!Response && app.response !== this.Response.prototype) this.Response = defineResponse(app.response)
  }
}

const REQUEST = IncomingMessage.prototype
const RESPONSE = ServerResponse.prototype

interface Prototypes {
  request: object
  response: object
}

function hasPrototypes(listener: object): listener is Prototypes {
  const { request, response } = listener as Partial<Prototypes>
  return request instanceof IncomingMessage && response instanceof ServerResponse
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function'
}

// Node's constructor treats HTTP/2.0 like a version before HTTP/1.1. FastCGI marks the end of the body, whatever the HTTP version.
function useHttp11Defaults(response: InternalResponse): void {
  response.useChunkedEncodingByDefault = true
  response.shouldKeepAlive = true
}

// SERVER_PROTOCOL is the protocol between the client and the front server: HTTP/1.0, HTTP/1.1, HTTP/2.0, HTTP/3.0.
function setHttpVersion(request: InternalRequest, protocol: string | undefined): void {
  if (protocol === undefined || protocol === 'HTTP/1.1') return
  const match = /^HTTP\/(\d)(?:\.(\d))?$/.exec(protocol)
  if (match === null) return
  request.httpVersionMajor = Number(match[1])
  request.httpVersionMinor = Number(match[2] ?? 0)
  request.httpVersion = `${request.httpVersionMajor}.${request.httpVersionMinor}`
}
