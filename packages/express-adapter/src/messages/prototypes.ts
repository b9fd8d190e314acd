import type { Exchange } from '@fcgi-bridge/core'
import {
  addNodeHeaderLine,
  type InternalRequest,
  type InternalResponse,
  initIncomingMessage,
  initServerResponse,
} from '../internals.ts'
import type { ExchangeSocket } from '../socket/exchange-socket.ts'
import { FcgiInfo } from './fcgi-info.ts'
import { end, finish, send, storeHeader, writeRaw } from './outgoing.ts'

/** A constructor of requests with a given prototype. */
export type RequestConstructor = new (socket: ExchangeSocket, exchange: Exchange) => InternalRequest

/** A constructor of responses with a given prototype. */
export type ResponseConstructor = new (request: InternalRequest) => InternalResponse

/** The properties with which connect and Express describe a mount. */
interface Mounted {
  originalUrl?: string
  baseUrl?: string
}

// Names of properties that are never set. See defineRequest.
interface ReservedSlots {
  [name: `r${number}`]: number
}

/**
 * Returns a constructor of requests whose prototype is `prototype`. Express sets the prototype of every request to `app.request`. On Node
 * 20 and 22 that change is most of the cost of a request. It costs nothing if the request already has that prototype.
 */
export function defineRequest(prototype: object): RequestConstructor {
  // A function, because the prototype of a class cannot be replaced. Its name appears in stack traces.
  function IncomingMessage(
    this: InternalRequest & Mounted & ReservedSlots,
    socket: ExchangeSocket,
    exchange: Exchange,
  ): void {
    if (socket === undefined) {
      // Never runs. V8 reserves space in an object for as many properties as it finds assigned in the constructor's body. It does not
      // look into Node's constructors, which are called from here. Without the space a request costs up to twice as much. V8 frees
      // the unused space after the first few objects.
      this.r00 = this.r01 = this.r02 = this.r03 = this.r04 = this.r05 = this.r06 = this.r07 = this.r08 = 0
      this.r09 = this.r10 = this.r11 = this.r12 = this.r13 = this.r14 = this.r15 = this.r16 = this.r17 = 0
      this.r18 = this.r19 = this.r20 = this.r21 = this.r22 = this.r23 = this.r24 = this.r25 = this.r26 = 0
      this.r27 = this.r28 = this.r29 = this.r30 = this.r31 = this.r32 = this.r33 = this.r34 = this.r35 = 0
    }
    initIncomingMessage.call(this, socket)
    fill(this, exchange)
  }
  IncomingMessage.prototype = prototype
  return IncomingMessage as unknown as RequestConstructor
}

/** Returns a constructor of requests that `Class` constructs: the option `IncomingMessage` of `http.createServer()`. */
export function wrapRequestClass(Class: new (socket: ExchangeSocket) => InternalRequest): RequestConstructor {
  function IncomingMessage(socket: ExchangeSocket, exchange: Exchange): InternalRequest {
    const request = new Class(socket)
    fill(request, exchange)
    return request
  }
  IncomingMessage.prototype = Class.prototype
  return IncomingMessage as unknown as RequestConstructor
}

// Does what Node's parser does with a new request.
function fill(request: InternalRequest & Mounted, exchange: Exchange): void {
  request.method = exchange.method
  // The constructor of the response reads these. For an older version it would also read the headers. The caller sets the real version
  // afterwards.
  request.httpVersion = '1.1'
  request.httpVersionMajor = 1
  request.httpVersionMinor = 1
  request.upgrade = false
  const { target, mount, headers } = exchange
  if (mount === '') {
    request.url = target
  } else {
    const rest = target.slice(mount.length)
    request.url = rest.startsWith('/') ? rest : `/${rest}`
    request.originalUrl = target
    request.baseUrl = mount
  }
  request._addHeaderLine = addHeaderLine
  request._addHeaderLines(headers, headers.length)
  request.fcgi = new FcgiInfo(exchange)
}

// Node's own function checks for each header whether its name is in lower case and whether it may be repeated. Here names always are in
// lower case. Repetition matters only for a second header of the same name, and for set-cookie, which is always an array.
function addHeaderLine(
  this: InternalRequest,
  field: string,
  value: string,
  headers: Record<string, unknown>,
): void {
  if (headers[field] === undefined && field !== 'set-cookie') headers[field] = value
  else addNodeHeaderLine.call(this, field, value, headers)
}

/** Returns a constructor of responses whose prototype is `prototype`: `app.response` of an Express app. */
export function defineResponse(prototype: object): ResponseConstructor {
  function ServerResponse(this: InternalResponse & ReservedSlots, request: InternalRequest): void {
    if (request === undefined) {
      this.r00 = this.r01 = this.r02 = this.r03 = this.r04 = this.r05 = this.r06 = this.r07 = this.r08 = 0
      this.r09 = this.r10 = this.r11 = this.r12 = this.r13 = this.r14 = this.r15 = this.r16 = this.r17 = 0
      this.r18 = this.r19 = this.r20 = this.r21 = this.r22 = this.r23 = this.r24 = this.r25 = this.r26 = 0
      this.r27 = this.r28 = this.r29 = this.r30 = this.r31 = this.r32 = this.r33 = this.r34 = this.r35 = 0
      this.r36 = this.r37 = this.r38 = this.r39 = this.r40 = this.r41 = this.r42 = this.r43 = this.r44 = 0
    }
    initServerResponse.call(this, request)
    replaceMethods(this)
  }
  ServerResponse.prototype = prototype
  return ServerResponse as unknown as ResponseConstructor
}

/** Returns a constructor of responses that `Class` constructs: the option `ServerResponse` of `http.createServer()`. */
export function wrapResponseClass(
  Class: new (request: InternalRequest, options: object) => InternalResponse,
): ResponseConstructor {
  function ServerResponse(request: InternalRequest): InternalResponse {
    const { writableHighWaterMark: highWaterMark } = request.socket
    const response = new Class(request, { highWaterMark })
    replaceMethods(response)
    return response
  }
  ServerResponse.prototype = Class.prototype
  return ServerResponse as unknown as ResponseConstructor
}

function replaceMethods(response: InternalResponse): void {
  response._storeHeader = storeHeader
  response._send = send
  response._writeRaw = writeRaw
  response._finish = finish
  response.end = end
}
