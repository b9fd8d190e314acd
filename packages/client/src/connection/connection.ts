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
import { FastCgiError, noAnswer } from '../error.ts'
import { type ExchangeObserver, Observation, RecordTap } from '../observer.ts'
import type { Carrier, ClientExchange } from './exchange.ts'
import { RecordWriter } from './record-writer.ts'
import { settleLater } from './settling.ts'
import { ApplicationSocket, closedEarly, type SocketUser } from './socket.ts'

/** How a connection behaves. Times are in milliseconds; `connectTimeout` 0 is no limit. */
export interface ConnectionOptions {
  readonly keepConn: boolean
  readonly connectTimeout: number
  readonly observer: ExchangeObserver | undefined
}

/** Whose connection it is: told when it is up, when it has room for a request, and when it is gone. */
export interface ConnectionOwner {
  onOpen(connection: ClientConnection): void
  /** The first that the application has sent on it. */
  onAnswering(connection: ClientConnection): void
  /** A request has ended, and the connection can take another. */
  onFree(connection: ClientConnection): void
  /** A request that has to be sent again on another connection: this one takes one at a time. */
  onRefused(exchange: ClientExchange): void
  /** The application did not end a request that was aborted: FCGI_ABORT_REQUEST says nothing to it. */
  onAbortIgnored(): void
  /** What time it is, in whatever the owner counts. */
  readonly clock: number
  /** Whether {@link onAbortIgnored} was ever called. */
  readonly abortsIgnored: boolean
  /**
   * Called once; with what made it end, unless that was nothing but one side's wish while nothing ran.
   * `byPeer`: the application has closed it. `returned`: requests to be sent again on another connection.
   */
  onClose(
    connection: ClientConnection,
    error: Error | undefined,
    byPeer: boolean,
    returned: readonly ClientExchange[],
  ): void
}

// How long an application may take to end a request that was aborted, before the connection is given up instead.
const ABORT_GRACE = 1000

interface EndedRequest {
  readonly exchange: ClientExchange
  readonly appStatus: number
  readonly protocolStatus: number
}

/** One socket to a FastCGI application, which carries one request after another, or several at once. */
export class ClientConnection implements Carrier, RecordSink, SocketUser {
  readonly #address: SocketAddress
  readonly #options: ConnectionOptions
  readonly #owner: ConnectionOwner
  readonly #number: number
  readonly #socket: ApplicationSocket
  readonly #decoder: RecordDecoder = new RecordDecoder(this)
  // By request id. One that is closed was aborted, and its END_REQUEST has not come yet.
  readonly #exchanges = new Map<number, ClientExchange>()
  // Those that take no more for now: nothing is read while there is one.
  readonly #holders = new Set<ClientExchange>()
  readonly #writer: RecordWriter
  readonly #receivedTap: RecordTap | undefined
  #ended: EndedRequest[] = []
  #up = false
  #answering = false
  #lastStart = 0
  // Takes no more requests, and closes when those that run have ended.
  #retired = false
  #closing = false
  #settling = false
  // By request id: how long the application has for each that was aborted.
  readonly #abortTimers = new Map<number, NodeJS.Timeout>()
  #idleTimer: NodeJS.Timeout | undefined

