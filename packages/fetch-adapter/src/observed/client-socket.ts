import type { AddressInfo } from 'node:net'
import { Stream } from 'node:stream'
import type { Exchange } from '@fcgi-bridge/core'

/**
 * `request.socket` for monitoring tools: the addresses of the client's connection. A read returns nothing, and written data is
 * dropped. Destroying the socket fails the exchange. It is not a Duplex, because the states of a Duplex cost more than everything else
 * here.
 */
export class ClientSocket extends Stream {
  readonly #exchange: Exchange
  // Null before it is first read: OpenTelemetry reads it three times for each request.
  #remoteAddress: string | undefined | null = null
  /** The request on this connection: aborted if the connection closes before the response has been sent. */
  request: { abort(): void } | undefined
  /** Milliseconds, as passed to `setTimeout`, which has no other effect. */
  timeout = 0
  /** True if the client used TLS, as on a tls.TLSSocket. Absent otherwise, as on a net.Socket: programs check whether it exists. */
  declare encrypted?: true
  /** The response that is written to the socket. Node's own code reads it. */
  _httpMessage: { readonly writableFinished: boolean; close(): void } | null = null
  /** How often `cork` was called. Node's own code sets it at the end of a response, through {@link _writableState}. */
  corked = 0
  destroyed = false

  constructor(exchange: Exchange) {
    super()
    this.#exchange = exchange
    if (exchange.scheme === 'https') this.encrypted = true
  }

  /** REMOTE_ADDR. */
  get remoteAddress(): string | undefined {
    if (this.#remoteAddress === null) this.#remoteAddress = this.#exchange.remoteAddress
    return this.#remoteAddress
  }

  /** REMOTE_PORT. */
  get remotePort(): number | undefined {
    return this.#exchange.remotePort
  }

  get remoteFamily(): string | undefined {
    return familyOf(this.remoteAddress)
  }

  /** SERVER_ADDR. */
  get localAddress(): string | undefined {
    return this.#exchange.param('SERVER_ADDR') || undefined
  }

  /** SERVER_PORT. */
  get localPort(): number | undefined {
    return Number(this.#exchange.param('SERVER_PORT')) || undefined
  }

  get localFamily(): string | undefined {
    return familyOf(this.localAddress)
  }

  address(): AddressInfo | Record<string, never> {
    const { localAddress: address, localPort: port, localFamily: family } = this
    return address === undefined || port === undefined ? {} : { address, port, family: family! }
  }

  setTimeout(milliseconds: number): this {
    this.timeout = milliseconds
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  get readable(): boolean {
    return !this.destroyed
  }

  get writable(): boolean {
    return !this.destroyed
  }

  get readableHighWaterMark(): number {
    return HIGH_WATER_MARK
  }

  get writableHighWaterMark(): number {
    return HIGH_WATER_MARK
  }

  get writableLength(): number {
    return 0
  }

  /** The part of a stream's writable state that Node's own code reads. */
  get _writableState(): { corked: number } {
    return this
  }

  get writableCorked(): number {
    return this.corked
  }

  cork(): void {
    this.corked++
  }

  uncork(): void {
    if (this.corked > 0) this.corked--
  }

  pause(): this {
    return this
  }

  resume(): this {
    return this
  }

  read(): null {
    return null
  }

  write(): boolean {
    return !this.destroyed
  }

  end(): this {
    return this.destroy()
  }

  destroy(error?: Error): this {
    if (this.destroyed) return this
    this.destroyed = true
    if (!this.#exchange.ended) this.#exchange.fail(error ?? new Error(DESTROYED))
    // Node's HTTP server has an 'error' listener on every socket, so an error without a listener of the app is not thrown.
    if (error !== undefined && this.listenerCount('error') > 0) this.emit('error', error)
    // As on a net.Socket, 'close' comes in a later turn of the event loop. Node aborts the request before the response emits 'close'.
    setImmediate(() => {
      const response = this._httpMessage
      if (response?.writableFinished === false) this.request?.abort()
      response?.close()
      this.emit('close', error !== undefined)
    })
    return this
  }
}

const HIGH_WATER_MARK = 64 * 1024

const DESTROYED = 'The socket of the request was destroyed before the response was sent.'

function familyOf(address: string | undefined): string | undefined {
  if (address === undefined) return undefined
  return address.includes(':') ? 'IPv6' : 'IPv4'
}
