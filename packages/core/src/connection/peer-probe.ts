import type { Writable } from 'node:stream'
import { FCGI_STDERR } from '../protocol/constants.ts'
import { encodeHeader } from '../protocol/encoder.ts'

// Milliseconds between two writes. The last two delays repeat. Writes come in pairs: the first write to a closed socket causes the
// reset, and the second one fails. The longer delays are for distant peers.
const DELAYS: readonly number[] = [50, 450, 50, 2500, 50, 10_000]

// The largest padding of a record. One record header is enough for this many one-byte writes.
const PADDING = 255

/**
 * Detects a peer that has closed the connection when reading cannot detect it. There are two such cases:
 *
 * - The peer has closed its write side. Some peers then wait for the response, but nginx closes the whole connection when its client
 *   disconnects, which looks the same.
 * - Reading is paused, so the socket does not report the end of the stream.
 *
 * Writing detects it: a closed peer responds with a reset, and the next write fails. The probe writes an empty STDERR record, which
 * front servers ignore (section 5.3), and sends the record's padding one byte at a time.
 */
export class PeerProbe {
  readonly #socket: Writable
  readonly #requestId: () => number | undefined
  #timer: NodeJS.Timeout | undefined
  #step = 0
  // Padding bytes of the current record that have not been written.
  #left = 0

  /** `requestId` returns the id of a running request, for the STDERR record. If it returns undefined, the probe stops. */
  constructor(socket: Writable, requestId: () => number | undefined) {
    this.#socket = socket
    this.#requestId = requestId
  }

  /** Starts probing, if it has not started yet. */
  start(): void {
    if (this.#timer !== undefined) return
    this.#step = 0
    this.#write()
  }

  /** Completes the current record, because another one is about to be written. That write also probes the peer. */
  finish(): void {
    if (this.#timer === undefined) return
    this.#complete()
    this.#step = 1
    this.#writeLater()
  }

  /** Stops probing, and completes the current record. */
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
