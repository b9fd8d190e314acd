import { connect, type Socket } from 'node:net'
import { SocketReader } from '@fcgi-bridge/core'
import { errors } from 'undici'
import { formatAddress, type SocketAddress } from '../address.ts'
import { FastCgiError } from '../error.ts'

/** Receives the events of an {@link ApplicationSocket}. */
export interface SocketUser {
  onConnect(): void
  /** The first `length` bytes of `chunk` were received. They are valid until this returns. */
  onBytes(chunk: Buffer, length: number): void
  /** The write buffer has drained. */
  onDrain(): void
  /** Called once, last. `error` is undefined if one side closed the socket without an error. */
  onClose(error: Error | undefined): void
}

// How long (milliseconds) to wait before connecting again to a Unix socket whose queue was full.
const RETRY_AFTER = 10

/** A socket to an application, from before it is connected to after it is closed. */
export class ApplicationSocket {
  readonly #address: SocketAddress
  readonly #user: SocketUser
  readonly #connectTimer: NodeJS.Timeout | undefined
  #socket: Socket
  #reader: SocketReader | undefined
  #retryTimer: NodeJS.Timeout | undefined
  #open = false
  #closed = false
  #failure: Error | undefined

  /** Connects. `connectTimeout` is in milliseconds; 0 is no limit. */
  constructor(address: SocketAddress, connectTimeout: number, user: SocketUser) {
    this.#address = address
    this.#user = user
    this.#socket = this.#connect()
    if (connectTimeout > 0) {
      const error = `No connection to ${formatAddress(address)} within ${connectTimeout} ms.`
      this.#connectTimer = setTimeout(() => {
        this.close(new errors.ConnectTimeoutError(error))
      }, connectTimeout).unref()
    }
  }

  /** Connected, and neither side has closed it. */
  get open(): boolean {
    return this.#open && this.#socket.readyState === 'open'
  }

  /** The write buffer is full: wait for {@link SocketUser.onDrain}. */
  get full(): boolean {
    return this.#socket.writableNeedDrain
  }

  /** Writes bytes, or latin1 text. False: wait for {@link SocketUser.onDrain}. */
  write(bytes: Uint8Array | string): boolean {
    return typeof bytes === 'string' ? this.#socket.write(bytes, 'latin1') : this.#socket.write(bytes)
  }

  cork(): void {
    this.#socket.cork()
  }

  uncork(): void {
    this.#socket.uncork()
  }

  /** `chunk[start, end)` of a chunk of {@link SocketUser.onBytes}, in memory that stays valid. */
  take(chunk: Buffer, start: number, end: number): Buffer {
    return this.#reader!.take(chunk, start, end)
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Sets whether the socket keeps the process alive. */
  keepAlive(keeps: boolean): void {
    if (keeps) this.#socket.ref()
    else this.#socket.unref()
  }

  close(error?: Error): void {
    this.#failure ??= error
    this.#closed = true
    if (this.#retryTimer === undefined) {
      this.#socket.destroy()
    } else {
      clearTimeout(this.#retryTimer)
      this.#retryTimer = undefined
      process.nextTick(this.#onClose)
    }
  }

  #connect(): Socket {
    // Without noDelay, the end of a body is delayed until the peer acknowledges the data before it (Nagle's algorithm).
    return connect({ ...this.#address, noDelay: true })
      .on('connect', this.#onConnect)
      .on('drain', this.#onDrain)
      .on('error', this.#onError)
      .on('close', this.#onClose)
  }

  readonly #onConnect = (): void => {
    clearTimeout(this.#connectTimer)
    this.#open = true
    this.#reader = new SocketReader(this.#socket, this.#onChunk)
    this.#user.onConnect()
  }

  readonly #onChunk = (chunk: Buffer, length: number): void => {
    if (!this.#closed) this.#user.onBytes(chunk, length)
  }

  readonly #onDrain = (): void => {
    this.#user.onDrain()
  }

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    if (this.#open) this.#failure ??= closedEarly(this.#address, error)
    // EAGAIN: the queue of a Unix socket is full, for example because more connections are opened at once than PHP-FPM's
    // listen.backlog allows. Over TCP the kernel itself tries again.
    else if (error.code === 'EAGAIN' && !this.#closed) this.#retryTimer = setTimeout(this.#retry, RETRY_AFTER)
    else this.#failure ??= error
  }

  readonly #retry = (): void => {
    this.#retryTimer = undefined
    this.#socket = this.#connect()
  }

  readonly #onClose = (): void => {
    if (this.#retryTimer !== undefined) return
    clearTimeout(this.#connectTimer)
    this.#open = false
    this.#user.onClose(this.#failure)
  }
}

/** The error of a request whose connection was closed by the application, or by a proxy in between. */
export function closedEarly(address: SocketAddress, cause?: Error): FastCgiError {
  const at = formatAddress(address)
  const why = cause === undefined ? '' : `: ${cause.message}`
  return new FastCgiError(
    'FCGI_ERR_CONNECTION_CLOSED',
    `The FastCGI application at ${at} closed the connection before its response was complete${why}.`,
    { cause },
  )
}
