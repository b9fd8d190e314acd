import {
  FCGI_CANT_MPX_CONN,
  FCGI_END_REQUEST,
  FCGI_NULL_REQUEST_ID,
  FCGI_STDERR,
  FCGI_STDOUT,
  RecordDecoder,
  type RecordSink,
} from '@fcgi-bridge/core'
import type { SocketAddress } from '../address.ts'
import { noResponse } from '../error.ts'
import { Observation, RecordTap } from '../observer.ts'
import type { ConnectionState } from './connection-state.ts'
import { deferReuse } from './deferred-reuse.ts'
import type { ClientExchange, ExchangeConnection } from './exchange.ts'
import type { ConnectionOptions, ConnectionOwner } from './owner.ts'
import { PendingAborts } from './pending-aborts.ts'
import { RecordWriter } from './record-writer.ts'
import { type EndedRequest, RunningExchanges, unexpectedRecord } from './running-exchanges.ts'
import { ApplicationSocket, closedEarly, type SocketUser } from './socket.ts'

/** One socket to a FastCGI application, which carries one request after another, or several at once. */
export class ClientConnection implements ExchangeConnection, RecordSink, SocketUser {
  readonly #address: SocketAddress
  readonly #options: ConnectionOptions
  readonly #owner: ConnectionOwner<ClientConnection>
  readonly #number: number
  readonly #socket: ApplicationSocket
  readonly #decoder: RecordDecoder = new RecordDecoder(this)
  readonly #exchanges = new RunningExchanges()
  // Requests whose handlers are paused. The socket is not read while there is one.
  readonly #paused = new Set<ClientExchange>()
  readonly #writer: RecordWriter
  readonly #receivedTap: RecordTap | undefined
  #ended: EndedRequest[] = []
  #state: ConnectionState = 'connecting'
  #hasReceived = false
  #lastStart = 0
  #reuseDeferred = false
  readonly #pendingAborts = new PendingAborts(() => this.#onAbortIgnored())
  #idleTimer: NodeJS.Timeout | undefined

