import type { AddressInfo } from 'node:net'
import { Duplex } from 'node:stream'
import type { Exchange } from '@fcgi-bridge/core'

/**
 * `request.socket` for monitoring tools: the addresses of the client's connection. Reading it gives nothing, what is written to it
 * goes nowhere, and destroying it fails the exchange.
 */
export class ClientSocket extends Duplex {
  readonly #exchange: Exchange
  /** Milliseconds, as set with `setTimeout`, which has no other effect. */
  timeout = 0
  /** The response that is written to it, as Node's own code has it. */
  _httpMessage: object | null = null

  constructor(exchange: Exchange) {
    // As net.Socket: 'close' is emitted in a later turn of the event loop.
    super({ emitClose: false })
    this.#exchange = exchange
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

  /** True where the client came over TLS, as on a tls.TLSSocket; undefined where not, as on a net.Socket. */
  get encrypted(): true | undefined {
    return this.#exchange.scheme === 'https' ? true : undefined
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

  override _read(): void {}

  override _write(_chunk: unknown, _encoding: string, callback: () => void): void {
    callback()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (!this.#exchange.ended) this.#exchange.fail(error ?? new Error(DESTROYED))
    // Node's HTTP server always listens for 'error'.
    callback(this.listenerCount('error') > 0 ? error : null)
    setImmediate(() => this.emit('close', error !== null))
  }
}

const DESTROYED = 'The socket of the request was destroyed before the response was sent.'

function familyOf(address: string | undefined): string | undefined {
  if (address === undefined) return undefined
  return address.includes(':') ? 'IPv6' : 'IPv4'
}
