import type { Duplex } from 'node:stream'
import type { HoldLimits } from './pending-end-requests.ts'

/** How long (milliseconds) a peer that has received everything may stay silent while the server closes. */
export const SILENT_PEER_TIMEOUT = 250

/** What a {@link Linger} needs of the server. */
export interface LingerHost {
  readonly options: HoldLimits
  /** The server is closing. */
  readonly closing: boolean
}

/**
 * The end of a connection: its write side is shut after all output, and input is read and dropped for a while. Closing a
 * socket that holds unread input resets it, and the peer may then lose the response. While the server closes, it waits
 * for a silent peer only {@link SILENT_PEER_TIMEOUT}.
 */
export class Linger {
  readonly #socket: Duplex
  readonly #host: LingerHost
  #timer: NodeJS.Timeout | undefined
  #droppedBytes = 0
  #stopped = false

  constructor(socket: Duplex, host: LingerHost) {
    this.#socket = socket
    this.#host = host
  }

  start(): void {
    // The timer starts when everything is written: the peer may read a large response slowly.
    this.#socket.end(() => {
      if (this.#stopped) return
      this.#destroyIn(this.#host.closing ? SILENT_PEER_TIMEOUT : this.#host.options.lingerTimeout)
    })
  }

  /** The server closes. */
  hurry(): void {
    if (this.#timer !== undefined) this.#destroyIn(SILENT_PEER_TIMEOUT)
  }

  /** The peer sent more input, which was dropped. */
  onDropped(length: number): void {
    this.#droppedBytes += length
    if (this.#droppedBytes > this.#host.options.lingerBytes) this.#socket.destroy()
    else if (this.#host.closing) this.#timer?.refresh()
  }

  /** The peer has closed its write side, too. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #destroyIn(time: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#socket.destroy(), time)
    // Only a server that closes waits for it.
    if (!this.#host.closing) this.#timer.unref()
  }
}
