import type { Duplex } from 'node:stream'
import { ExchangeError } from '../exchange/error.ts'
import { traceExchange } from '../exchange/exchange-channel.ts'
import type { InputQueue } from '../exchange/input.ts'
import { ServerExchange } from '../exchange/server-exchange.ts'
import {
  FCGI_ABORT_REQUEST,
  FCGI_BEGIN_REQUEST,
  FCGI_CANT_MPX_CONN,
  FCGI_DATA,
  FCGI_GET_VALUES,
  FCGI_NULL_REQUEST_ID,
  FCGI_OVERLOADED,
  FCGI_PARAMS,
  FCGI_REQUEST_COMPLETE,
  FCGI_STDIN,
  FCGI_UNKNOWN_ROLE,
  FCGI_UNKNOWN_TYPE,
} from '../protocol/constants.ts'
import type { RecordSink } from '../protocol/decoder.ts'
import { encodeUnknownType } from '../protocol/encoder.ts'
import { ProtocolError } from '../protocol/error.ts'
import type { ActiveRequests } from './active-requests.ts'
import { readBeginRequest } from './begin-request.ts'
import { HandlerCalls, type HandlerSource } from './handler-calls.ts'
import { encodeValues } from './management.ts'
import type { ReadControl } from './read-control.ts'
import type { ResponseWriter } from './response-writer.ts'

/** The limits that a {@link RecordDispatcher} holds its peer to; see `ServerOptions`. */
export interface RequestLimits {
  readonly multiplex: boolean
  readonly maxConnections: number
  readonly maxRequests: number
  readonly maxRequestsPerConnection: number
  readonly maxBufferedPerConnection: number
}

/** What a {@link RecordDispatcher} needs of the server. */
export interface DispatchServer extends HandlerSource {
  readonly options: RequestLimits
  /** Seconds, as the server counts them: ages are differences of it, so that the request path reads no clock. */
  readonly tick: number
  /** Counts one more running request; false, and not counted, if it is one too many for the server. */
  admit(): boolean
}

/** What a {@link RecordDispatcher} needs of its connection. */
export interface DispatchConnection {
  /** A BEGIN_REQUEST begins a request; else it is ignored. */
  readonly acceptsRequests: boolean
  /** A reply of `length` bytes was sent for which the peer has to read something. */
  onReplied(length: number): void
  /** No request begins after the ones that run. */
  finish(): void
}

// How long (milliseconds) a request body may arrive after the end of its stream: for an upload without a length over HTTP/2,
// mod_fcgid sends an empty STDIN record before the body.
const MISSING_BODY_GRACE = 1000

/**
 * Gives each record that comes in to the request that it belongs to, and begins and aborts requests (FastCGI 1.0 sections 4
 * and 5). `onStream` and `onDiscrete` are called for every record of a chunk, and `finishChunk` after the last of them.
 */
export class RecordDispatcher implements RecordSink {
  readonly #exchanges: ActiveRequests
  readonly #readControl: ReadControl
  readonly #responses: ResponseWriter
  readonly #connection: DispatchConnection
  readonly #server: DispatchServer
  readonly #handlerCalls: HandlerCalls
  // What the current chunk brought: requests with more PARAMS, and inputs with more bytes.
  readonly #gathering: ServerExchange[] = []
  #filled: InputQueue[] = []

  constructor(
    socket: Duplex,
    exchanges: ActiveRequests,
    readControl: ReadControl,
    responses: ResponseWriter,
    connection: DispatchConnection,
    server: DispatchServer,
  ) {
    this.#handlerCalls = new HandlerCalls(socket, server)
    this.#exchanges = exchanges
    this.#readControl = readControl
    this.#responses = responses
    this.#connection = connection
    this.#server = server
  }

  // ---- records ----

  onStream(type: number, requestId: number, chunk: Buffer, start: number, end: number): void {
    const exchange = this.#exchanges.get(requestId)
    // Section 3.3: records of an inactive request id are ignored.
    if (exchange === undefined) return
    if (type === FCGI_PARAMS) {
      if (exchange.begun) return
      if (start < end) this.#pushParams(exchange, chunk, start, end)
      else if (exchange.begin()) this.#handlerCalls.add(exchange)
    } else if (type === FCGI_STDIN) {
      if (start === end) this.#endStdin(exchange)
      else if (!exchange.stdinEnded) {
        exchange.inputTick = this.#server.tick
        if (exchange.ended) this.#dropStdin(exchange, end - start)
        else this.#fill(exchange.stdin, chunk, start, end)
      }
    } else if (type === FCGI_DATA && exchange.role === 'filter' && !exchange.ended) {
      exchange.inputTick = this.#server.tick
      if (start === end) exchange.data.finish()
      else this.#fill(exchange.data, chunk, start, end)
    }
  }

