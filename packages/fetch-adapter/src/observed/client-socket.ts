import type { AddressInfo } from 'node:net'
import { Stream } from 'node:stream'
import type { Exchange } from '@fcgi-bridge/core'

// What Node's code reads of the state of a socket's writable side, and sets at the end of a response.
interface WritableSide {
  corked: number
}

/**
 * `request.socket` for monitoring tools: the addresses of the client's connection. Reading it gives nothing, what is written to it
 * goes nowhere, and destroying it fails the exchange. It is no Duplex, because the states of one cost more than the rest of it.
 */
export class ClientSocket extends Stream {
  readonly #exchange: Exchange
  /** Milliseconds, as set with `setTimeout`, which has no other effect. */
  timeout = 0
  /** True if the client used TLS, as on a tls.TLSSocket. Absent otherwise, as on a net.Socket: programs look whether it exists. */
  declare encrypted?: true
  /** The response that is written to it, as Node's own code has it. */
  _httpMessage: object | null = null

  readonly _writableState: WritableSide = { corked: 0 }
  readable = true
  writable = true
  destroyed = false
  readonly readableHighWaterMark: number = 64 * 1024
  readonly writableHighWaterMark: number = 64 * 1024
  readonly writableLength: number = 0

  constructor(exchange: Exchange) {
    super()
    this.#exchange = exchange
    if (exchange.scheme === 'https') this.encrypted = true
  }

  /** REMOTE_ADDR. */
  get remoteAddress(): string | undefined {
    return this.#exchange.remoteAddress
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

  get writableCorked(): number {
    return this._writableState.corked
  }

  cork(): void {
    this._writableState.corked++
  }

  uncork(): void {
    if (this._writableState.corked > 0) this._writableState.corked--
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
    this.readable = false
    this.writable = false
    if (!this.#exchange.ended) this.#exchange.fail(error ?? new Error(DESTROYED))
    // Node's HTTP server always listens for 'error'. As of net.Socket, 'close' comes in a later turn of the event loop.
    if (error !== undefined && this.listenerCount('error') > 0) this.emit('error', error)
    setImmediate(() => this.emit('close', error !== undefined))
    return this
  }
}

const DESTROYED = 'The socket of the request was destroyed before the response was sent.'

function familyOf(address: string | undefined): string | undefined {
  if (address === undefined) return undefined
  return address.includes(':') ? 'IPv6' : 'IPv4'
}
