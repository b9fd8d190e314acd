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
import { BorrowedInput } from './borrowed-input.ts'
import { HandlerCalls, type HandlerSource } from './handler-calls.ts'
import { encodeValues } from './management.ts'
import type { ReadControl } from './read-control.ts'
import type { ResponseWriter } from './response-writer.ts'

/** The limits that a {@link RecordDispatcher} enforces; see `ServerOptions`. */
export interface RequestLimits {
  readonly multiplex: boolean
  readonly maxConnections: number
  readonly maxRequests: number
  readonly maxRequestsPerConnection: number
  readonly maxBufferedPerConnection: number
}

/** What a {@link RecordDispatcher} needs from the server. */
export interface DispatchServer extends HandlerSource {
  readonly options: RequestLimits
  /** The server's clock, in seconds. It is used to compute ages, so that the request path need not read the system's clock. */
  readonly tick: number
  /** Counts one more running request. Returns false, without counting it, if the server's limit is reached. */
  admit(): boolean
  /** A request gets FCGI_OVERLOADED. */
  onRefused(): void
}

/** What a {@link RecordDispatcher} needs from its connection. */
export interface DispatchConnection {
  /** If false, BEGIN_REQUEST records are ignored. */
  readonly acceptsRequests: boolean
  /** The server sent a record of its own, of `length` bytes. */
  onReplied(length: number): void
  /** Makes the connection close after the running requests. */
  finish(): void
}

// How long (milliseconds) the server waits for a request body after an empty STDIN record. For an upload without a length over HTTP/2,
// mod_fcgid sends such a record before the body.
const MISSING_BODY_GRACE = 1000

/**
 * Passes each received record to its request, and begins and aborts requests (FastCGI 1.0 sections 4 and 5). The decoder calls
 * `onStream` and `onDiscrete` for the records of a chunk. The connection calls `finishChunk` after the last one.
 */
export class RecordDispatcher implements RecordSink {
  readonly #exchanges: ActiveRequests
  readonly #readControl: ReadControl
  readonly #responses: ResponseWriter
  readonly #connection: DispatchConnection
  readonly #server: DispatchServer
  readonly #handlerCalls: HandlerCalls
  readonly #borrowed = new BorrowedInput()

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

  // ---- records; see RecordSink ----

  onStream(type: number, requestId: number, chunk: Buffer, start: number, end: number): void {
    const exchange = this.#exchanges.get(requestId)
    // Section 3.3: ignore records of an inactive request id.
    if (exchange === undefined) return
    if (type === FCGI_PARAMS) this.#onParams(exchange, chunk, start, end)
    else if (type === FCGI_STDIN) this.#onStdin(exchange, chunk, start, end)
    else if (type === FCGI_DATA) this.#onData(exchange, chunk, start, end)
  }

  onDiscrete(type: number, requestId: number, chunk: Buffer, start: number, end: number): void {
    if (type === FCGI_BEGIN_REQUEST) this.#onBeginRequest(requestId, chunk, start, end)
    else if (type === FCGI_ABORT_REQUEST) this.#onAbortRequest(requestId)
    else if (requestId === FCGI_NULL_REQUEST_ID) this.#onManagement(type, chunk, start, end)
  }

  /** Copies input out of the chunk, whose memory is about to be reused, and calls the handlers of new requests. */
  finishChunk(): void {
    this.#borrowed.keep()
    this.#handlerCalls.run()
  }

  /** Ends the STDIN of a request that still waits for its body, because the peer will send no more. */
  endMissingStdin(exchange: ServerExchange): void {
    if (exchange.missingBodyTimer !== undefined && exchange.stdin.missing) this.#finishStdin(exchange)
  }

  // ---- the request's beginning and abort ----