  /** `number` identifies this connection in an observer's events. */
  constructor(
    address: SocketAddress,
    options: ConnectionOptions,
    owner: ConnectionOwner<ClientConnection>,
    number: number,
  ) {
    this.#address = address
    this.#options = options
    this.#owner = owner
    this.#number = number
    const watched = options.observer?.onRecord !== undefined
    this.#receivedTap = watched ? this.#createTap('received') : undefined
    this.#socket = new ApplicationSocket(address, options.connectTimeout, this)
    this.#writer = new RecordWriter(
      this.#socket,
      options.keepConn,
      watched ? this.#createTap('sent') : undefined,
    )
  }

  /** Takes a request, and sends it at once or when the connection is open. */
  start(exchange: ClientExchange): void {
    if (this.#exchanges.size === 0) this.#socket.keepAlive(true)
    this.#lastStart = this.#owner.clock
    const requestId = this.#exchanges.add(exchange)
    exchange.attach(this, requestId, this.#isConnected)
    const { observer } = this.#options
    if (observer !== undefined) {
      exchange.observation = new Observation(observer, exchange.request, requestId, this.#number)
    }
    if (this.#isConnected && !this.#reuseDeferred) exchange.send()
  }

  /** See {@link deferReuse}. If the application has closed the connection, onClose returns the waiting requests to the owner. */
  onReusable(): void {
    this.#reuseDeferred = false
    if (!this.#socket.open) return
    for (const exchange of this.#exchanges) exchange.send()
  }

  /** The time of the last {@link start}, by the owner's clock. */
  get lastStart(): number {
    return this.#lastStart
  }

  /** The number of requests that have not ended. */
  get running(): number {
    return this.#exchanges.size
  }

  /**
   * The connection can take a request now. False as soon as the application has closed it, which is before
   * {@link ConnectionOwner.onClose}, and while the handler of a running request is paused.
   */
  get usable(): boolean {
    return this.#socket.open && this.#state !== 'retired' && this.#paused.size === 0
  }

  /** Closes the connection. Running requests fail with `error`. */
  close(error?: Error): void {
    this.#state = 'closing'
    this.#socket.close(error)
  }

  /** Makes the connection idle: it does not keep the process alive, and closes after `timeout` milliseconds. 0 is no limit. */
  becomeIdle(timeout: number): void {
    this.#socket.keepAlive(false)
    if (timeout === 0) return
    if (this.#idleTimer === undefined) this.#idleTimer = setTimeout(this.#onIdleTimeout, timeout).unref()
    else this.#idleTimer.refresh()
  }

  // ---- RequestTarget: sending ----

  sendRequest(requestId: number, params: readonly string[], stdin: Uint8Array | undefined): void {
    this.#writer.request(requestId, params, stdin)
  }

  sendStdin(requestId: number, chunk: Uint8Array): boolean {
    return this.#writer.stdin(requestId, chunk)
  }

  endStdin(requestId: number): void {
    this.#writer.endStdin(requestId)
  }

  corkOnce(): void {
    this.#socket.cork()
    setImmediate(() => this.#socket.uncork())
  }

  // ---- ExchangeConnection: receiving ----

  get shared(): boolean {
    return this.#exchanges.size > 1
  }

  take(chunk: Buffer, start: number, end: number): Buffer {
    return this.#socket.take(chunk, start, end)
  }

  hold(exchange: ClientExchange): void {
    this.#paused.add(exchange)
    this.#socket.pause()
  }

  release(exchange: ClientExchange): void {
    if (this.#paused.delete(exchange) && this.#paused.size === 0) this.#socket.resume()
  }

  abandon(requestId: number, exchange: ClientExchange): void {
    this.release(exchange)
    if (!exchange.begun) {
      this.#exchanges.delete(requestId)
      exchange.observation?.end({ error: exchange.reason! })
      if (this.#isConnected && this.#exchanges.size === 0) this.#owner.onFree(this)
      return
    }
    if (this.#owner.abortsIgnored && !this.#exchanges.hasLive) {
      this.close()
      return
    }
    this.#writer.abort(requestId)
    this.#pendingAborts.add(requestId)
  }

  // ---- records ----

  onStream(type: number, requestId: number, chunk: Buffer, start: number, end: number): void {
    const exchange = this.#exchanges.find(requestId)
    if (start === end) return
    if (type === FCGI_STDOUT) exchange.onStdout(chunk, start, end)
    else if (type === FCGI_STDERR) exchange.onStderr(this.take(chunk, start, end))
  }

  onDiscrete(type: number, requestId: number, chunk: Buffer, start: number, end: number): void {
    if (requestId === FCGI_NULL_REQUEST_ID) return
    const exchange = this.#exchanges.find(requestId)
    if (type !== FCGI_END_REQUEST) return
    if (end - start < 8) throw unexpectedRecord('an FCGI_END_REQUEST of less than 8 bytes')
    this.#exchanges.delete(requestId)
    this.release(exchange)
    const alone = this.#exchanges.size === 0
    if (alone && !this.#reuseDeferred) {
      this.#reuseDeferred = true
      deferReuse(this)
    }
    if (exchange.closed) this.#pendingAborts.delete(requestId)
    // Do not reuse the connection if the application ended the request before all of it was sent: it may not read the rest.
    if (!this.#options.keepConn || (!exchange.closed && !exchange.sent) || (alone && this.#socket.full)) {
      this.#retire()
      if (alone) this.#decoder.stop()
    }
    this.#ended.push({
      exchange,
      appStatus: chunk.readUInt32BE(start),
      protocolStatus: chunk[start + 4]!,
    })
  }

  // Called after the whole chunk was decoded, so that records after END_REQUEST are not attributed to the next request.
  // The connection is made free before the handlers are called, because a handler may dispatch its next request (a
  // redirect) at once.
  #endRequests(): void {
    const ended = this.#ended
    this.#ended = []
    if (this.#state === 'open') this.#owner.onFree(this)
    else if (this.#state === 'retired' && !this.#exchanges.hasLive) this.close()
    for (const { exchange, appStatus, protocolStatus } of ended) {
      if (protocolStatus === FCGI_CANT_MPX_CONN && exchange.returnable) {
        exchange.observation?.end({ appStatus, protocolStatus, error: noResponse(appStatus, protocolStatus) })
        exchange.detach()
        this.#owner.onRefused(exchange)
      } else {
        exchange.onEndRequest(appStatus, protocolStatus)
      }
    }
  }

  // ---- the socket ----

  #createTap(direction: 'sent' | 'received'): RecordTap {
    return new RecordTap((type, requestId, contentLength, paddingLength) => {
      const { observation } = this.#exchanges.get(requestId) ?? {}
      observation?.record(direction, type, contentLength, paddingLength)
    })
  }

  onConnect(): void {
    if (this.#state === 'connecting') this.#state = 'open'
    this.#owner.onOpen(this)
    if (this.#exchanges.size === 0) this.#owner.onFree(this)
    for (const exchange of this.#exchanges) exchange.send()
  }

  onBytes(chunk: Buffer, length: number): void {
    if (!this.#hasReceived) {
      this.#hasReceived = true
      this.#owner.onFirstBytes(this)
    }
    this.#receivedTap?.push(chunk.subarray(0, length))
    try {
      this.#decoder.push(chunk, length)
    } catch (error) {
      this.close(error as Error)
    }
    if (this.#ended.length > 0) this.#endRequests()
  }

  onDrain(): void {
    for (const exchange of this.#exchanges) exchange.onDrain()
  }

  onClose(failure: Error | undefined): void {
    this.#pendingAborts.clear()
    clearTimeout(this.#idleTimer)
    this.#decoder.stop()
    const byPeer = this.#state !== 'closing'
    const error = failure ?? closedEarly(this.#address)
    const exchanges = [...this.#exchanges]
    const why = this.#exchanges.hasLive ? error : failure
    this.#exchanges.clear()
    const returned = byPeer && this.#isConnected ? exchanges.filter((one) => !one.begun || one.retryable) : []
    for (const exchange of returned) {
      exchange.observation?.end({ error })
      exchange.detach()
    }
    this.#owner.onClose(this, why, byPeer, returned)
    for (const exchange of exchanges) {
      if (!returned.includes(exchange)) exchange.onConnectionLost(error)
    }
  }

  readonly #onIdleTimeout = (): void => {
    if (this.#exchanges.size === 0) this.close()
  }

  #onAbortIgnored(): void {
    this.#owner.onAbortIgnored()
    this.#retire()
    if (!this.#exchanges.hasLive) this.close()
  }

  get #isConnected(): boolean {
    return this.#state === 'open' || this.#state === 'retired'
  }

  #retire(): void {
    if (this.#state === 'open') this.#state = 'retired'
  }
}
