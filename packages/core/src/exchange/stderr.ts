import { Writable } from 'node:stream'

const TOO_MUCH = Buffer.from(
  '… This request has written more errors than maxStderrBytes, and the rest is left out.\n',
)

/**
 * FCGI_STDERR as a Writable: `console` can write to it, and a slow front server slows its writers. It never fails. What goes
 * beyond its limit is dropped as it is written, so that a writer that heeds no backpressure fills no memory.
 */
export class StderrStream extends Writable {
  readonly #send: (content: Uint8Array) => boolean
  readonly #guard: (hook: () => void) => void
  #bytesLeft: number
  #waiting: (() => void) | undefined
  #flushing = false
  #drainIsDue = false

  /**
   * `send` gives false when the socket asks to wait: `drained` is called when it takes bytes again. `guard` calls what
   * may call listeners of the app, which may throw.
   */
  constructor(send: (content: Uint8Array) => boolean, maxBytes: number, guard: (hook: () => void) => void) {
    super({ decodeStrings: true })
    this.#send = send
    this.#guard = guard
    this.#bytesLeft = maxBytes
  }

  override write(chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
    if (this.writableLength < this.#bytesLeft)
      return super.write(chunk, encoding as BufferEncoding, callback as never)
    const done = typeof encoding === 'function' ? encoding : callback
    if (typeof done === 'function') process.nextTick(done as () => void)
    // Who writes for as long as that is taken is not to go on for ever.
    if (!this.writableNeedDrain && !this.#drainIsDue) {
      this.#drainIsDue = true
      setImmediate(() => {
        this.#drainIsDue = false
        this.#guard(() => this.emit('drain'))
      })
    }
    return false
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    if (this.#sendWithinLimit(chunk) || this.#flushing) callback()
    else this.#waiting = callback
  }

  #sendWithinLimit(chunk: Buffer): boolean {
    if (this.#bytesLeft === 0) return true
    const length = Math.min(chunk.length, this.#bytesLeft)
    this.#bytesLeft -= length
    if (this.#bytesLeft > 0) return this.#send(chunk)
    return this.#send(Buffer.concat([chunk.subarray(0, length), TOO_MUCH]))
  }

  drained(): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.()
  }

  /** Hands on all that waits, and from now on everything at once: the end of the request is next. */
  flush(): void {
    this.#flushing = true
    this.drained()
  }
}