  #onBeginRequest(requestId: number, chunk: Buffer, start: number, end: number): void {
    const { role, keepConn } = readBeginRequest(requestId, chunk, start, end)
    if (this.#exchanges.get(requestId) !== undefined) {
      throw new ProtocolError(
        'FCGI_ERR_ACTIVE_REQUEST_ID',
        `FCGI_BEGIN_REQUEST has the request id ${requestId}, which is still in use.`,
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
      // Do not wait for its STDIN: the request ends with this response.
      exchange.stdinEnded = true
      this.#refuse(exchange)
      this.#connection.onReplied(0)
      return
    }
    exchange.admitted = this.#server.admit()
    if (!exchange.admitted) this.#refuse(exchange)
    else if (role === undefined || this.#server.handlerFor(role) === undefined)
      exchange.respond(500, FCGI_UNKNOWN_ROLE)
    else if (isShared && !this.#server.options.multiplex) exchange.respond(503, FCGI_CANT_MPX_CONN)
  }

  #refuse(exchange: ServerExchange): void {
    this.#server.onRefused()
    exchange.respond(503, FCGI_OVERLOADED)
  }

  // Section 5.4: reply with END_REQUEST. The rest of STDIN will not arrive.
  #onAbortRequest(requestId: number): void {
    const exchange = this.#exchanges.get(requestId)
    if (exchange === undefined) return
    exchange.stdinEnded = true
    if (exchange.ended) {
      this.#responses.sendPendingEnd(exchange)
    } else {
      exchange.abort(new ExchangeError('FCGI_ERR_ABORTED', 'The front server aborted the request.'))
      this.#responses.endRequest(exchange, { appStatus: 0, protocolStatus: FCGI_REQUEST_COMPLETE })
    }
  }

  // Section 4. All other known types are ignored: only applications send them, or they need a request id.
  #onManagement(type: number, chunk: Buffer, start: number, end: number): void {
    if (type === FCGI_GET_VALUES) this.#onGetValues(chunk, start, end)
    else if (type === 0 || type > FCGI_UNKNOWN_TYPE) this.#responses.reply(encodeUnknownType(type))
  }

  #onGetValues(chunk: Buffer, start: number, end: number): void {
    const { maxConnections: maxConns, maxRequests: maxReqs, multiplex: mpxsConns } = this.#server.options
    this.#responses.reply(encodeValues(chunk, start, end, { maxConns, maxReqs, mpxsConns }))
  }

  // ---- the request's streams ----

  #onParams(exchange: ServerExchange, chunk: Buffer, start: number, end: number): void {
    if (exchange.paramsEnded) return
    if (start < end) this.#pushParams(exchange, chunk, start, end)
    else if (exchange.begin()) this.#handlerCalls.add(exchange)
  }

  // The limit of the connection applies only if it has several requests. A single one has its own limit, `maxParamsBytes`.
  #pushParams(exchange: ServerExchange, chunk: Buffer, start: number, end: number): void {
    const length = end - start
    const isTooMuch = this.#exchanges.paramsBytes + length > this.#server.options.maxBufferedPerConnection
    if (isTooMuch && this.#exchanges.size > 1) {
      this.#refuse(exchange)
    } else if (exchange.pushParams(chunk, start, end)) {
      this.#exchanges.paramsBytes += length
      this.#borrowed.addParams(exchange)
    }
  }

  #onStdin(exchange: ServerExchange, chunk: Buffer, start: number, end: number): void {
    if (exchange.stdinEnded) return
    if (start === end) {
      this.#endStdin(exchange)
      return
    }
    exchange.inputTick = this.#server.tick
    if (exchange.ended) this.#dropStdin(exchange, end - start)
    else this.#fill(exchange.stdin, chunk, start, end)
  }

  #onData(exchange: ServerExchange, chunk: Buffer, start: number, end: number): void {
    if (exchange.role !== 'filter' || exchange.ended) return
    exchange.inputTick = this.#server.tick
    if (start === end) exchange.data.finish()
    else this.#fill(exchange.data, chunk, start, end)
  }

  #fill(input: InputQueue, chunk: Buffer, start: number, end: number): void {
    input.push(chunk, start, end)
    this.#borrowed.addInput(input)
    this.#readControl.onQueued(input, end - start)
  }

  #endStdin(exchange: ServerExchange): void {
    if (exchange.ended || !exchange.stdin.missing) this.#finishStdin(exchange)
    else {
      exchange.missingBodyTimer ??= setTimeout(() => {
        if (exchange.stdin.missing) this.#finishStdin(exchange)
      }, MISSING_BODY_GRACE).unref()
    }
  }

  #finishStdin(exchange: ServerExchange): void {
    exchange.stdinEnded = true
    if (exchange.ended) this.#responses.sendPendingEnd(exchange)
    else exchange.stdin.finish()
  }

  #dropStdin(exchange: ServerExchange, length: number): void {
    if (this.#responses.onDropped(exchange, length)) return
    if (this.#exchanges.size === 1) this.#connection.finish()
    this.#responses.sendPendingEnd(exchange)
  }
}
