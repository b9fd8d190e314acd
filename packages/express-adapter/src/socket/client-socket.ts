import { type AddressInfo, isIP, Socket } from 'node:net'
import type { Exchange } from '@fcgi-bridge/core'
import { onwriteOf, ShortLivedDuplex } from './short-lived-duplex.ts'

/**
 * What a net.Socket says about a connection, said about the one between the client and the front server: its addresses, its
 * time-out, and the settings, which are the front server's. It has the properties of a net.Socket, in the same kinds.
 */
export abstract class ClientSocket extends ShortLivedDuplex {
  readonly exchange: Exchange
  #timer: NodeJS.Timeout | undefined

  // Own properties that code may read or assign, as on each socket of an http.Server.
  connecting = false
  server: unknown = null
  parser: unknown = null
  /** Milliseconds without traffic until 'timeout'; 0: never. Absent until `setTimeout` is called. */
  declare timeout?: number

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

  get pending(): boolean {
    return false
  }

  get bufferSize(): number {
    return this.writableLength
  }

  /** There is no handle of the operating system. */
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

  /** For code that sets up a net.Socket. The front server decides these settings. */
  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  /** Throws: this is the connection of a request. */
  connect(): never {
    throw new Error('req.socket is connected. Use a new net.Socket for another connection.')
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  /**
   * Emits 'timeout' after `msecs` milliseconds without traffic, and closes unless the request or the response handles it. 0 turns
   * it off. Throws what net.Socket throws.
   */
  setTimeout(msecs: number, callback?: () => void): this {
    if (this.destroyed) return this
    this.timeout = msecs
    const bad = !(msecs >= 0 && msecs <= TIMEOUT_MAX) || typeof msecs !== 'number'
    if (bad || (callback !== undefined && typeof callback !== 'function')) {
      // Node's own errors, and its warning for a time-out that is too long.
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

  /** There was no traffic for `timeout` milliseconds. */
  protected abstract onTimeout(): void

  /** There was traffic. */
  protected onTraffic(): void {
    this.#timer?.refresh()
  }

  /** There will be no more traffic. */
  protected stopTimeout(): void {
    clearTimeout(this.#timer)
  }

  // ---- the stream: it has no data, and drops what is written to it ----

  override _read(): void {}

  override _write(): void {
    onwriteOf(this)()
  }

  // `end` before the response has ended gives the request up.
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

// As net.Socket, which emits 'close' itself, in a later event loop phase.
const NET_SOCKET = { emitClose: false }

// The longest delay of a timer in Node, in milliseconds.
const TIMEOUT_MAX = 2 ** 31 - 1

/**
 * Gives the members of a class the attributes that net.Socket's have: methods are enumerable, and getters cannot be
 * redefined.
 */
export function likeNetSocket(prototype: object): void {
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

likeNetSocket(ClientSocket.prototype)

// Node 24.
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