  onDiscrete(type: number, requestId: number, chunk: Buffer, start: number, end: number): void {
    if (type === FCGI_BEGIN_REQUEST) {
      this.#onBeginRequest(requestId, chunk, start, end)
    } else if (type === FCGI_ABORT_REQUEST) {
      const exchange = this.#exchanges.get(requestId)
      if (exchange !== undefined) this.#onAbortRequest(exchange)
    } else if (requestId === FCGI_NULL_REQUEST_ID) {
      if (type === FCGI_GET_VALUES) this.#onGetValues(chunk, start, end)
      // Section 4.2. The other types are records that only applications send, or that belong to a request.
      else if (type === 0 || type > FCGI_UNKNOWN_TYPE) this.#responses.reply(encodeUnknownType(type))
    }
  }

  /** All records of the chunk have been dispatched. Its memory is about to be reused, and handlers run now. */
  finishChunk(): void {
    while (this.#gathering.length > 0) this.#gathering.pop()!.keepParams()
    if (this.#filled.length > 0) this.#keepFilled()
    this.#handlerCalls.run()
  }

  /** The peer will send no more: a request whose body is still missing has none. */
  endMissingStdin(exchange: ServerExchange): void {
    if (exchange.missingBodyTimer !== undefined && exchange.stdin.missing) this.#finishStdin(exchange)
  }

  // ---- the request's beginning and abort ----

  #onBeginRequest(requestId: number, chunk: Buffer, start: number, end: number): void {
    const { role, keepConn } = readBeginRequest(requestId, chunk, start, end)
    if (this.#exchanges.get(requestId) !== undefined) {
      throw new ProtocolError(
        'FCGI_ERR_ACTIVE_REQUEST_ID',
        `A request began with the id ${requestId} of one that has not ended.`,
      )
    }
    if (!this.#connection.acceptsRequests) return
    const exchange = new ServerExchange(this.#responses, requestId, role ?? 'responder', keepConn)
    exchange.beganTick = this.#server.tick
    exchange.inputTick = this.#server.tick
    exchange.trace = traceExchange(exchange)
    const isShared = this.#exchanges.size > 0
    this.#exchanges.add(exchange)
    if (this.#exchanges.size > this.#server.options.maxRequestsPerConnection) {
      // Nothing of it is kept: after the response its id is not active.
      exchange.stdinEnded = true
      exchange.respond(503, FCGI_OVERLOADED)
      this.#connection.onReplied(0)
      return
    }
    exchange.admitted = this.#server.admit()
    if (!exchange.admitted) exchange.respond(503, FCGI_OVERLOADED)
    else if (role === undefined || this.#server.handlerFor(role) === undefined)
      exchange.respond(500, FCGI_UNKNOWN_ROLE)
    else if (isShared && !this.#server.options.multiplex) exchange.respond(503, FCGI_CANT_MPX_CONN)
  }

  // Section 5.4: the response to it is END_REQUEST. STDIN is over, however much of it was sent.
  #onAbortRequest(exchange: ServerExchange): void {
    exchange.stdinEnded = true
    if (exchange.ended) {
      this.#responses.endHeld(exchange)
    } else {
      exchange.abort(new ExchangeError('FCGI_ERR_ABORTED', 'The front server aborted the request.'))
      this.#responses.endRequest(exchange, { appStatus: 0, protocolStatus: FCGI_REQUEST_COMPLETE })
    }
  }

  #onGetValues(chunk: Buffer, start: number, end: number): void {
    const { maxConnections: maxConns, maxRequests: maxReqs, multiplex: mpxsConns } = this.#server.options
    this.#responses.reply(encodeValues(chunk, start, end, { maxConns, maxReqs, mpxsConns }))
  }

  // ---- the request's streams ----

  // One request alone may use the whole of its own limit.
  #pushParams(exchange: ServerExchange, chunk: Buffer, start: number, end: number): void {
    const length = end - start
    const isTooMuch = this.#exchanges.paramsBytes + length > this.#server.options.maxBufferedPerConnection
    if (isTooMuch && this.#exchanges.size > 1) {
      exchange.respond(503, FCGI_OVERLOADED)
    } else if (exchange.pushParams(chunk, start, end)) {
      this.#exchanges.paramsBytes += length
      this.#gathering.push(exchange)
    }
  }

  #fill(input: InputQueue, chunk: Buffer, start: number, end: number): void {
    input.push(chunk, start, end)
    if (this.#filled.at(-1) !== input) this.#filled.push(input)
    this.#readControl.onQueued(input, end - start)
  }

  // A new array costs less than emptying this one: setting `length` to 0 calls into C++.
  #keepFilled(): void {
    for (const input of this.#filled) input.keep()
    this.#filled = []
  }

  #endStdin(exchange: ServerExchange): void {
    if (exchange.stdinEnded) return
    if (exchange.ended || !exchange.stdin.missing) this.#finishStdin(exchange)
    else {
      exchange.missingBodyTimer ??= setTimeout(() => {
        if (exchange.stdin.missing) this.#finishStdin(exchange)
      }, MISSING_BODY_GRACE).unref()
    }
  }

  #finishStdin(exchange: ServerExchange): void {
    exchange.stdinEnded = true
    if (exchange.ended) this.#responses.endHeld(exchange)
    else exchange.stdin.finish()
  }

  #dropStdin(exchange: ServerExchange, length: number): void {
    if (this.#responses.onDropped(exchange, length)) return
    if (this.#exchanges.size === 1) this.#connection.finish()
    this.#responses.endHeld(exchange)
  }
}
