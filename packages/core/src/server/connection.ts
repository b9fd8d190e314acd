import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
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
import { RecordDecoder, type RecordSink } from '../protocol/decoder.ts'
import { encodeEndRequest, encodeUnknownType } from '../protocol/encoder.ts'
import { ProtocolError } from '../protocol/error.ts'
import { ActiveRequests } from './active-requests.ts'
import { ENTERED_CONTEXT_STAYS } from './async-context.ts'
import { readBeginRequest } from './begin-request.ts'
import { ExchangeError, type ExchangeErrorCode } from './error.ts'
import type { Handler, Role } from './exchange.ts'
import { traceExchange } from './exchange-channel.ts'
import { HeldEnds } from './held-ends.ts'
import type { InputQueue } from './input.ts'
import { LAST_WORDS, Linger, type LingerHost } from './linger.ts'
import { encodeValues } from './management.ts'
import type { Settings } from './options.ts'
import { type EndRequest, type WriteCallback, writeStderr, writeStdout } from './output.ts'
import { PeerProbe } from './peer-probe.ts'
import { ReadControl } from './read-control.ts'
import { type ExchangeCarrier, type ExchangeSettings, ServerExchange } from './server-exchange.ts'
import { SocketReader } from './socket-reader.ts'
import { WriteProgress } from './write-progress.ts'

/** What a connection asks of the server it belongs to. */
export interface ConnectionHost extends LingerHost {
  readonly settings: ExchangeSettings
  readonly options: Settings
  /** Counts up once a second: ages are differences of it, so that no clock is asked on the request path. */
  readonly tick: number
  handlerFor(role: Role): Handler | undefined
  /** Counts one more request; false, and not counted, if it is one too many. */
  admit(): boolean
  release(): void
  onProtocolError(error: ProtocolError, connection: Connection): void
  onClose(connection: Connection): void
}

// Milliseconds that a body may come behind the end of its stream: mod_fcgid sends an empty STDIN record in front of an
// upload that it took over HTTP/2 without its length.
const MISSING_BODY_GRACE = 1000

// Pieces of a body from this size on (bytes) go out in one write with what follows them in the same turn. Not where the writer
// asks when they are out: it waits for that, and nothing follows.
const BATCH_MIN = 16 * 1024

// A header of version 0.
const NO_RECORD = Buffer.alloc(8)

const COMPLETE: EndRequest = { appStatus: 0, protocolStatus: FCGI_REQUEST_COMPLETE }

// What the connection is doing: serving; ending when its last request has ended; its write side shut, or about to be when
// all is written, and the rest of the input dropped; gone.
const OPEN = 0
const LAST_REQUESTS = 1
const LINGERING = 2
const CLOSED = 3

/** One socket of a front server, and the requests on it (FastCGI 1.0, sections 3 to 5). */
export class Connection implements RecordSink, ExchangeCarrier {
  readonly socket: Duplex
  readonly #host: ConnectionHost
  readonly #reader: SocketReader
  readonly #decoder: RecordDecoder
  readonly #exchanges = new ActiveRequests()
  // Requests whose PARAMS came in the chunk that is being read.
  #ready: ServerExchange[] = []
  // Requests of which PARAMS came in it, and inputs of which bytes did.
  readonly #gathering: ServerExchange[] = []
  #filled: InputQueue[] = []
  #state = OPEN
  readonly #readControl: ReadControl
  readonly #probe: PeerProbe
  // Made for the first one: most connections never hold any.
  #heldEnds: HeldEnds | undefined
  readonly #linger: Linger
  readonly #progress: WriteProgress
  readonly #isSocket: boolean
  #readEnded = false
  // Those of the requests that have not ended.
  #paramsBytes = 0
  /** The tick at which the last request ended, or the connection began. */
  idleTick: number

