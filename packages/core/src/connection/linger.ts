import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { LingerLimits } from './pending-end-requests.ts'

/** How long (milliseconds) a closing server waits for a peer that has received everything and sends nothing. */
export const SILENT_PEER_TIMEOUT = 250

/** What a {@link Linger} needs from the server. */
export interface LingerHost {
  readonly options: LingerLimits
  /** The server is closing. */
  readonly closing: boolean
}

/**
 * The end of a connection. The server's write side is closed after all output, and input is read and dropped for a while (`lingerTimeout`).
 * Closing a socket with unread input resets it, and the peer may then lose the response. A closing server waits only
 * {@link SILENT_PEER_TIMEOUT} for a silent peer.
 */
export class Linger {
  readonly #socket: Duplex
  readonly #host: LingerHost
  #timer: NodeJS.Timeout | undefined
  #droppedBytes = 0
  #expectsInput = false
  #stopped = false

  constructor(socket: Duplex, host: LingerHost) {
    this.#socket = socket
    this.#host = host
  }

  /** The peer may still send something, such as the rest of a request that has ended. */
  expectInput(): void {
    this.#expectsInput = true
  }

  /**
   * Ends the connection after its last response. If the peer sends nothing more, the socket is closed at once, because {@link start} needs
   * another system call, and another event when the peer closes.
   */
  closeOrStart(): void {
    const socket = this.#socket
    if (this.#expectsInput || socket.writableLength > 0 || !(socket instanceof Socket)) this.start()
    else {
      // The callbacks of the last write run before.
      process.nextTick(destroy, socket)
    }
  }

  /** Closes the server's write side, then starts the timer. */
  start(): void {
    // Start the timer only when all output was sent, because the peer may read a large response slowly.
    this.#socket.end(() => {
      if (this.#stopped) return
      this.#destroyIn(this.#host.closing ? SILENT_PEER_TIMEOUT : this.#host.options.lingerTimeout)
    })
  }

  /** Shortens the wait, because the server closes. */
  shorten(): void {
    if (this.#timer !== undefined) this.#destroyIn(SILENT_PEER_TIMEOUT)
  }

  /** The peer sent `length` bytes of input, which were dropped. */
  onDropped(length: number): void {
    this.#droppedBytes += length
    if (this.#droppedBytes > this.#host.options.lingerBytes) this.#socket.destroy()
    else if (this.#host.closing) this.#timer?.refresh()
  }

  /** Stops the timer, because the peer has closed its write side, too. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #destroyIn(time: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#socket.destroy(), time)
    // The timer keeps the process alive only while the server closes.
    if (!this.#host.closing) this.#timer.unref()
  }
}

function destroy(socket: Socket): void {
  socket.destroy()
}
