import type { Duplex } from 'node:stream'
import type { ExchangeErrorCode } from '../exchange/error.ts'
import type { ServerExchange } from '../exchange/server-exchange.ts'
import type { ProtocolError } from '../protocol/error.ts'
import { ActiveRequests } from './active-requests.ts'
import { ConnectionDrain, type DrainHost, type DrainingConnection } from './connection-drain.ts'
import { type ConnectionEvent, type ConnectionState, isShut, nextState } from './connection-state.ts'
import { Linger, type LingerHost, SILENT_PEER_TIMEOUT } from './linger.ts'
import { PeerProbe } from './peer-probe.ts'
import type { LingerLimits } from './pending-end-requests.ts'
import { type BufferLimits, ReadControl } from './read-control.ts'
import {
  type DispatchConnection,
  type DispatchServer,
  RecordDispatcher,
  type RequestLimits,
} from './record-dispatcher.ts'
import { type ReadingConnection, RecordReader } from './record-reader.ts'
import { type AborterConnection, RequestAborter } from './request-aborter.ts'
import { INVALID_RECORD, resetTcp } from './reset.ts'
import { type ResponseConnection, type ResponseServer, ResponseWriter } from './response-writer.ts'
import { WriteProgress } from './write-progress.ts'

/** What a connection needs from its server. */
export interface ConnectionHost extends DispatchServer, ResponseServer, LingerHost, DrainHost {
  readonly options: RequestLimits & BufferLimits & LingerLimits
  /** Called when a request that was admitted has ended. */
  release(): void
  onProtocolError(error: ProtocolError, connection: Connection): void
  onClose(connection: Connection): void
}

/**
 * A front server's connection. Its life follows the table in connection-state.ts. A {@link RecordReader} reads records, a
 * {@link RecordDispatcher} passes them to the requests, and a {@link ResponseWriter} writes the responses.
 */