  constructor(socket: Duplex, host: ConnectionHost) {
    this.socket = socket
    this.#isSocket = socket instanceof Socket
    this.#host = host
    this.#decoder = new RecordDecoder(this)
    this.#probe = new PeerProbe(socket, () => this.#exchanges.first?.requestId)
    this.#readControl = new ReadControl(socket, this.#exchanges, this.#probe, host.options)
    this.#linger = new Linger(socket, host)
    this.#progress = new WriteProgress(socket, host.tick)
    this.idleTick = host.tick
    this.#reader = new SocketReader(socket, (chunk, length) => this.#onData(chunk, length))
    socket.on('drain', () => this.#onDrain())
    socket.on('end', () => this.#onEnd())
    // 'close' follows an error, and #onClose handles both.
    socket.on('error', () => {})
    socket.on('close', () => this.#onClose())
  }

  get settings(): ExchangeSettings {
    return this.#host.settings
  }

  get tick(): number {
    return this.#host.tick
  }

  get keepsContext(): boolean {
    const { socket } = this
    return this.#isSocket && socket.writableLength === 0 && socket.writableCorked === 0
  }

  get lost(): boolean {
    return this.socket.destroyed
  }

  /** Requests that have begun and not ended. */
  get exchanges(): Iterable<ServerExchange> {
    return this.#exchanges
  }

  get idle(): boolean {
    return this.#exchanges.size === 0
  }

  /** See {@link WriteProgress.lastTick}. */
  writeTick(): number {
    return this.#progress.lastTick(this.#host.tick)
  }

  /** Whether the peer can send. */
  get reading(): boolean {
    return this.#readControl.reading
  }

  /** Ends now if idle, else behind the last request. */
  drain(): void {
    if (this.#state === OPEN) this.#state = LAST_REQUESTS
    if (this.#host.closing) this.#linger.hurry()
    this.#closeIfLast()
  }

  /** Aborts what runs, with `status` where no answer has begun, and lets the socket go. */
  destroy(code: ExchangeErrorCode, message: string, status?: number): void {
    for (const exchange of this.#exchanges) {
      // There is no waiting for the rest of STDIN any more.
      exchange.stdinEnded = true
      if (exchange.ended) this.#endHeld(exchange)
      else exchange.abort(new ExchangeError(code, message), status)
    }
    this.#abortAll(code, message)
    this.#close()
    // Whether or not the peer reads it.
    setTimeout(() => this.socket.destroy(), LAST_WORDS)
  }

  // ---- records (RecordSink) ----

  onStream(type: number, requestId: number, chunk: Buffer, start: number, end: number): void {
    const exchange = this.#exchanges.get(requestId)
    // Section 3.3: records for inactive ids are ignored.
    if (exchange === undefined) return
    if (type === FCGI_PARAMS) {
      if (exchange.begun) return
      if (start < end) {
        this.#pushParams(exchange, chunk, start, end)
      } else if (exchange.begin()) this.#ready.push(exchange)
    } else if (type === FCGI_STDIN) {
      if (start === end) this.#endStdin(exchange)
      else if (!exchange.stdinEnded) {
        exchange.inputTick = this.#host.tick
        if (exchange.ended) this.#dropStdin(exchange, end - start)
        else this.#fill(exchange.stdin, chunk, start, end)
      }
    } else if (type === FCGI_DATA && exchange.role === 'filter' && !exchange.ended) {
      exchange.inputTick = this.#host.tick
      if (start === end) exchange.data.finish()
      else this.#fill(exchange.data, chunk, start, end)
    }
  }

  // One that is alone may have all that a request may.
  #pushParams(exchange: ServerExchange, chunk: Buffer, start: number, end: number): void {
    const paramsBytes = this.#paramsBytes + end - start
    if (paramsBytes > this.#host.options.maxBufferedPerConnection && this.#exchanges.size > 1) {
      exchange.respond(503, FCGI_OVERLOADED)
    } else if (exchange.pushParams(chunk, start, end)) {
      this.#paramsBytes = paramsBytes
      this.#gathering.push(exchange)
    }
  }

  #fill(input: InputQueue, chunk: Buffer, start: number, end: number): void {
    input.push(chunk, start, end)
    if (this.#filled.at(-1) !== input) this.#filled.push(input)
    this.#readControl.onQueued(input, end - start)
  }

  onDiscrete(type: number, requestId: number, chunk: Buffer, start: number, end: number): void {
    if (type === FCGI_BEGIN_REQUEST) {
      this.#onBeginRequest(requestId, chunk, start, end)
    } else if (type === FCGI_ABORT_REQUEST) {
      const exchange = this.#exchanges.get(requestId)
      if (exchange !== undefined) this.#onAbortRequest(exchange)
    } else if (requestId === FCGI_NULL_REQUEST_ID) {
      if (type === FCGI_GET_VALUES) {
        this.#reply(
          encodeValues(chunk, start, end, {
            maxConns: this.#host.options.maxConnections,
            maxReqs: this.#host.options.maxRequests,
            mpxsConns: this.#host.options.multiplex,
          }),
        )
      } else if (type === 0 || type > FCGI_UNKNOWN_TYPE) {
        // Section 4.2. The rest are records that only applications send, or that belong to a request.
        this.#reply(encodeUnknownType(type))
      }
    }
  }

  #onBeginRequest(requestId: number, chunk: Buffer, start: number, end: number): void {
    const { role, keepConn } = readBeginRequest(requestId, chunk, start, end)
    if (this.#exchanges.get(requestId) !== undefined) {
      throw new ProtocolError(
        'FCGI_ERR_ACTIVE_REQUEST_ID',
        `A request began with the id ${requestId} of one that has not ended.`,
      )
    }
    // A connection that is about to close takes no new request. A peer that asked for the close sends none.
    if (this.#state !== OPEN && !this.#host.closing) return
    const exchange = new ServerExchange(this, requestId, role ?? 'responder', keepConn)
    exchange.beganTick = this.#host.tick
    exchange.inputTick = this.#host.tick
    exchange.trace = traceExchange(exchange)
    const shared = this.#exchanges.size > 0
    this.#exchanges.add(exchange)
    if (this.#exchanges.size > this.#host.options.maxRequestsPerConnection) {
      // The id is not active any more: later records of this request are ignored.
      exchange.stdinEnded = true
      exchange.respond(503, FCGI_OVERLOADED)
      this.#onReplied(0)
      return
    }
    exchange.admitted = this.#host.admit()
    if (!exchange.admitted) exchange.respond(503, FCGI_OVERLOADED)
    else if (role === undefined || this.#host.handlerFor(role) === undefined)
      exchange.respond(500, FCGI_UNKNOWN_ROLE)
    else if (shared && !this.#host.options.multiplex) exchange.respond(503, FCGI_CANT_MPX_CONN)
  }

  // Section 5.4: END_REQUEST answers it. STDIN is over, whatever was sent of it.
  #onAbortRequest(exchange: ServerExchange): void {
    exchange.stdinEnded = true
    if (exchange.ended) {
      this.#endHeld(exchange)
    } else {
      exchange.abort(new ExchangeError('FCGI_ERR_ABORTED', 'The front server aborted the request.'))
      this.#endRequest(exchange, COMPLETE)
    }
  }

  // Handlers run after the whole chunk has been decoded. The end of STDIN, and often a small body, arrives in one chunk with
  // PARAMS: a handler that responds at once can then end the request in the same write.
  #callHandlers(): void {
    const ready = this.#ready
    if (ready.length < 2) {
      if (ready.length === 1) this.#enterOnlyHandler(ready.pop()!)
      return
    }
    this.#ready = []
    this.socket.cork()
    for (const exchange of ready) this.#enterHandler(exchange)
    this.socket.uncork()
  }

  // Nothing of another request runs before this callback of the socket returns.
  #enterOnlyHandler(exchange: ServerExchange): void {
    if (ENTERED_CONTEXT_STAYS) this.#enterHandler(exchange)
    else if (!exchange.ended) this.#callHandler(exchange)
  }

  #enterHandler(exchange: ServerExchange): void {
    if (!exchange.ended) exchange.runInAsyncScope(this.#callHandler, this, exchange)
  }

  #callHandler(exchange: ServerExchange): void {
    const { trace } = exchange
    if (trace === undefined) this.#callHost(exchange)
    else trace.start(() => this.#callHost(exchange))
  }

  #callHost(exchange: ServerExchange): void {
    try {
      const result: unknown = this.#host.handlerFor(exchange.role)!(exchange)
      if (isThenable(result)) result.then(undefined, (error: unknown) => exchange.fail(error))
    } catch (error) {
      exchange.fail(error)
    }
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
    if (exchange.ended) this.#endHeld(exchange)
    else exchange.stdin.finish()
  }

  #dropStdin(exchange: ServerExchange, length: number): void {
    if (this.#heldEnds?.onDropped(exchange, length) !== false) return
    if (this.#state === OPEN && this.#exchanges.size === 1) this.#state = LAST_REQUESTS
    this.#endHeld(exchange)
  }

  // ---- answers (ExchangeCarrier) ----

  sendStdout(
    exchange: ServerExchange,
    head: string,
    body: Uint8Array | string,
    callback?: WriteCallback,
  ): boolean {
    this.#probe.finish()
    if (body.length >= BATCH_MIN && callback === undefined && this.socket.writableCorked === 0) {
      this.socket.cork()
      process.nextTick(uncork, this.socket)
    }
    return writeStdout(this.socket, exchange.requestId, head, body, false, undefined, callback)
  }

  sendEnd(
    exchange: ServerExchange,
    head: string,
    body: Uint8Array | string,
    protocolStatus: number,
    callback?: WriteCallback,
  ): void {
    this.#probe.finish()
    const end: EndRequest = { appStatus: exchange.appStatus, protocolStatus }
    const hold = exchange.keepConn && !exchange.stdinEnded && !this.#readEnded
    writeStdout(this.socket, exchange.requestId, head, body, true, hold ? undefined : end, callback)
    if (hold) this.#hold(exchange, end)
    else this.#forget(exchange)
  }

  #hold(exchange: ServerExchange, end: EndRequest): void {
    this.#heldEnds ??= new HeldEnds(this.#host.options, (held, itsEnd) => this.#endRequest(held, itsEnd))
    this.#heldEnds.hold(exchange, end)
  }

  sendStderr(requestId: number, content: Uint8Array): boolean {
    this.#probe.finish()
    return writeStderr(this.socket, requestId, content)
  }

  cut(exchange: ServerExchange): void {
    if (this.#exchanges.size > 1) {
      // Siblings are on this connection: the best that can be said is a failed exit status and an answer cut short. It
      // goes on, for HAProxy, which learns nothing of a wish to close, brings new requests as long as siblings run.
      this.#endRequest(exchange, {
        appStatus: exchange.appStatus || 1,
        protocolStatus: FCGI_REQUEST_COMPLETE,
      })
      return
    }
    this.#remove(exchange)
    // To nginx and lighttpd a connection that ends cleanly is a complete answer; one that is reset is not. (To H2O 2.2 either
    // is, and Caddy 2.6 tells its log alone.)
    const { socket } = this
    if ('resetAndDestroy' in socket && (socket as Socket).remoteAddress !== undefined) {
      this.#decoder.stop()
      ;(socket as Socket).resetAndDestroy()
    } else {
      // A Unix socket can not be reset, but what is no record is an error to all of them.
      this.#probe.stop()
      socket.write(NO_RECORD)
      this.#close()
    }
  }

  onInputConsumed(): void {
    this.#readControl.onConsumed()
  }

  // ---- the end of a request ----

  /** The answer has gone out, and END_REQUEST is held back: now it goes out too. */
  #endHeld(exchange: ServerExchange): void {
    const end = this.#heldEnds?.take(exchange)
    if (end !== undefined) this.#endRequest(exchange, end)
  }

  #endRequest(exchange: ServerExchange, end: EndRequest): void {
    this.#probe.finish()
    this.#reply(encodeEndRequest(exchange.requestId, end.appStatus, end.protocolStatus))
    this.#forget(exchange)
  }

  #forget(exchange: ServerExchange): void {
    this.#remove(exchange)
    this.idleTick = this.#host.tick
    if (!exchange.keepConn && this.#state === OPEN) this.#state = LAST_REQUESTS
    this.#readControl.onAnswered()
    this.#closeIfLast()
  }

  #remove(exchange: ServerExchange): void {
    if (!this.#exchanges.delete(exchange)) return
    this.#paramsBytes -= exchange.paramsBytes
    if (exchange.missingBodyTimer !== undefined) clearTimeout(exchange.missingBodyTimer)
    if (exchange.admitted) this.#host.release()
  }

  #abortAll(code: ExchangeErrorCode, message: string): void {
    for (const exchange of this.#exchanges) {
      this.#heldEnds?.take(exchange)
      this.#remove(exchange)
      exchange.abort(new ExchangeError(code, message))
    }
  }

  // No more input comes: what has not all of it is aborted, what waited for no more than that is ended.
  #abortIncomplete(code: ExchangeErrorCode, message: string): void {
    for (const exchange of this.#exchanges) {
      if (exchange.ended) this.#endHeld(exchange)
      else {
        // No body will come behind the end of its stream either, which is for the app to answer.
        if (exchange.missingBodyTimer !== undefined && exchange.stdin.missing) this.#finishStdin(exchange)
        if (exchange.inputComplete) continue
        this.#remove(exchange)
        exchange.abort(new ExchangeError(code, message))
      }
    }
  }

  // ---- the end of the connection ----

  #closeIfLast(): void {
    if (this.#exchanges.size > 0) return
    if (this.#state === LAST_REQUESTS || this.#readEnded || this.#host.closing) this.#close()
  }

  #close(): void {
    if (this.#state >= LINGERING) return
    this.#state = LINGERING
    this.#decoder.stop()
    this.#probe.stop()
    this.#readControl.release()
    this.#linger.start()
  }

  // ---- the socket ----

  #onData(chunk: Buffer, length: number): void {
    if (this.#state === LINGERING) {
      this.#linger.onDropped(length)
      return
    }
    let read = length
    try {
      read = this.#decoder.push(chunk, length)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#onProtocolError(error)
    } finally {
      // Also where a listener of the app has thrown: the chunk's memory is others' next.
      while (this.#gathering.length > 0) this.#gathering.pop()!.keepParams()
      if (this.#filled.length > 0) this.#keepFilled()
      this.#callHandlers()
      if (read < length) this.#reader.putBack(chunk, read, length)
      this.#readControl.adjust()
    }
  }

  // A new list costs less than emptying one: `length = 0` is a call into C++.
  #keepFilled(): void {
    for (const input of this.#filled) input.keep()
    this.#filled = []
  }

  #onProtocolError(error: ProtocolError): void {
    this.#decoder.stop()
    try {
      this.#host.onProtocolError(error, this)
    } finally {
      // What has its whole request can still be answered, unless this never was FastCGI.
      if (error.code === 'FCGI_ERR_VERSION') {
        this.destroy('FCGI_ERR_PROTOCOL', error.message)
      } else {
        if (this.#state === OPEN) this.#state = LAST_REQUESTS
        this.#abortIncomplete('FCGI_ERR_PROTOCOL', error.message)
        this.#closeIfLast()
      }
    }
  }

  #onDrain(): void {
    for (const exchange of this.#exchanges) exchange.drained()
    this.#readControl.onDrain()
  }

  #onEnd(): void {
    this.#readEnded = true
    this.#linger.stop()
    this.#readControl.release()
    if (this.#state >= LINGERING) return
    const message = 'The front server closed the connection before it had sent the whole request.'
    this.#abortIncomplete('FCGI_ERR_CONNECTION_CLOSED', message)
    // Inside a record nothing is whole.
    if (!this.#decoder.atBoundary) this.#abortAll('FCGI_ERR_CONNECTION_CLOSED', message)
    this.#closeIfLast()
    if (this.#exchanges.size > 0) this.#probe.start()
  }

  #onClose(): void {
    this.#state = CLOSED
    this.#linger.stop()
    this.#readControl.release()
    this.#probe.stop()
    this.#decoder.stop()
    this.#abortAll('FCGI_ERR_CONNECTION_CLOSED', 'The front server closed the connection.')
    this.#host.onClose(this)
  }

  #reply(record: Buffer): void {
    this.socket.write(record)
    this.#onReplied(record.length)
  }

  #onReplied(length: number): void {
    if (!this.#readControl.onReply(length)) this.#decoder.pause()
  }
}

function uncork(socket: Duplex): void {
  socket.uncork()
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function'
}
