import type { Duplex } from 'node:stream'

/** Samples whether a peer reads what is written to it. */
export class WriteProgress {
  readonly #socket: Duplex
  #taken = 0
  #inSystem = 0
  #tick: number

  /** `tick` is the current tick. */
  constructor(socket: Duplex, tick: number) {
    this.#socket = socket
    this.#tick = tick
  }

  /** Takes a sample. Returns the tick of the last sample at which the peer had read something, or nothing waited to be sent. */
  lastTick(tick: number): number {
    const socket = this.#socket as Duplex & SocketCounts
    // Bytes of finished writes, and bytes that remain of the current one. A peer that reads changes one of them; an app that
    // writes more changes neither.
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

// Fields of a net.Socket. Without `writeQueueSize` a write counts as progress only when all of it was sent.
interface SocketCounts {
  readonly bytesWritten?: number
  readonly _handle?: { readonly writeQueueSize?: number } | null
}
