import type { Writable } from 'node:stream'
import { FCGI_STDERR } from '../protocol/constants.ts'
import { encodeHeader } from '../protocol/encoder.ts'

// Milliseconds between two writes. The last two repeat. Writes come in pairs, because the first write to a peer that is gone
// causes the reset and the second one fails; the longer delays are for distant peers.
const DELAYS: readonly number[] = [50, 450, 50, 2500, 50, 10_000]

// The largest padding of a record: this many one-byte writes need no further header.
const PADDING = 255

/**
 * Finds out whether a peer is still there when reading cannot tell. Either the peer has closed its write side: some peers then
 * wait for the response, but nginx closes the whole connection that way when its client leaves. Or reading is paused, and a
 * close would be noticed only after what was sent before. A write tells: a peer that is gone responds with a reset, and the
 * next write fails. The probe writes an empty STDERR record, which has no meaning (section 5.3), and its padding one byte at a
 * time.
 */
export class PeerProbe {
  readonly #socket: Writable
  readonly #requestId: () => number | undefined
  #timer: NodeJS.Timeout | undefined
  #step = 0
  // Padding bytes that are missing from the current record.
  #left = 0

  /** `requestId` returns the id of a running request, which the STDERR record needs; undefined stops the probe. */
  constructor(socket: Writable, requestId: () => number | undefined) {
    this.#socket = socket
    this.#requestId = requestId
  }

  start(): void {
    if (this.#timer !== undefined) return
    this.#step = 0
    this.#write()
  }

  /** Completes the record, because another one is about to be written. That write probes the peer, too. */
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
