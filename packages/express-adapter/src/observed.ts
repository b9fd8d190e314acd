import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Exchange } from '@fcgi-bridge/core'
import { HiddenServer, RequestMessage } from '@fcgi-bridge/core/monitoring'
import type { InternalRequest, InternalResponse } from './internals.ts'
import { storeHeader } from './outgoing.ts'
import type { ExchangeSocket } from './socket.ts'

/** Calls the app's listener for a request that the exchange's socket belongs to. */
export type CallListener = (
  request: IncomingMessage,
  response: ServerResponse,
  socket: ExchangeSocket,
) => void

// A class for the reason that RequestMessage has.
class Call {
  readonly socket: ExchangeSocket
  /** `request.url` for the app: without the mount. */
  readonly url: string

  constructor(socket: ExchangeSocket, url: string) {
    this.socket = socket
    this.url = url
  }
}

// On the request, because tools may put off the call of the listener. Not in a WeakMap: V8's minor collections keep its values.
const kCall: unique symbol = Symbol('call')

interface Observed {
  [kCall]?: Call
}

/** Requests that monitoring tools see: the events of node:http for them, in the order of lib/_http_server.js. */
export class ObservedRequests {
  readonly #server: HiddenServer
  readonly #emitRequest: CallListener | undefined

  /** With `server`, tools see requests of that server, and `callListener` emits its 'request' itself. */
  constructor(callListener: CallListener, server?: Server) {
    this.#emitRequest = server && callListener
    this.#server = new HiddenServer((request, response) => {
      const call = (request as Observed)[kCall]
      // The request is not one of ours: a tool emitted it.
      if (call === undefined) return
      request.url = call.url
      callListener(request, response, call.socket)
    }, server)
  }

  /** Whether anybody sees more than the app does. */
  get observed(): boolean {
    return this.#server.observed
  }

  /**
   * Opens the exchange's socket and calls the listener by way of `emit('request')`. `request.url` becomes `url` when the listener
   * is called. Throws what the listener throws.
   */
  run(socket: ExchangeSocket, request: InternalRequest, response: InternalResponse, url: string): void {
    const message = new RequestMessage(request, response as unknown as ServerResponse, socket)
    this.#server.publishStart(message)
    renderHead(response, socket.exchange)
    socket.open(request, response)
    publishFirst(response, () => this.#server.publishFinish(message))
    if (this.#emitRequest !== undefined) {
      request.url = url
      this.#emitRequest(request, message.response, socket)
      return
    }
    ;(request as Observed)[kCall] = new Call(socket, url)
    this.#server.emitRequest(request, message.response)
  }
}

// node:http publishes in its own listener for 'finish', before it takes the response off the socket.
function publishFirst(response: InternalResponse, publish: () => void): void {
  const own = response.listeners('finish').at(-1) as () => void
  response.removeListener('finish', own)
  response.on('finish', () => {
    publish()
    own.call(response)
  })
}

// Elastic reads the headers of a response from the text that Node renders for HTTP/1.1. It is rendered only for observed requests.
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
