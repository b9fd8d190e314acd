import { IncomingMessage, ServerResponse } from 'node:http'
import type { Exchange, Handler } from '@fcgi-bridge/core'
import type { InternalRequest, InternalResponse } from './internals.ts'
import { type CallListener, ObservedRequests } from './observed.ts'
import {
  defineRequest,
  defineResponse,
  type RequestConstructor,
  type ResponseConstructor,
} from './prototypes.ts'
import { ExchangeSocket } from './socket.ts'

/**
 * What `http.createServer` takes: an Express app, `app.callback()` of Koa, `app.routing` of a Fastify app that is ready, a
 * connect app, or any function of a request and a response.
 */
export type RequestListener = (request: IncomingMessage, response: ServerResponse) => unknown

/**
 * Makes a core handler of a listener, for `createServer` of `@fcgi-bridge/core`. What the listener throws, or rejects with, is the
 * exchange's failure: a 500 where no answer has begun, a cut one where it has.
 *
 * Give it the Express app itself rather than a function around it: on Node 20 and 22 a request then costs a fraction.
 * Throws a TypeError for what is no function.
 */
export function toHandler(listener: RequestListener): Handler {
  if (typeof listener !== 'function') {
    throw new TypeError(
      'The app is no request listener: (request, response) => …. Of a Koa app give app.callback(); of a Fastify app, ' +
        'after app.ready(), app.routing.',
    )
  }
  const makers = new Makers(listener)
  const call: CallListener = (request, response, socket) => {
    const result = listener(request, response)
    if (isThenable(result)) result.then(undefined, (error: unknown) => socket.fail(error))
  }
  const observers = new ObservedRequests(call)
  return (exchange) => handle(exchange, call, makers, observers)
}

function handle(exchange: Exchange, call: CallListener, makers: Makers, observers: ObservedRequests): void {
  const socket = new ExchangeSocket(exchange)
  makers.refresh()
  const request = new makers.Request(socket, exchange)
  const { observed } = observers
  const protocol = exchange.param('SERVER_PROTOCOL')
  if (observed) setHttpVersion(request, protocol)
  // node:http knows no mount: tools and performance entries see the whole target, the app what is below the mount.
  const { url } = request
  request.url = exchange.target
  const response = new makers.Response(request)
  if (observed) forgetHttpVersion(response)
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

/** The constructors of a listener's requests and responses: an Express app's have its own prototypes. */
class Makers {
  readonly #app: Readonly<Prototypes> | undefined
  Request: RequestConstructor
  Response: ResponseConstructor

  constructor(listener: RequestListener) {
    this.#app = hasPrototypes(listener) ? listener : undefined
    this.Request = defineRequest(this.#app?.request ?? IncomingMessage.prototype)
    this.Response = defineResponse(this.#app?.response ?? ServerResponse.prototype)
  }

  /** Follows an app that has been given other prototypes. */
  refresh(): void {
    const app = this.#app
    if (app === undefined) return
    if (app.request !== this.Request.prototype) this.Request = defineRequest(app.request)
    if (app.response !== this.Response.prototype) this.Response = defineResponse(app.response)
  }
}

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

// Node's constructor takes HTTP/2.0 for older than HTTP/1.1. How the body ends is FastCGI's to say.
function forgetHttpVersion(response: InternalResponse): void {
  response.useChunkedEncodingByDefault = true
  response.shouldKeepAlive = true
}

// SERVER_PROTOCOL is what the client speaks with the front server: HTTP/1.0, HTTP/1.1, HTTP/2.0, HTTP/3.0.
function setHttpVersion(request: InternalRequest, protocol: string | undefined): void {
  if (protocol === undefined || protocol === 'HTTP/1.1') return
  const match = /^HTTP\/(\d)(?:\.(\d))?$/.exec(protocol)
  if (match === null) return
  request.httpVersionMajor = Number(match[1])
  request.httpVersionMinor = Number(match[2] ?? 0)
  request.httpVersion = `${request.httpVersionMajor}.${request.httpVersionMinor}`
}
