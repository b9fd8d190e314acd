import type { Server, Socket } from 'node:net'
import { closeServer } from './net-server.ts'
import type { StandardDescriptor } from './standard-descriptor.ts'

// libuv accepts one connection per event loop tick. After this many ticks without a connection, the queue is empty.
const EMPTY_TICKS = 3

// Milliseconds. mod_fcgid gives a process one request at a time and may be about to connect.
const LAST_REQUEST_TIMEOUT = 100

/** The file of a Unix socket that this process has bound. */
export interface ListeningFile {
  /**
   * Stops further connections from arriving. Connections that arrive until the result settles are still accepted, as are those in the queue.
   */
  remove(): void | Promise<void>
  /** Closes `server`, which listens on the file. Settles when its connections are closed. */
  close(server: Server): Promise<void>
}

/** Where a listening socket comes from. */
interface SocketOrigin {
  /** The file of a Unix socket that this process has bound. */
  file?: ListeningFile
  /** The socket is descriptor 0, 1 or 2. */
  standard?: StandardDescriptor
  /** Another process holds the socket and accepts from its queue. */
  shared?: boolean
}

/**
 * A listening server and its shutdown. Closing a listening socket resets the connections in its queue, unless another process holds the
 * socket. Front servers may already have sent requests on these connections.
 */
export class Listener {
  readonly #server: Server
  readonly #origin: SocketOrigin
  #closed: Promise<void> | undefined

  constructor(server: Server, origin: SocketOrigin) {
    this.#server = server
    this.#origin = origin
    // An error means that the process has no free file descriptor. Accepting continues once there is one.
    server.on('error', () => {})
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
   * Accepts the connections in the queue, for at most `limit` milliseconds, and then closes the socket. `isAwaited` returns whether a front
   * server waits for a response from this process.
   */
  async drain(limit: number, isAwaited: () => boolean): Promise<void> {
    const { file, standard, shared } = this.#origin
    const removed = file?.remove()
    if (removed !== undefined) await removed
    if (!shared) {
      const isRemoved = standard?.removeFile() ?? false
      const queue = new Queue(this.#server, limit, standard !== undefined)
      await queue.whenEmpty()
      if (standard !== undefined && !isRemoved) await queue.awaitLastRequest(isAwaited)
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

/** Watches the connections that a server accepts while it drains. */
class Queue {
  readonly #server: Server
  readonly #until: number
  readonly #holdsInput: boolean
  readonly #held: Socket[] = []
  readonly #onConnection = (socket: Socket): void => this.#onAccept(socket)
  #accepted = 0
  #wake: (() => void) | undefined

  /** If `holdsInput` is true, nothing is read from accepted connections until {@link resume}. */
  constructor(server: Server, limit: number, holdsInput: boolean) {
    this.#server = server
    this.#until = performance.now() + limit
    this.#holdsInput = holdsInput
    server.on('connection', this.#onConnection)
  }

  /** Settles when the queue is empty. */
  async whenEmpty(): Promise<void> {
    for (let ticks = 0; ticks < EMPTY_TICKS && !this.#isLate(); ticks++) {
      const before = this.#accepted
      await new Promise(setImmediate)
      if (this.#accepted > before) ticks = -1
    }
  }

  /**
   * Settles when closing the socket loses no request of mod_fcgid. mod_fcgid gives a process one request at a time, and does not connect while
   * it waits for a response. If it waits for none, this method waits for its next connection, for at most 100 ms.
   */
  async awaitLastRequest(isAwaited: () => boolean): Promise<void> {
    const until = Math.min(this.#until, performance.now() + LAST_REQUEST_TIMEOUT)
    while (!isAwaited()) {
      const left = until - performance.now()
      if (left <= 0) return
      await this.#nextConnection(left)
      await this.whenEmpty()
    }
  }

  /** Resumes reading from the connections that were held. */
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
    if (this.#holdsInput) {
      socket.pause()
      this.#held.push(socket)
    }
    this.#wake?.()
  }
}
