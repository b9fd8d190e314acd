import type { Exchange } from '@fcgi-bridge/core'
import type { SendCallback } from '../internals.ts'

/** The receiver of an {@link Output}'s reports. */
export interface OutputOwner {
  /** The operating system has everything that was written. */
  onDrained(): void
  /** The end of the response could not be sent. */
  onOutputLost(): void
  /** The operating system took bytes, or refused them. */
  onOutputProgress(): void
}

// The writes of one turn are copied together and sent in one write up to this size in bytes.
const JOIN_MAX = 64 * 1024

const EMPTY = Buffer.alloc(0)

/**
 * The response bytes that the operating system does not have yet. Writes of one turn of the event loop go to the exchange together, so that
 * a small response, with its end, is one write.
 */
export class Output {
  readonly #exchange: Exchange
  readonly #owner: OutputOwner
  // Most responses have one chunk and one callback, and need no arrays.
  #lastChunk: string | Uint8Array = EMPTY
  #earlierChunks: (string | Uint8Array)[] | undefined
  #callback: SendCallback | undefined
  #laterCallbacks: SendCallback[] | undefined
  #queuedBytes = 0
  #sentBytes = 0
  #waiting = false
  #written = 0

  /** The Content-Length of the response, if it has one. */
  limit: number | undefined

  constructor(exchange: Exchange, owner: OutputOwner) {
    this.#exchange = exchange
    this.#owner = owner
  }

  /** How many bytes the operating system does not have yet. */
  get length(): number {
    return this.#queuedBytes + this.#sentBytes
  }

  /** Whether anything waits for a flush: bytes, a head, or only a callback. */
  get waiting(): boolean {
    return this.#waiting
  }

  /** How many bytes of the body were queued so far. */
  get written(): number {
    return this.#written
  }

  /** Queues body bytes up to the Content-Length. An empty chunk queues the head alone. */
  push(chunk: string | Uint8Array, byteLength: number, callback: SendCallback | null | undefined): void {
    this.#waiting = true
    const { limit } = this
    if (limit !== undefined && this.#written + byteLength > limit) {
      // An HTTP client reads Content-Length bytes and takes the next byte for the start of the next response. Some front servers
      // (Apache) would send the surplus to the client.
      byteLength = limit - this.#written
      chunk = Buffer.from(chunk as string).subarray(0, byteLength)
    }
    this.#written += byteLength
    if (byteLength > 0) {
      if (this.#queuedBytes > 0) {
        this.#earlierChunks ??= []
        this.#earlierChunks.push(this.#lastChunk)
      }
      this.#lastChunk = chunk
      this.#queuedBytes += byteLength
    }
    if (!callback) return
    if (this.#callback === undefined) this.#callback = callback
    else {
      this.#laterCallbacks ??= []
      this.#laterCallbacks.push(callback)
    }
  }

  /** Writes the queue to the exchange. */
  flush(): void {
    const bytes = this.#queuedBytes
    const first = this.#callback
    const later = this.#laterCallbacks
    const last = this.#sendAllButLast()
    this.#sentBytes += bytes
    this.#exchange.write(last, (error) => {
      this.#sentBytes -= bytes
      this.#owner.onOutputProgress()
      if (!error && this.length === 0) this.#owner.onDrained()
      runAll(first, later, error)
    })
  }

  /** Writes the queue to the exchange, and ends it. */
  end(): void {
    const first = this.#callback
    const later = this.#laterCallbacks
    const last = this.#sendAllButLast()
    this.#exchange.end(last, (error) => {
      this.#sentBytes = 0
      if (error) this.#owner.onOutputLost()
      runAll(first, later, error)
    })
  }

  /** Drops the queue. Its callbacks get `error`. */
  drop(error: Error): void {
    const first = this.#callback
    const later = this.#laterCallbacks
    this.#forget()
    // A destroyed stream calls back on the next tick, too. Its `writableLength` counts the dropped bytes until then.
    process.nextTick(() => {
      this.#queuedBytes = 0
      runAll(first, later, error)
    })
  }

  // Empties the queue. Returns its last chunk, which the caller sends.
  #sendAllButLast(): string | Uint8Array {
    const last = this.#lastChunk
    const earlier = this.#earlierChunks
    const bytes = this.#queuedBytes
    this.#forget()
    this.#queuedBytes = 0
    if (earlier === undefined) return last
    if (bytes <= JOIN_MAX) return Buffer.concat([...earlier, last].map(toBytes), bytes)
    for (const chunk of earlier) this.#exchange.write(chunk)
    return last
  }

  #forget(): void {
    this.#waiting = false
    this.#lastChunk = EMPTY
    this.#earlierChunks = undefined
    this.#callback = undefined
    this.#laterCallbacks = undefined
  }
}

function toBytes(chunk: string | Uint8Array): Uint8Array {
  return typeof chunk === 'string' ? Buffer.from(chunk) : chunk
}

function runAll(
  first: SendCallback | undefined,
  later: SendCallback[] | undefined,
  error: Error | null | undefined,
): void {
  first?.(error ?? null)
  if (later === undefined) return
  for (const callback of later) callback(error ?? null)
  // V8 allocates the arrays of a literal in the old generation once many survive a minor collection. Such an array would keep the
  // response alive until the next major collection.
  later.length = 0
}
