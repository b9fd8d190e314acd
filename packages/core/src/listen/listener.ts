import type { Server, Socket } from 'node:net'
import { closeServer } from './net-server.ts'
import type { StandardDescriptor } from './standard-descriptor.ts'
import type { SocketFile } from './unix-socket.ts'

// libuv accepts one connection per turn of the event loop, so the queue is empty once some turns have brought none.
const EMPTY_TURNS = 3

// Milliseconds. mod_fcgid gives a process one request at a time and may be about to connect.
const LAST_REQUEST_TIMEOUT = 100

/** What is known of a listening socket. */
export interface SocketOrigin {
  /** The file of a Unix socket that this process has bound. */
  file?: SocketFile
  /** The socket is descriptor 0, 1 or 2. */
  standard?: StandardDescriptor
  /** Another process holds the socket and accepts from its queue. */
  shared?: boolean
}

/**
 * A listening server, and how it stops. Closing a listening socket resets the connections in its queue, unless another process holds
 * the socket. The front servers have sent requests on them by then.
 */
export class Listener {
  readonly #server: Server
  readonly #origin: SocketOrigin
  #closed: Promise<void> | undefined

  constructor(server: Server, origin: SocketOrigin) {
    this.#server = server
    this.#origin = origin
  }

  /** Settles when the server and its connections are closed. Undefined before. */
  get closed(): Promise<void> | undefined {
    return this.#closed
  }

  /** Keeps the process alive while it listens. */
  ref(): void {
    this.#server.ref()
  }

  /** Lets the process end while it listens. */
  unref(): void {
    this.#server.unref()
  }

  /**
   * Accepts what waits in the queue, for at most `limit` milliseconds, and closes the socket. Settles then. `isAwaited` tells whether a
   * front server waits for a response of this process.
   */
  async drain(limit: number, isAwaited: () => boolean): Promise<void> {
    const { file, standard, shared } = this.#origin
    file?.remove()
    if (!shared) {
      const queue = new Queue(this.#server, limit, standard !== undefined)
      await queue.emptied()
      if (standard !== undefined) await queue.lastRequest(isAwaited)
      this.close()
      queue.resume()
    } else {
      this.close()
    }
  }

  /** Closes the socket now. Settles when its connections are closed. */
  close(): Promise<void> {
    const { file, standard } = this.#origin
    this.#closed ??= file === undefined ? closeServer(this.#server) : file.close(this.#server)
    standard?.release()
    return this.#closed
  }
}

/** Observes the connections that a server accepts while it drains. */
class Queue {
  readonly #server: Server
  readonly #until: number
  readonly #holds: boolean
  readonly #held: Socket[] = []
  readonly #onConnection = (socket: Socket): void => this.#onAccept(socket)
  #accepted = 0
  #wake: (() => void) | undefined

  /** With `holds`, nothing is read from accepted connections until {@link resume}. */
  constructor(server: Server, limit: number, holds: boolean) {
    this.#server = server
    this.#until = performance.now() + limit
    this.#holds = holds
    server.on('connection', this.#onConnection)
  }

  /** Settles when the queue is empty. */
  async emptied(): Promise<void> {
    for (let turns = 0; turns < EMPTY_TURNS && !this.#isLate(); turns++) {
      const before = this.#accepted
      await new Promise(setImmediate)
      if (this.#accepted > before) turns = -1
    }
  }

  /**
   * Settles at a moment at which mod_fcgid does not connect. It connects to a process that has no request, and only to such a process:
   * while a request is awaited, closing the socket loses none. Otherwise the next connection is awaited for a while.
   */
  async lastRequest(isAwaited: () => boolean): Promise<void> {
    const until = Math.min(this.#until, performance.now() + LAST_REQUEST_TIMEOUT)
    while (!isAwaited()) {
      const left = until - performance.now()
      if (left <= 0) return
      await this.#nextConnection(left)
      await this.emptied()
    }
  }

  /** Serves the connections that were held. */
  resume(): void {
    this.#server.removeListener('connection', this.#onConnection)
    for (const socket of this.#held) socket.resume()
  }

  #nextConnection(timeout: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeout)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #isLate(): boolean {
    return performance.now() >= this.#until
  }

  #onAccept(socket: Socket): void {
    this.#accepted++
    if (this.#holds) {
      socket.pause()
      this.#held.push(socket)
    }
    this.#wake?.()
  }
}