export class Connection
  implements AborterConnection, ReadingConnection, DispatchConnection, ResponseConnection, DrainingConnection
{
  readonly socket: Duplex
  readonly #host: ConnectionHost
  readonly #reader: RecordReader
  readonly #responses: ResponseWriter
  readonly #exchanges = new ActiveRequests()
  readonly #aborter: RequestAborter
  readonly #readControl: ReadControl
  readonly #probe: PeerProbe
  readonly #linger: Linger
  readonly #progress: WriteProgress
  #state: ConnectionState = 'open'
  // Created when the server drains.
  #connectionDrain: ConnectionDrain | undefined
  readonly sendsRequest: boolean
  hasResponded = false
  /** When the last request ended, or the connection began, by the server's clock (seconds). */
  idleTick: number

  /** `sendsRequest` is true if the peer opens a connection only for a request that it has. Draining then waits for the request. */
  constructor(socket: Duplex, host: ConnectionHost, sendsRequest = false) {
    this.socket = socket
    this.#host = host
    this.sendsRequest = sendsRequest
    this.#probe = new PeerProbe(socket, () => this.#exchanges.first?.requestId)
    this.#readControl = new ReadControl(socket, this.#exchanges, this.#probe, host.options)
    this.#responses = new ResponseWriter(socket, this.#exchanges, this.#probe, this.#readControl, this, host)
    const dispatcher = new RecordDispatcher(
      socket,
      this.#exchanges,
      this.#readControl,
      this.#responses,
      this,
      host,
    )
    this.#reader = new RecordReader(socket, dispatcher, this.#readControl, this)
    this.#aborter = new RequestAborter(this.#exchanges, dispatcher, this.#responses, this)
    this.#linger = new Linger(socket, host)
    this.#progress = new WriteProgress(socket, host.tick)
    this.idleTick = host.tick
    socket.on('drain', () => this.#onDrain())
    socket.on('end', () => this.#onEnd())
    // 'close' follows each 'error', and its listener does the cleanup.
    socket.on('error', () => {})
    socket.on('close', () => this.#onClose())
    if (host.closing) this.drain()
  }

  // ---- for the server ----

  /** The running requests. */
  get exchanges(): Iterable<ServerExchange> {
    return this.#exchanges
  }

  /** The number of running requests. */
  get requests(): number {
    return this.#exchanges.size
  }

  /** Whether the front server waits for a response: a response has not ended, or the first request is about to arrive. */
  get awaited(): boolean {
    for (const exchange of this.#exchanges) if (!exchange.ended) return true
    return !this.hasResponded && this.acceptsRequests
  }

  /** Reading is not paused, so the peer can send. */
  get reading(): boolean {
    return this.#readControl.reading
  }

  /** See {@link WriteProgress.lastTick}. */
  writeTick(): number {
    return this.#progress.lastTick(this.#host.tick)
  }

  /** Shuts the connection now if it is idle, otherwise after its last request. */
  finish(): void {
    this.#transition('finish')
    this.#shutIfDone()
  }

  /** Shuts the connection when the front server cannot be sending a request on it, because the server closes. */
  drain(): void {
    this.#transition('drain')
    this.#linger.shorten()
    if (this.#state !== 'draining') return
    this.#connectionDrain = new ConnectionDrain(this.#host, this, this.#reader, this.#responses)
  }

  /**
   * Aborts the running requests and closes the connection. Requests whose response has not begun get `status`, if there is one.
   */
  destroy(code: ExchangeErrorCode, message: string, status?: number): void {
    this.#aborter.abortAll(code, message, status)
    this.#aborter.discardAll(code, message)
    this.shut()
    // Close the socket even if the peer does not read the output.
    setTimeout(() => this.socket.destroy(), SILENT_PEER_TIMEOUT)
  }

  // ---- for the parts of the connection ----

  get acceptsRequests(): boolean {
    return this.#state === 'open' || this.#state === 'draining'
  }

  get draining(): boolean {
    return this.#state === 'draining'
  }

  get peerEnded(): boolean {
    return this.#state === 'half-closed'
  }

  onProtocolError(error: ProtocolError): void {
    try {
      this.#host.onProtocolError(error, this)
    } finally {
      // Complete requests still get their response, unless the peer does not speak FastCGI at all.
      if (error.code === 'FCGI_ERR_VERSION') {
        this.destroy('FCGI_ERR_PROTOCOL', error.message)
      } else {
        this.#transition('finish')
        this.#aborter.abortIncomplete('FCGI_ERR_PROTOCOL', error.message)
        this.#shutIfDone()
      }
    }
  }

  onReplied(length: number): void {
    if (!this.#readControl.onReply(length)) this.#reader.pause()
  }

  onRequestEnded(exchange: ServerExchange, goAway: boolean): void {
    this.remove(exchange)
    this.idleTick = this.#host.tick
    this.hasResponded = true
    if (!exchange.keepConn) this.#transition('finish')
    this.#readControl.onResponseEnded()
    this.#shutIfDone(true)
    this.#connectionDrain?.onResponse(goAway)
  }

  reset(exchange: ServerExchange): void {
    this.remove(exchange)
    this.#reader.stop()
    if (resetTcp(this.socket)) return
    this.#probe.stop()
    this.socket.write(INVALID_RECORD)
    this.shut()
  }

  remove(exchange: ServerExchange): void {
    if (!exchange.receivedAll) this.#linger.expectInput()
    if (this.#exchanges.delete(exchange) && exchange.admitted) this.#host.release()
  }

  shut(isAfterResponse = false): void {
    if (isShut(this.#state)) return
    if (!this.#reader.atBoundary) this.#linger.expectInput()
    this.#transition('shut')
    this.#connectionDrain?.stop()
    this.#reader.drop(this.#linger)
    this.#probe.stop()
    this.#readControl.release()
    if (isAfterResponse) this.#linger.closeOrStart()
    else this.#linger.start()
  }

  // ---- events and states ----

  #transition(event: ConnectionEvent): void {
    this.#state = nextState(this.#state, event)
  }

  #shutIfDone(isAfterResponse = false): void {
    if (this.#exchanges.size === 0 && !this.acceptsRequests) this.shut(isAfterResponse)
  }

  #onDrain(): void {
    for (const exchange of this.#exchanges) exchange.drained()
    this.#readControl.onDrain()
  }

  #onEnd(): void {
    const wasShut = isShut(this.#state)
    this.#transition('peerEnd')
    this.#linger.stop()
    this.#readControl.release()
    if (wasShut) return
    const message = 'The front server closed the connection before it had sent the whole request.'
    this.#aborter.abortIncomplete('FCGI_ERR_CONNECTION_CLOSED', message)
    // The peer closed in the middle of a record, so no pending request is complete.
    if (!this.#reader.atBoundary) this.#aborter.discardAll('FCGI_ERR_CONNECTION_CLOSED', message)
    this.#shutIfDone()
    if (this.#exchanges.size > 0) this.#probe.start()
  }

  #onClose(): void {
    this.#transition('close')
    this.#connectionDrain?.stop()
    this.#linger.stop()
    this.#readControl.release()
    this.#probe.stop()
    this.#reader.stop()
    this.#aborter.discardAll('FCGI_ERR_CONNECTION_CLOSED', 'The front server closed the connection.')
    this.#host.onClose(this)
  }
}
