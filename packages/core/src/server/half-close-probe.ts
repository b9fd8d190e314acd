import type { Writable } from 'node:stream'
import { FCGI_STDERR } from '../protocol/constants.ts'
import { encodeHeader } from '../protocol/encoder.ts'

// Milliseconds to the next piece, and its bytes: at once, soon, and for peers far away. They add up to PADDING.
const STEPS: readonly (readonly [delay: number, length: number])[] = [
  [50, 1],
  [450, 1],
  [2500, 6],
]
const PADDING = 8

/**
 * Finds out what the end of a peer's stream means while its request is still being answered: nginx closes the
 * whole connection when its client has gone (it never sends ABORT_REQUEST), others shut their write side only and
 * wait for the answer. The sockets API tells the two apart on writing alone, so an empty STDERR record is
 * written, which says nothing (section 5.3), a few bytes at a time: a peer that is gone answers the first with a reset,
 * and the next fails.
 */
export class HalfCloseProbe {
  readonly #socket: Writable
  #timer: NodeJS.Timeout | undefined
  #step = 0
  #left = PADDING

  constructor(socket: Writable, requestId: number) {
    this.#socket = socket
    socket.write(encodeHeader(FCGI_STDERR, requestId, 0, PADDING))
    this.#next()
  }

  /** Writes the rest of the record: another is about to follow. */
  finish(): void {
    this.stop()
    this.#write(this.#left)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #next(): void {
    const step = STEPS[this.#step++]
    if (step === undefined) return
    this.#timer = setTimeout(() => {
      this.#write(step[1])
      this.#next()
    }, step[0])
    this.#timer.unref()
  }

  #write(length: number): void {
    if (length > 0) this.#socket.write(Buffer.alloc(length))
    this.#left -= length
  }
}
