import type { Duplex } from 'node:stream'

/** Whether a peer takes what is written to it, as seen from time to time. */
export class WriteProgress {
  readonly #socket: Duplex
  #taken = 0
  #inSystem = 0
  #tick: number

  /** `tick` is now. */
  constructor(socket: Duplex, tick: number) {
    this.#socket = socket
    this.#tick = tick
  }

  /** The last tick, of those at which this was asked, at which the peer had taken something, or there was nothing to take. */
  lastTick(tick: number): number {
    const socket = this.#socket as Duplex & SocketCounts
    // What has been taken whole, and what of the write that is under way is still to be: either moves when the peer reads,
    // and neither when the app writes more.
    const taken = (socket.bytesWritten ?? 0) - socket.writableLength
    const inSystem = socket._handle?.writeQueueSize ?? 0
    if (socket.writableLength === 0 || taken !== this.#taken || inSystem !== this.#inSystem) {
      this.#taken = taken
      this.#inSystem = inSystem
      this.#tick = tick
    }
    return this.#tick
  }
}

// Of a net.Socket. Where its handle does not tell, a write that the peer takes bit by bit counts when all of it was taken.
interface SocketCounts {
  readonly bytesWritten?: number
  readonly _handle?: { readonly writeQueueSize?: number } | null
}
