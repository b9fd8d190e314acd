import type { Duplex } from 'node:stream'

/** Detects a peer that does not read, by taking samples. */
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

  /** Takes a sample. Returns the tick of the last sample at which the peer had read something, or the socket buffered nothing. */
  lastTick(tick: number): number {
    const socket = this.#socket as Duplex & SocketCounts
    // `taken`: bytes of finished writes. `inSystem`: unsent bytes of the current write. If the peer reads, one of them changes. If the
    // app writes more, neither does.
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

// Fields of a net.Socket. Without `writeQueueSize`, a write counts as progress only when all of it was sent.
interface SocketCounts {
  readonly bytesWritten?: number
  readonly _handle?: { readonly writeQueueSize?: number } | null
}
