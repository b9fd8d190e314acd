import { Writable } from 'node:stream'

const LIMIT_NOTICE = Buffer.from(
  '… This request wrote more than maxStderrBytes to FCGI_STDERR. The rest is dropped.\n',
)

/**
 * FCGI_STDERR as a Writable, so that a `Console` can write to it. It applies back-pressure, and its errors need no listener. Bytes beyond
 * its limit are dropped when they are written, so that a writer that ignores back-pressure cannot fill the memory.
 */
export class StderrStream extends Writable {
  readonly #send: (content: Uint8Array) => boolean
  readonly #guard: (hook: () => void) => void
  #bytesLeft: number
  // The callback of the chunk that filled the socket's buffer. It runs when the socket has drained.
  #onDrained: (() => void) | undefined
  // The request is about to end, so output is sent without waiting for the socket to drain.
  #isEnding = false
  #isDrainScheduled = false

  /**
   * `send` returns false if the socket's buffer is full. Call `drained` when the socket has drained. `guard` runs a function that may
   * call listeners of the app, and catches their errors.
   */
  constructor(send: (content: Uint8Array) => boolean, maxBytes: number, guard: (hook: () => void) => void) {
    super({ decodeStrings: true })
    this.#send = send
    this.#guard = guard
    this.#bytesLeft = maxBytes
    // `child.stderr.pipe(stderr)` ends this stream with the child. A message that is written later must not end the process.
    this.on('error', ignore)
  }

  override write(chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
    if (this.writableLength < this.#bytesLeft)
      return super.write(chunk, encoding as BufferEncoding, callback as never)
    const done = typeof encoding === 'function' ? encoding : callback
    if (typeof done === 'function') process.nextTick(done as () => void)
    // Emit 'drain' in a later tick, so that an app that writes on each 'drain' does not block the event loop.
    if (!this.writableNeedDrain && !this.#isDrainScheduled) {
      this.#isDrainScheduled = true
      setImmediate(() => {
        this.#isDrainScheduled = false
        this.#guard(() => this.emit('drain'))
      })
    }
    return false
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    if (this.#sendWithinLimit(chunk) || this.#isEnding) callback()
    else this.#onDrained = callback
  }

  #sendWithinLimit(chunk: Buffer): boolean {
    if (this.#bytesLeft === 0) return true
    const length = Math.min(chunk.length, this.#bytesLeft)
    this.#bytesLeft -= length
    if (this.#bytesLeft > 0) return this.#send(chunk)
    return this.#send(Buffer.concat([chunk.subarray(0, length), LIMIT_NOTICE]))
  }

  /** The socket has drained. */
  drained(): void {
    const onDrained = this.#onDrained
    this.#onDrained = undefined
    onDrained?.()
  }

  /** Sends all buffered output now, and each later write at once, because the request is about to end. */
  flush(): void {
    this.#isEnding = true
    this.drained()
  }
}

function ignore(): void {}
