import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { WriteCallback } from '../exchange/exchange.ts'
import type { ExchangeConnection, ExchangeSettings, ServerExchange } from '../exchange/server-exchange.ts'
import { FCGI_REQUEST_COMPLETE } from '../protocol/constants.ts'
import { encodeEndRequest } from '../protocol/encoder.ts'
import type { ActiveRequests } from './active-requests.ts'
import { type EndRequest, GO_AWAY } from './end-request.ts'
import type { PeerProbe } from './peer-probe.ts'
import { type LingerLimits, PendingEndRequests } from './pending-end-requests.ts'
import type { ReadControl } from './read-control.ts'
import { writeHeadAlone, writeStderr, writeStdout } from './response-records.ts'

/** What a {@link ResponseWriter} needs from the server. */
export interface ResponseServer {
  readonly settings: ExchangeSettings
  readonly options: LingerLimits
  /** The server's clock, in seconds. */
  readonly tick: number
}

/** What a {@link ResponseWriter} needs from its connection. */
export interface ResponseConnection {
  /** The peer has closed its write side. */
  readonly peerEnded: boolean
  /** The server is closing, but the connection still accepts requests. */
  readonly draining: boolean
  /** The END_REQUEST of `exchange` was sent. If `goAway` is true, the record that makes nginx drop the connection was sent with it. */
  onRequestEnded(exchange: ServerExchange, goAway: boolean): void
  /** The server sent a record of its own, of `length` bytes. */
  onReplied(length: number): void
  /** Ends `exchange`, the only request, by resetting the connection, so that the peer sees a failure. */
  reset(exchange: ServerExchange): void
}

// The socket is corked for a chunk of at least this size (bytes) until the end of the event loop tick, so that later chunks share its
// write. It is not corked for a write with a callback, because the app then waits for the callback.
const BATCH_MIN = 16 * 1024

/** The responses of a connection: STDOUT, STDERR and END_REQUEST records (FastCGI 1.0 sections 5.3 and 5.5). */
export class ResponseWriter implements ExchangeConnection {
  readonly #socket: Duplex
  readonly #exchanges: ActiveRequests
  readonly #probe: PeerProbe
  readonly #readControl: ReadControl
  readonly #connection: ResponseConnection
  readonly #server: ResponseServer
  readonly #isNetSocket: boolean
  // Created when it is first needed: most connections never hold an END_REQUEST.
  #pending: PendingEndRequests | undefined
  // Whether nginx keeps the connection. Undefined before the first response on a kept connection.
  #isNginx: boolean | undefined

  constructor(
    socket: Duplex,
    exchanges: ActiveRequests,
    probe: PeerProbe,
    readControl: ReadControl,
    connection: ResponseConnection,
    server: ResponseServer,
  ) {
    this.#socket = socket
    this.#isNetSocket = socket instanceof Socket
    this.#exchanges = exchanges
    this.#probe = probe
    this.#readControl = readControl
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
    this.#readControl.onConsumed()
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
    // Checked once, because it searches the params.
    if (exchange.keepConn) this.#isNginx ??= exchange.isFromNginx
    const goAway = this.#connection.draining && this.#canGoAway(exchange)
    const end: EndRequest = { appStatus: exchange.appStatus, protocolStatus, goAway }
    const isPending = exchange.keepConn && !exchange.stdinEnded && !this.#connection.peerEnded
    const { requestId } = exchange
    writeStdout(this.#socket, requestId, head, body, true, isPending ? undefined : end, callback)
    if (isPending) this.#hold(exchange, end)
    else this.#connection.onRequestEnded(exchange, goAway)
  }

  truncate(exchange: ServerExchange): void {
    if (this.#exchanges.size > 1) {
      // Other requests use the connection, so it must stay open: end this one with a non-zero exit status. The connection must also
      // accept new requests, because HAProxy sends them as long as others are running.
      const appStatus = exchange.appStatus || 1
      this.endRequest(exchange, { appStatus, protocolStatus: FCGI_REQUEST_COMPLETE })
    } else {
      this.#connection.reset(exchange)
    }
  }

  // ---- for the connection ----

  /** Sends END_REQUEST, but not the end of STDOUT. While the server is closing, {@link GO_AWAY} follows if the peer is nginx. */
  endRequest(exchange: ServerExchange, end: EndRequest): void {
    this.#probe.finish()
    const record = encodeEndRequest(exchange.requestId, end.appStatus, end.protocolStatus)
    const goAway = this.#connection.draining && this.#canGoAway(exchange)
    this.reply(goAway ? Buffer.concat([record, GO_AWAY]) : record)
    this.#connection.onRequestEnded(exchange, goAway)
  }

  /** Sends the END_REQUEST of `exchange` if it is held. */
  sendPendingEnd(exchange: ServerExchange): void {
    const end = this.#pending?.take(exchange)
    if (end !== undefined) this.endRequest(exchange, end)
  }

  /** Forgets the END_REQUEST of `exchange` if it is held. */
  dropPendingEnd(exchange: ServerExchange): void {
    this.#pending?.take(exchange)
  }

  /**
   * `length` bytes of STDIN were dropped, because the response of `exchange` has ended. Returns false if the dropped bytes exceed a limit:
   * END_REQUEST must then be sent.
   */
  onDropped(exchange: ServerExchange, length: number): boolean {
    return this.#pending?.onDropped(exchange, length) !== false
  }

  /** If nginx keeps the connection, sends the record that makes nginx stop using it, and returns true. */
  sendGoAway(): boolean {
    if (this.#isNginx !== true) return false
    this.reply(GO_AWAY)
    return true
  }

  /** Sends a record of the server's own. */
  reply(record: Buffer): void {
    this.#socket.write(record)
    this.#connection.onReplied(record.length)
  }

  // GO_AWAY must not be sent while other requests are running, because nginx closes the connection.
  #canGoAway(exchange: ServerExchange): boolean {
    return exchange.keepConn && exchange.isFromNginx && this.#exchanges.size === 1
  }

  #hold(exchange: ServerExchange, end: EndRequest): void {
    this.#pending ??= new PendingEndRequests(this.#server.options, (pending, itsEnd) =>
      this.endRequest(pending, itsEnd),
    )
    this.#pending.hold(exchange, end)
  }
}

function uncork(socket: Duplex): void {
  socket.uncork()
}
