import { type AddressInfo, isIP } from 'node:net'
import type { Exchange } from '@fcgi-bridge/core'
import { onwriteOf, ShortLivedDuplex } from './short-lived-duplex.ts'

/**
 * The face of a net.Socket, or tls.TLSSocket, for the connection that the client has with the front server: its addresses,
 * its time-out, and the settings that are the front server's to make.
 */
export abstract class ClientSocket extends ShortLivedDuplex {
  readonly exchange: Exchange
  #timer: NodeJS.Timeout | undefined
  /** Milliseconds without traffic until 'timeout'; 0 is never. */
  timeout = 0

  constructor(exchange: Exchange) {
    super(NET_SOCKET)
    this.exchange = exchange
  }

  /** The client's address: REMOTE_ADDR. */
  get remoteAddress(): string | undefined {
    return this.exchange.remoteAddress
  }

  /** The client's port: REMOTE_PORT. */
  get remotePort(): number | undefined {
    return this.exchange.remotePort
  }

  get remoteFamily(): string | undefined {
    return familyOf(this.remoteAddress)
  }

  /** SERVER_ADDR. Undefined if that is not an IP address: on a Unix socket nginx sends `unix:` and the socket's path. */
  get localAddress(): string | undefined {
    const address = this.exchange.param('SERVER_ADDR') ?? ''
    return isIP(address) === 0 ? undefined : address
  }

  /** SERVER_PORT. */
  get localPort(): number | undefined {
    return Number(this.exchange.param('SERVER_PORT')) || undefined
  }

  get localFamily(): string | undefined {
    return familyOf(this.localAddress)
  }

  /** True where the client came over TLS (HTTPS), as on a tls.TLSSocket; undefined where not, as on a net.Socket. */
  get encrypted(): true | undefined {
    return this.exchange.scheme === 'https' ? true : undefined
  }

  get connecting(): boolean {
    return false
  }

  get pending(): boolean {
    return false
  }

  get readyState(): string {
    return this.destroyed ? 'closed' : 'open'
  }

  address(): AddressInfo | Record<string, never> {
    const { localAddress: address, localPort: port, localFamily: family } = this
    return address === undefined || port === undefined ? {} : { address, port, family: family! }
  }

  /** For the sake of code that sets up a net.Socket: these are the front server's to decide. */
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

  /** Emits 'timeout' after `msecs` milliseconds without traffic, and closes unless the request or the response handles it. 0 turns it off. */
  setTimeout(msecs: number, callback?: () => void): this {
    if (typeof msecs !== 'number' || !(msecs >= 0 && msecs < Number.POSITIVE_INFINITY)) {
      throw new RangeError(`The time-out is ${msecs}; it takes a number of milliseconds from 0 up.`)
    }
    if (this.destroyed) return this
    this.timeout = msecs
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (msecs === 0) {
      if (callback !== undefined) this.removeListener('timeout', callback)
    } else {
      this.#timer = setTimeout(() => this.onTimeout(), msecs).unref()
      if (callback !== undefined) this.once('timeout', callback)
    }
    return this
  }

  /** There was none for as long as `setTimeout` said. */
  protected abstract onTimeout(): void

  /** There was traffic. */
  protected onTraffic(): void {
    this.#timer?.refresh()
  }

  /** There will be none any more. */
  protected stopTimeout(): void {
    clearTimeout(this.#timer)
  }

  // ---- the stream: nothing comes of it, and what is written to it goes nowhere ----

  override _read(): void {}

  override _write(): void {
    onwriteOf(this)()
  }

  // `end`, where the response has not ended, says that there will be none.
  override _final(callback: () => void): void {
    callback()
    this.destroy()
  }

  /** As net.Socket has it. */
  destroySoon(): void {
    this.end()
  }

  /** As net.Socket has it. */
  resetAndDestroy(): this {
    return this.destroy()
  }
}

// As net.Socket: 'close' is its own to emit, in a later turn of the event loop.
const NET_SOCKET = { emitClose: false }

function familyOf(address: string | undefined): string | undefined {
  if (address === undefined) return undefined
  return address.includes(':') ? 'IPv6' : 'IPv4'
}
