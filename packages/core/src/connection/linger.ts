import type { Duplex } from 'node:stream'
import type { HoldLimits } from './pending-end-requests.ts'

/** Milliseconds in which a peer that has all it is owed may still say something. */
export const LAST_WORDS = 250

/** What a {@link Linger} asks of the server. */
export interface LingerHost {
  readonly options: HoldLimits
  /** The server is closing. */
  readonly closing: boolean
}

/**
 * The end of a connection: its write side is shut behind all that was written, and what the peer still sends is read
 * and dropped for a while, for a socket that is closed over unread input is reset, and the answer may be lost with it.
 * While the server closes, a peer that is silent has had its time.
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
    // Its time begins when all is written: a peer may be slow to read a large answer.
    this.#socket.end(() => {
      if (!this.#stopped) this.#destroyIn(this.#host.closing ? LAST_WORDS : this.#host.options.lingerTimeout)
    })
  }

  /** The server closes. */
  hurry(): void {
    if (this.#timer !== undefined) this.#destroyIn(LAST_WORDS)
  }

  /** The peer has sent more. */
  onDropped(length: number): void {
    this.#droppedBytes += length
    if (this.#droppedBytes > this.#host.options.lingerBytes) this.#socket.destroy()
    else if (this.#host.closing) this.#timer?.refresh()
  }

  /** The peer has ended too. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #destroyIn(time: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#socket.destroy(), time)
    // Nobody waits for it but a server that closes.
    if (!this.#host.closing) this.#timer.unref()
  }
}
