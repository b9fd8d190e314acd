import type { Writable } from 'node:stream'
import { FCGI_STDERR } from '../protocol/constants.ts'
import { encodeHeader } from '../protocol/encoder.ts'

// Milliseconds from one write to the next; at the end the last two again and again. Two a time, for it is the second that
// fails: soon, and later for peers far away.
const DELAYS: readonly number[] = [50, 450, 50, 2500, 50, 10_000]

// The most that a record has: so many writes without another header.
const PADDING = 255

/**
 * Finds out whether a peer is still there where reading does not tell: it has shut its write side, which some do and
 * wait for their answer, and nginx does by closing the connection when its client has gone; or what it sent
 * fills the window, and an end would stand behind it. Writing tells: a peer that is gone answers with a reset, and
 * the next write fails. What is written is an empty STDERR record, which says nothing (section 5.3), its padding
 * a byte at a time.
 */
export class PeerProbe {
  readonly #socket: Writable
  readonly #requestId: () => number | undefined
  #timer: NodeJS.Timeout | undefined
  #step = 0
  // Padding of the record that is on its way.
  #left = 0

  /** `requestId` gives a request that the record may belong to; without one there is nothing to find out. */
  constructor(socket: Writable, requestId: () => number | undefined) {
    this.#socket = socket
    this.#requestId = requestId
  }

  start(): void {
    if (this.#timer !== undefined) return
    this.#step = 0
    this.#write()
  }

  /** Makes the record whole, for another is about to follow; that is a write as good as any. */
  finish(): void {
    if (this.#timer === undefined) return
    this.#complete()
    this.#step = 1
    this.#writeLater()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#complete()
  }

  #write(): void {
    const requestId = this.#requestId()
    if (requestId === undefined) {
      this.stop()
      return
    }
    if (this.#left > 0) {
      this.#socket.write(Buffer.alloc(1))
      this.#left--
    } else {
      this.#socket.write(encodeHeader(FCGI_STDERR, requestId, 0, PADDING))
      this.#left = PADDING
    }
    this.#writeLater()
  }

  #writeLater(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#write(), DELAYS[this.#step]).unref()
    this.#step = this.#step + 1 < DELAYS.length ? this.#step + 1 : DELAYS.length - 2
  }

  #complete(): void {
    if (this.#left > 0) this.#socket.write(Buffer.alloc(this.#left))
    this.#left = 0
  }
}
