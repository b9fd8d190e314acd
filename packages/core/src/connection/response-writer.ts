import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { WriteCallback } from '../exchange/exchange.ts'
import type { ExchangeConnection, ExchangeSettings, ServerExchange } from '../exchange/server-exchange.ts'
import { FCGI_REQUEST_COMPLETE } from '../protocol/constants.ts'
import { encodeEndRequest } from '../protocol/encoder.ts'
import type { ActiveRequests } from './active-requests.ts'
import { type EndRequest, writeHeadAlone, writeStderr, writeStdout } from './output.ts'
import type { PeerProbe } from './peer-probe.ts'
import { type HoldLimits, PendingEndRequests } from './pending-end-requests.ts'

/** What a {@link ResponseWriter} needs of the server. */
export interface ResponseServer {
  readonly settings: ExchangeSettings
  readonly options: HoldLimits
  /** Seconds, as the server counts them. */
  readonly tick: number
}

/** What a {@link ResponseWriter} needs of its connection. */
export interface ResponseConnection {
  /** The peer has closed its write side. */
  readonly peerEnded: boolean
  /** The END_REQUEST of `exchange` was sent. */
  onRequestEnded(exchange: ServerExchange): void
  /** A record of `length` bytes that no app wrote was sent. */
  onReplied(length: number): void
  /** A reader took bytes of a request body, or no longer wants them. */
  onInputConsumed(): void
  /** Ends `exchange`, the only request, and the connection, so that the peer sees a failure and not the end of the response. */
  reset(exchange: ServerExchange): void
}

// Pieces of a body from this size on (bytes) are corked until the end of the turn, so that they share a write with what follows.
// A write with a callback is not: its writer waits for the callback, and nothing follows.
const BATCH_MIN = 16 * 1024

/** The responses of a connection: STDOUT, STDERR and END_REQUEST records (FastCGI 1.0 sections 5.3 and 5.5). */
export class ResponseWriter implements ExchangeConnection {
  readonly #socket: Duplex
  readonly #exchanges: ActiveRequests
  readonly #probe: PeerProbe
  readonly #connection: ResponseConnection
  readonly #server: ResponseServer
  readonly #isNetSocket: boolean
  // Made for the first one: most connections never hold an END_REQUEST.
  #pending: PendingEndRequests | undefined

  constructor(
    socket: Duplex,
    exchanges: ActiveRequests,
    probe: PeerProbe,
    connection: ResponseConnection,
    server: ResponseServer,
  ) {
    this.#socket = socket
    this.#isNetSocket = socket instanceof Socket
    this.#exchanges = exchanges
    this.#probe = probe
    this.#connection = connection
    this.#server = server
  }

  // ---- for exchanges (ExchangeConnection) ----

  get settings(): ExchangeSettings {
    return this.#server.settings
  }

  get tick(): number {
    return this.#server.tick
  }

  get keepsContext(): boolean {
    const { writableLength, writableCorked } = this.#socket
    return this.#isNetSocket && writableLength === 0 && writableCorked === 0
  }

  get lost(): boolean {
    return this.#socket.destroyed
  }

  onInputConsumed(): void {
    this.#connection.onInputConsumed()
  }

  sendHead(exchange: ServerExchange, head: string, callback?: WriteCallback): boolean {
    this.#probe.finish()
    return writeHeadAlone(this.#socket, exchange.requestId, head, callback)
  }

  sendStdout(
    exchange: ServerExchange,
    head: string,
    body: Uint8Array | string,
    callback?: WriteCallback,
  ): boolean {
    this.#probe.finish()
    if (body.length >= BATCH_MIN && callback === undefined && this.#socket.writableCorked === 0) {
      this.#socket.cork()
      process.nextTick(uncork, this.#socket)
    }
    return writeStdout(this.#socket, exchange.requestId, head, body, false, undefined, callback)
  }

  sendStderr(requestId: number, content: Uint8Array): boolean {
    this.#probe.finish()
    return writeStderr(this.#socket, requestId, content)
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
    const isHeld = exchange.keepConn && !exchange.stdinEnded && !this.#connection.peerEnded
    const { requestId } = exchange
    writeStdout(this.#socket, requestId, head, body, true, isHeld ? undefined : end, callback)
    if (isHeld) this.#hold(exchange, end)
    else this.#connection.onRequestEnded(exchange)
  }

  truncate(exchange: ServerExchange): void {
    if (this.#exchanges.size > 1) {
      // The connection has other requests, so the response can only be cut short with a failed exit status. The connection goes
      // on: HAProxy is not told that it is to close, and sends new requests on it as long as others run.
      const appStatus = exchange.appStatus || 1
      this.endRequest(exchange, { appStatus, protocolStatus: FCGI_REQUEST_COMPLETE })
    } else {
      this.#connection.reset(exchange)
    }
  }

  // ---- for the connection ----

  /** Sends END_REQUEST: the request is over. */
  endRequest(exchange: ServerExchange, end: EndRequest): void {
    this.#probe.finish()
    this.reply(encodeEndRequest(exchange.requestId, end.appStatus, end.protocolStatus))
    this.#connection.onRequestEnded(exchange)
  }

  /** Sends the END_REQUEST of `exchange` if it is held. */
  endHeld(exchange: ServerExchange): void {
    const end = this.#pending?.take(exchange)
    if (end !== undefined) this.endRequest(exchange, end)
  }

  /** Forgets the END_REQUEST of `exchange` if it is held. */
  dropHeld(exchange: ServerExchange): void {
    this.#pending?.take(exchange)
  }

  /** STDIN of a request whose response has been sent was dropped. False when that was too much: its END_REQUEST is due. */
  onDropped(exchange: ServerExchange, length: number): boolean {
    return this.#pending?.onDropped(exchange, length) !== false
  }

  /** Sends a record that no app wrote. */
  reply(record: Buffer): void {
    this.#socket.write(record)
    this.#connection.onReplied(record.length)
  }

  #hold(exchange: ServerExchange, end: EndRequest): void {
    this.#pending ??= new PendingEndRequests(this.#server.options, (held, itsEnd) =>
      this.endRequest(held, itsEnd),
    )
    this.#pending.hold(exchange, end)
  }
}

function uncork(socket: Duplex): void {
  socket.uncork()
}
