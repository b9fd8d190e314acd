import { type AddressInfo, isIP, Socket } from 'node:net'
import type { Exchange } from '@fcgi-bridge/core'
import { onwriteOf, ShortLivedDuplex } from './short-lived-duplex.ts'

/**
 * The connection between the client and the front server, with the interface of a net.Socket: addresses, a time-out and settings. The
 * settings have no effect, because the front server decides them. Each property is of the same kind (own, accessor, enumerable …) as
 * that of a net.Socket.
 */
export abstract class ClientSocket extends ShortLivedDuplex {
  readonly exchange: Exchange
  #timer: NodeJS.Timeout | undefined

  // Every socket of an http.Server has these own properties, and code may read or assign them.
  connecting = false
  server: unknown = null
  parser: unknown = null
  /** Milliseconds without traffic until 'timeout'; 0 means never. Absent until `setTimeout` is called. */
  declare timeout?: number

  constructor(exchange: Exchange) {
    super(DUPLEX_OPTIONS)
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

  /** The server's address: SERVER_ADDR. Undefined if that is not an IP address. On a Unix socket nginx sends `unix:` and the path. */
  get localAddress(): string | undefined {
    const address = this.exchange.param('SERVER_ADDR') ?? ''
    return isIP(address) === 0 ? undefined : address
  }

  /** The server's port: SERVER_PORT. */
  get localPort(): number | undefined {
    return Number(this.exchange.param('SERVER_PORT')) || undefined
  }

  get localFamily(): string | undefined {
    return familyOf(this.localAddress)
  }

  get pending(): boolean {
    return false
  }

  get bufferSize(): number {
    return this.writableLength
  }

  /** Null: there is no handle of the operating system. */
  get _handle(): null {
    return null
  }

  get readyState(): string {
    return this.destroyed ? 'closed' : 'open'
  }

  address(): AddressInfo | Record<string, never> {
    const { localAddress: address, localPort: port, localFamily: family } = this
    return address === undefined || port === undefined ? {} : { address, port, family: family! }
  }

  /** Does nothing, like `setKeepAlive`, `ref` and `unref`: the front server decides these settings. */
  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  /** Throws, because the connection belongs to a request. */
  connect(): never {
    throw new Error('req.socket is already connected. Create a new net.Socket for another connection.')
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  /**
   * Emits 'timeout' after `msecs` milliseconds without traffic, and closes the socket unless the request or the response has a 'timeout'
   * listener. 0 turns the time-out off. Throws the errors of net.Socket.
   */
  setTimeout(msecs: number, callback?: () => void): this {
    if (this.destroyed) return this
    this.timeout = msecs
    const bad = !(msecs >= 0 && msecs <= TIMEOUT_MAX) || typeof msecs !== 'number'
    if (bad || (callback !== undefined && typeof callback !== 'function')) {
      // Let Node throw its errors, and emit its warning for a time-out that is too long.
      new Socket().setTimeout(msecs, callback).setTimeout(0).destroy()
    }
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (msecs === 0) {
      if (callback !== undefined) this.removeListener('timeout', callback)
    } else {
      this.#timer = setTimeout(() => this.onTimeout(), Math.min(msecs, TIMEOUT_MAX)).unref()
      if (callback !== undefined) this.once('timeout', callback)
    }
    return this
  }

  /** Called after `timeout` milliseconds without traffic. */
  protected abstract onTimeout(): void

  /** Restarts the time-out. */
  protected onTraffic(): void {
    this.#timer?.refresh()
  }

  /** Stops the time-out. */
  protected stopTimeout(): void {
    clearTimeout(this.#timer)
  }

  // ---- the stream: it has no data, and drops written data ----

  override _read(): void {}

  override _write(): void {
    onwriteOf(this)()
  }

  // Calling `end` before the response has ended aborts the request.
  override _final(callback: () => void): void {
    callback()
    this.destroy()
  }

  /** Does what `end` does. */
  destroySoon(): void {
    this.end()
  }

  /** Does what `destroy` does. */
  resetAndDestroy(): this {
    return this.destroy()
  }
}

// A net.Socket emits 'close' itself, in a later phase of the event loop.
const DUPLEX_OPTIONS = { emitClose: false }

// The longest delay of a timer in Node, in milliseconds.
const TIMEOUT_MAX = 2 ** 31 - 1

/** Gives the members of a prototype the attributes of net.Socket's: methods are enumerable, and getters cannot be redefined. */
export function copyNetSocketAttributes(prototype: object): void {
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const real = findDescriptor(Socket.prototype, name)
    if (real === undefined || name === 'constructor') continue
    const { enumerable, configurable } = real
    Object.defineProperty(prototype, name, { enumerable: enumerable!, configurable: configurable! })
  }
}

function findDescriptor(object: object | null, name: string): PropertyDescriptor | undefined {
  if (object === null) return undefined
  return Object.getOwnPropertyDescriptor(object, name) ?? findDescriptor(Object.getPrototypeOf(object), name)
}

copyNetSocketAttributes(ClientSocket.prototype)

// net.Socket has these methods since Node 24.
for (const [name, value] of Object.entries({ setTypeOfService: 'this', getTypeOfService: 0 })) {
  if (!(name in Socket.prototype)) continue
  Object.defineProperty(ClientSocket.prototype, name, {
    configurable: true,
    enumerable: true,
    writable: true,
    value(this: ClientSocket): unknown {
      return value === 'this' ? this : value
    },
  })
}

function familyOf(address: string | undefined): string | undefined {
  if (address === undefined) return undefined
  return address.includes(':') ? 'IPv6' : 'IPv4'
}
