import { FastCgiError } from '../error.ts'
import type { BodySink, BodySource } from './body.ts'

// Initial size of the buffer. It doubles when it is full.
const INITIAL_SIZE = 16_384

/** Receives the outcome of a {@link BufferedSource}. One of these methods is called, once. */
interface BufferUser {
  /** `bytes` is the whole body. */
  onBuffered(bytes: Uint8Array): void
  /** The body failed, or it is longer than the limit. */
  onBufferFailed(error: Error): void
  /** The request ended before its body was read. */
  onBufferStopped(): void
}

/** Reads a whole request body, up to a limit in bytes, to learn its length. */
export class BufferedSource implements BodySource, BodySink {
  readonly #source: BodySource
  readonly #limit: number
  #user: BufferUser | undefined
  #buffer: Buffer = Buffer.alloc(0)
  #length = 0

  constructor(source: BodySource, limit: number) {
    this.#source = source
    this.#limit = limit
  }

  read(user: BufferUser): void {
    this.#user = user
    this.#source.start(this)
  }

  // ---- BodySource: this is the request's body until all of it was read ----

  start(): void {}

  resume(): void {}

  stop(error?: Error): void {
    const user = this.#user
    this.#user = undefined
    this.#source.stop(error)
    user?.onBufferStopped()
  }

  // ---- BodySink ----

  write(chunk: Uint8Array): boolean {
    const length = this.#length + chunk.length
    if (length > this.#limit) {
      this.#user?.onBufferFailed(
        new FastCgiError(
          'FCGI_ERR_LENGTH_REQUIRED',
          `The request body has no Content-Length and is longer than maxBufferedBody (${this.#limit} bytes).`,
        ),
      )
      return true
    }
    // Use one buffer, not a list of chunks: a list for an upload in chunks of one byte would need a hundred times its
    // size.
    if (length > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(INITIAL_SIZE, Math.min(length * 2, this.#limit)))
      this.#buffer.copy(grown, 0, 0, this.#length)
      this.#buffer = grown
    }
    this.#buffer.set(chunk, this.#length)
    this.#length = length
    return true
  }

  end(): void {
    const user = this.#user
    this.#user = undefined
    user?.onBuffered(this.#buffer.subarray(0, this.#length))
  }

  fail(error: Error): void {
    this.#user?.onBufferFailed(error)
  }
}
