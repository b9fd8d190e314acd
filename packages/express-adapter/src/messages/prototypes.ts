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

/** Makes requests of one prototype. */
export type RequestConstructor = new (socket: ExchangeSocket, exchange: Exchange) => InternalRequest

/** Makes responses of one prototype. */
export type ResponseConstructor = new (request: InternalRequest) => InternalResponse

/** What connect and Express say about a mount. */
interface Mounted {
  originalUrl?: string
  baseUrl?: string
}

interface Reserve {
  [name: `r${number}`]: number
}

/**
 * A constructor of requests that are born with `prototype`, which stays what it is. Express gives every request the app's
 * `app.request` as its prototype: on one that was born with it that changes nothing, while on Node 20 and 22 the change
 * is most of what a request costs.
 */
export function defineRequest(prototype: object): RequestConstructor {
  // A function, because the prototype of a class cannot be replaced. The name is the one that stack traces show.
  function IncomingMessage(
    this: InternalRequest & Mounted & Reserve,
    socket: ExchangeSocket,
    exchange: Exchange,
  ): void {
    if (socket === undefined) {
      // Never run. V8 gives the objects of a constructor room for as many properties as it sees assigned in its body.
      // Node's constructors, called from here, are not seen, and without that room a request costs up to twice as much.
      // What is too much is taken back after the first few objects.
      this.r00 = this.r01 = this.r02 = this.r03 = this.r04 = this.r05 = this.r06 = this.r07 = this.r08 = 0
      this.r09 = this.r10 = this.r11 = this.r12 = this.r13 = this.r14 = this.r15 = this.r16 = this.r17 = 0
      this.r18 = this.r19 = this.r20 = this.r21 = this.r22 = this.r23 = this.r24 = this.r25 = this.r26 = 0
      this.r27 = this.r28 = this.r29 = this.r30 = this.r31 = this.r32 = this.r33 = this.r34 = this.r35 = 0
    }
    initIncomingMessage.call(this, socket)
    this.method = exchange.method
    // Until the response has been made, which looks at them, and would look at the headers for older ones.
    this.httpVersion = '1.1'
    this.httpVersionMajor = 1
    this.httpVersionMinor = 1
    this.upgrade = false
    const { target, mount, headers } = exchange
    if (mount === '') {
      this.url = target
    } else {
      const rest = target.slice(mount.length)
      this.url = rest.startsWith('/') ? rest : `/${rest}`
      this.originalUrl = target
      this.baseUrl = mount
    }
    this._addHeaderLine = addHeaderLine
    this._addHeaderLines(headers, headers.length)
    this.fcgi = new FcgiInfo(exchange)
  }
  IncomingMessage.prototype = prototype
  return IncomingMessage as unknown as RequestConstructor
}

// Node's own finds out of each header whether its name is in lower case and may be repeated. Of these the first is the case, and the
// second needs to be known of a second one alone, and of set-cookie, which is always an array.
function addHeaderLine(
  this: InternalRequest,
  field: string,
  value: string,
  headers: Record<string, unknown>,
): void {
  if (headers[field] === undefined && field !== 'set-cookie') headers[field] = value
  else addNodeHeaderLine.call(this, field, value, headers)
}

/** The same for responses; `app.response` is their prototype. */
export function defineResponse(prototype: object): ResponseConstructor {
  function ServerResponse(this: InternalResponse & Reserve, request: InternalRequest): void {
    if (request === undefined) {
      this.r00 = this.r01 = this.r02 = this.r03 = this.r04 = this.r05 = this.r06 = this.r07 = this.r08 = 0
      this.r09 = this.r10 = this.r11 = this.r12 = this.r13 = this.r14 = this.r15 = this.r16 = this.r17 = 0
      this.r18 = this.r19 = this.r20 = this.r21 = this.r22 = this.r23 = this.r24 = this.r25 = this.r26 = 0
      this.r27 = this.r28 = this.r29 = this.r30 = this.r31 = this.r32 = this.r33 = this.r34 = this.r35 = 0
      this.r36 = this.r37 = this.r38 = this.r39 = this.r40 = this.r41 = this.r42 = this.r43 = this.r44 = 0
    }
    initServerResponse.call(this, request)
    this._storeHeader = storeHeader
    this._send = send
    this._writeRaw = writeRaw
    this._finish = finish
    this.end = end
  }
  ServerResponse.prototype = prototype
  return ServerResponse as unknown as ResponseConstructor
}
