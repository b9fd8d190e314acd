import type { Exchange } from '@fcgi-bridge/core'
import type { SendCallback } from '../internals.ts'

/** Whom an {@link Output} tells how far it is. */
export interface OutputOwner {
  /** All that was written is with the operating system. */
  onDrained(): void
  /** The last bytes could not be handed over. */
  onOutputLost(): void
  /** Bytes went out. */
  onOutputProgress(): void
}

// Up to here what was written in one turn is copied together, and goes out in one write.
const JOIN_MAX = 64 * 1024

const EMPTY = Buffer.alloc(0)

/**
 * What a response has written and the operating system has not yet. Whatever is written in one turn of the event loop goes
 * to the exchange together: a small response is one write, with its end.
 */
export class Output {
  readonly #exchange: Exchange
  readonly #owner: OutputOwner
  #chunks: (string | Uint8Array)[] = []
  #callbacks: SendCallback[] = []
  #queuedBytes = 0
  #sentBytes = 0
  #waiting = false

  constructor(exchange: Exchange, owner: OutputOwner) {
    this.#exchange = exchange
    this.#owner = owner
  }

  /** Bytes that are not with the operating system yet. */
  get length(): number {
    return this.#queuedBytes + this.#sentBytes
  }

  /** Something waits to be flushed: bytes, a head, or only a callback. */
  get waiting(): boolean {
    return this.#waiting
  }

  /** Queues body bytes; none at all asks for the head. */
  push(chunk: string | Uint8Array, byteLength: number, callback: SendCallback | null | undefined): void {
    this.#waiting = true
    if (byteLength > 0) {
      this.#chunks.push(chunk)
      this.#queuedBytes += byteLength
    }
    if (callback) this.#callbacks.push(callback)
  }

  /** Hands what is queued to the exchange. */
  flush(): void {
    const bytes = this.#queuedBytes
    const callbacks = this.#takeCallbacks()
    const last = this.#sendAllButLast()
    this.#sentBytes += bytes
    this.#exchange.write(last, (error) => {
      this.#sentBytes -= bytes
      this.#owner.onOutputProgress()
      if (!error && this.length === 0) this.#owner.onDrained()
      runAll(callbacks, error)
    })
  }

  /** Hands what is queued to the exchange, and ends it. */
  end(): void {
    const callbacks = this.#takeCallbacks()
    const last = this.#sendAllButLast()
    this.#exchange.end(last, (error) => {
      this.#sentBytes = 0
      if (error) this.#owner.onOutputLost()
      runAll(callbacks, error)
    })
  }

  /** What is queued will never go out. */
  drop(error: Error): void {
    this.#chunks = []
    const callbacks = this.#takeCallbacks()
    // As a stream does: until then `writableLength` counts it.
    process.nextTick(() => {
      this.#queuedBytes = 0
      runAll(callbacks, error)
    })
  }

  #takeCallbacks(): SendCallback[] {
    const callbacks = this.#callbacks
    this.#callbacks = []
    this.#waiting = false
    return callbacks
  }

  #sendAllButLast(): string | Uint8Array {
    const chunks = this.#chunks
    if (chunks.length === 0) return EMPTY
    const bytes = this.#queuedBytes
    this.#chunks = []
    this.#queuedBytes = 0
    if (chunks.length === 1) return chunks[0]!
    if (bytes <= JOIN_MAX) return Buffer.concat(chunks.map(toBytes), bytes)
    const last = chunks.pop()!
    for (const chunk of chunks) this.#exchange.write(chunk)
    return last
  }
}

function toBytes(chunk: string | Uint8Array): Uint8Array {
  return typeof chunk === 'string' ? Buffer.from(chunk) : chunk
}

function runAll(callbacks: readonly SendCallback[], error: Error | null | undefined): void {
  for (const callback of callbacks) callback(error ?? null)
}
