import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Exchange } from '@fcgi-bridge/core'
import { HttpServerEvents, RequestMessage } from '@fcgi-bridge/core/monitoring'
import type { InternalRequest, InternalResponse } from './internals.ts'
import { storeHeader } from './messages/outgoing.ts'
import type { ExchangeSocket } from './socket/exchange-socket.ts'

/** Calls the app's listener. `socket` is the socket of `request` and `response`. */
export type CallListener = (
  request: IncomingMessage,
  response: ServerResponse,
  socket: ExchangeSocket,
) => void

// A class, not an object literal, for the same reason as RequestMessage.
class Call {
  readonly socket: ExchangeSocket
  /** The `request.url` for the app, without the mount. */
  readonly url: string

  constructor(socket: ExchangeSocket, url: string) {
    this.socket = socket
    this.url = url
  }
}

// The request has its Call in this property, because tools may delay the call of the listener. A WeakMap would keep its values through V8's
// minor collections.
const kCall: unique symbol = Symbol('call')

interface Observed {
  [kCall]?: Call
}

/** Shows requests to monitoring tools: publishes and emits the events of node:http, in the order of lib/_http_server.js. */
export class ObservedRequests {
  readonly #events: HttpServerEvents
  readonly #emitRequest: CallListener | undefined

  /** If `server` is given, tools see its requests, and `callListener` emits its 'request'. */
  constructor(callListener: CallListener, server?: Server) {
    this.#emitRequest = server && callListener
    this.#events = new HttpServerEvents((request, response) => {
      const call = (request as Observed)[kCall]
      // Without a call, the request is not from this adapter: a tool emitted it.
      if (call === undefined) return
      request.url = call.url
      callListener(request, response, call.socket)
    }, server)
  }

  /** Whether a monitoring tool observes requests. */
  get isObserved(): boolean {
    return this.#events.isObserved
  }

  /**
   * Opens the socket and calls the listener through `emit('request')`. Sets `request.url` to `url` right before the call. Throws the
   * listener's error.
   */
  run(socket: ExchangeSocket, request: InternalRequest, response: InternalResponse, url: string): void {
    const message = new RequestMessage(request, response as unknown as ServerResponse, socket)
    this.#events.publishStart(message)
    renderHead(response, socket.exchange)
    socket.open(request, response)
    publishFirst(response, () => this.#events.publishFinish(message))
    if (this.#emitRequest !== undefined) {
      request.url = url
      this.#emitRequest(request, message.response, socket)
      return
    }
    ;(request as Observed)[kCall] = new Call(socket, url)
    this.#events.emitRequest(request, message.response)
  }
}

// node:http publishes in its own 'finish' listener, before it detaches the response from the socket.
function publishFirst(response: InternalResponse, publish: () => void): void {
  const own = response.listeners('finish').at(-1) as () => void
  response.removeListener('finish', own)
  response.on('finish', () => {
    publish()
    own.call(response)
  })
}

// Elastic reads the response headers from the HTTP/1.1 head that Node renders. The adapter renders it only for observed requests.
function renderHead(response: InternalResponse, exchange: Exchange): void {
  const { writeHead } = exchange
  let lines = ''
  // Create the closures separately: V8 pretenures closures assigned straight to a property, and each one would keep its request
  // alive until the next major collection.
  const noteHeaders: Exchange['writeHead'] = (status, headers = [], reason) => {
    writeHead.call(exchange, status, headers, reason)
    for (let i = 0; i < headers.length; i += 2) lines += `${headers[i]}: ${headers[i + 1]}\r\n`
  }
  const storeAndRender: InternalResponse['_storeHeader'] = (firstLine, headers) => {
    storeHeader.call(response, firstLine, headers)
    response._header = `${firstLine}${lines}\r\n`
  }
  exchange.writeHead = noteHeaders
  response._storeHeader = storeAndRender
}