  /** `number` is what an observer knows this connection by. */
  constructor(address: SocketAddress, options: ConnectionOptions, owner: ConnectionOwner, number: number) {
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

  /** Takes a request; it goes out at once, or when the connection is up. */
  start(exchange: ClientExchange): void {
    const requestId = this.#freeRequestId()
    if (this.#exchanges.size === 0) this.#socket.keepAlive(true)
    this.#lastStart = this.#owner.clock
    this.#exchanges.set(requestId, exchange)
    exchange.attach(this, requestId, this.#up)
    const { observer } = this.#options
    if (observer !== undefined) {
      exchange.observation = new Observation(observer, exchange.request, requestId, this.#number)
    }
    if (this.#up && !this.#settling) exchange.send()
  }

  /** See {@link settleLater}. Where the application has closed it meanwhile, what waits here goes elsewhere. */
  settle(): void {
    this.#settling = false
    if (!this.#socket.open) return
    for (const exchange of this.#exchanges.values()) exchange.send()
  }

  /** When it was given its last request, by its owner's clock. */
  get lastStart(): number {
    return this.#lastStart
  }

  /** How many requests have not ended on it. */
  get running(): number {
    return this.#exchanges.size
  }

  /**
   * Whether it can take a request now. False from the moment that the application has closed it, which is before
   * {@link ConnectionOwner.onClose}, and while a request that runs on it does not take its answer.
   */
  get usable(): boolean {
    return this.#socket.open && !this.#retired && this.#holders.size === 0
  }

  /** Closes it; what still runs on it fails with `error`. */
  close(error?: Error): void {
    this.#closing = true
    this.#socket.close(error)
  }

  /** Nothing runs on it and nothing has to: it does not keep the process alive, and closes after `timeout`, unless that is 0. */
  rest(timeout: number): void {
    this.#socket.keepAlive(false)
    if (timeout === 0) return
    if (this.#idleTimer === undefined) this.#idleTimer = setTimeout(this.#onIdleTimeout, timeout).unref()
    else this.#idleTimer.refresh()
  }

  // ---- for exchanges: the way out ----

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

  // ---- for exchanges: the way back ----

  get shared(): boolean {
    return this.#exchanges.size > 1
  }

  take(chunk: Buffer, start: number, end: number): Buffer {
    return this.#socket.take(chunk, start, end)
  }

  hold(exchange: ClientExchange): void {
    this.#holders.add(exchange)
    this.#socket.pause()
  }

  release(exchange: ClientExchange): void {
    if (this.#holders.delete(exchange) && this.#holders.size === 0) this.#socket.resume()
  }

  abandon(requestId: number, exchange: ClientExchange): void {
    this.release(exchange)
    if (!exchange.begun) {
      this.#exchanges.delete(requestId)
      exchange.observation?.end({ error: exchange.reason! })
      if (this.#up && this.#exchanges.size === 0) this.#owner.onFree(this)
      return
    }
    if (this.#owner.abortsIgnored && !this.#hasLive()) {
      this.close()
      return
    }
    this.#writer.abort(requestId)
    this.#abortTimers.set(requestId, setTimeout(this.#onAbortTimeout, ABORT_GRACE).unref())
  }

  // ---- records ----

  onStream(type: number, requestId: number, chunk: Buffer, start: number, end: number): void {
    const exchange = this.#find(requestId)
    if (start === end) return
    if (type === FCGI_STDOUT) exchange.onStdout(chunk, start, end)
    else if (type === FCGI_STDERR) exchange.onStderr(this.take(chunk, start, end))
  }

  onDiscrete(type: number, requestId: number, chunk: Buffer, start: number, end: number): void {
    if (requestId === FCGI_NULL_REQUEST_ID) return
    const exchange = this.#find(requestId)
    if (type !== FCGI_END_REQUEST) return
    if (end - start < 8) throw outOfStep('an FCGI_END_REQUEST of less than 8 bytes')
    this.#exchanges.delete(requestId)
    this.release(exchange)
    const alone = this.#exchanges.size === 0
    if (alone && !this.#settling) {
      this.#settling = true
      settleLater(this)
    }
    if (exchange.closed) {
      clearTimeout(this.#abortTimers.get(requestId))
      this.#abortTimers.delete(requestId)
    }
    // Not where the application has ended the request before it had all of it: who knows whether it reads the rest.
    if (!this.#options.keepConn || (!exchange.closed && !exchange.sent) || (alone && this.#socket.full)) {
      this.#retired = true
      if (alone) this.#decoder.stop()
    }
    this.#ended.push({
      exchange,
      appStatus: chunk.readUInt32BE(start),
      protocolStatus: chunk[start + 4]!,
    })
  }

  // Once all that was read is decoded: what an application sends behind END_REQUEST must not be taken for the next
  // request's. The connection is free before the handlers are told, whose next request (a redirect) may come at once.
  #endRequests(): void {
    const ended = this.#ended
    this.#ended = []
    if (!this.#closing) {
      if (!this.#retired) this.#owner.onFree(this)
      else if (!this.#hasLive()) this.close()
    }
    for (const { exchange, appStatus, protocolStatus } of ended) {
      if (protocolStatus === FCGI_CANT_MPX_CONN && exchange.returnable) {
        exchange.observation?.end({ appStatus, protocolStatus, error: noAnswer(appStatus, protocolStatus) })
        exchange.detach()
        this.#owner.onRefused(exchange)
      } else {
        exchange.onEndRequest(appStatus, protocolStatus)
      }
    }
  }

  #hasLive(): boolean {
    for (const exchange of this.#exchanges.values()) if (!exchange.closed) return true
    return false
  }

  #find(requestId: number): ClientExchange {
    const exchange = this.#exchanges.get(requestId)
    if (exchange === undefined) {
      throw outOfStep(`a record of request ${requestId}, which does not run on this connection`)
    }
    return exchange
  }

  // The lowest id that is free, as nginx and others do: some applications count on small ones.
  #freeRequestId(): number {
    let requestId = 1
    while (this.#exchanges.has(requestId)) requestId++
    return requestId
  }

  // ---- the socket ----

  #createTap(direction: 'sent' | 'received'): RecordTap {
    return new RecordTap((type, requestId, contentLength, paddingLength) => {
      const { observation } = this.#exchanges.get(requestId) ?? {}
      observation?.record(direction, type, contentLength, paddingLength)
    })
  }

  onConnect(): void {
    this.#up = true
    this.#owner.onOpen(this)
    if (this.#exchanges.size === 0) this.#owner.onFree(this)
    for (const exchange of this.#exchanges.values()) exchange.send()
  }

  onBytes(chunk: Buffer, length: number): void {
    if (!this.#answering) {
      this.#answering = true
      this.#owner.onAnswering(this)
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
    for (const exchange of this.#exchanges.values()) exchange.onDrain()
  }

  onClose(failure: Error | undefined): void {
    for (const timer of this.#abortTimers.values()) clearTimeout(timer)
    clearTimeout(this.#idleTimer)
    this.#decoder.stop()
    const byPeer = !this.#closing
    const error = failure ?? closedEarly(this.#address)
    const exchanges = [...this.#exchanges.values()]
    const why = this.#hasLive() ? error : failure
    this.#exchanges.clear()
    const returned = byPeer && this.#up ? exchanges.filter((one) => !one.begun || one.retryable) : []
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

  readonly #onAbortTimeout = (): void => {
    this.#owner.onAbortIgnored()
    this.#retired = true
    if (!this.#hasLive()) this.close()
  }
}

function outOfStep(what: string): FastCgiError {
  return new FastCgiError('FCGI_ERR_RECORD', `The FastCGI application sent ${what}.`)
}
