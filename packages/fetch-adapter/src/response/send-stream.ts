import { isErrored, isReadable } from 'node:stream'
import type { Exchange } from '@fcgi-bridge/core'
import { bytesOf, notBytesError } from './body-chunk.ts'
import { declaredLength, shortBodyError, wrongLengthError } from './content-length.ts'
import { type ResponseHead, sendWhole, writeHead } from './response-head.ts'

/**
 * Sends the body of a ReadableStream. First gathers the chunks that the stream gives without waiting for I/O or timers. A stream
 * that ends by then, for example that of a string, bytes or a form, becomes one write with a Content-Length. Otherwise the head and the
 * gathered chunks are sent at once, and each later chunk when it arrives, so that events are not delayed.
 */
export function sendStream(exchange: Exchange, head: ResponseHead, stream: ReadableStream<Uint8Array>): void {
  new StreamSender(exchange, head, stream).start()
}

// A body that exceeds this many bytes is not gathered further. It is sent without a Content-Length.
const GATHER_MAX = 64 * 1024

/**
 * The state of a {@link StreamSender}:
 *
 * - `gathering`: chunks are kept until the stream ends, waits, or exceeds GATHER_MAX. Next: `sending` or `done`.
 * - `sending`: the head was sent, and each chunk is sent when it arrives. Next: `done`.
 * - `done`: the stream has ended, or was cancelled because the exchange failed or was aborted.
 */
type SenderState = 'gathering' | 'sending' | 'done'

interface ReadResult {
  readonly done: boolean
  readonly value?: unknown
}

const EMPTY = new Uint8Array()
const RESOLVED = Promise.resolve()

// Returns whether a stream has given all of its chunks, without an error. False if that is not known, as for a polyfill's stream.
function isClosed(stream: ReadableStream): boolean {
  const nodeStream = stream as unknown as NodeJS.ReadableStream
  return isReadable(nodeStream) === false && !isErrored(nodeStream)
}

function stopGathering(sender: StreamSender): void {
  sender.stopGathering()
}

class StreamSender {
  readonly #exchange: Exchange
  readonly #head: ResponseHead
  readonly #stream: ReadableStream<Uint8Array>
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  #state: SenderState = 'gathering'
  // A read is pending.
  #reading = false
  #first: Uint8Array | undefined
  #more: Uint8Array[] | undefined
  #gatheredBytes = 0
  #sentBytes = 0
  // The Content-Length that the app set.
  #declared: number | undefined

  constructor(exchange: Exchange, head: ResponseHead, stream: ReadableStream<Uint8Array>) {
    this.#exchange = exchange
    this.#head = head
    this.#stream = stream
    this.#reader = stream.getReader()
  }

  start(): void {
    this.#pull()
    // A tick that a microtask schedules runs when no microtask is left. By then the stream has given every chunk that it can give without
    // waiting. Each response schedules its own tick, because a tick runs in the async context of the request that scheduled it. The body of
    // text or bytes has been read before this microtask, and needs no tick.
    RESOLVED.then(() => {
      if (this.#state === 'gathering') process.nextTick(stopGathering, this)
    })
  }

  /** Sends the gathered chunks, unless the stream has ended. */
  stopGathering(): void {
    if (this.#state !== 'gathering') return
    try {
      this.#sendGathered()
    } catch (error) {
      this.#fail(error)
    }
  }

  #pull(): void {
    if (this.#state === 'done' || this.#reading || this.#exchange.writableNeedDrain) return
    this.#reading = true
    // Create these closures for each read. On Node 22 a sender that kept them, and its stream, lived until the next major collection. A
    // request then took a third more CPU time.
    this.#reader.read().then(
      (result) => this.#onRead(result),
      (error: unknown) => this.#fail(error),
    )
  }

  #onRead({ done, value }: ReadResult): void {
    this.#reading = false
    if (this.#state === 'done') return
    try {
      if (!done) this.#take(value)
      // After the last chunk the stream is usually closed already. A read that only finds that out costs as much as one that gets a chunk.
      if (done || isClosed(this.#stream)) this.#finish()
      else this.#pull()
    } catch (error) {
      this.#fail(error)
    }
  }

  #finish(): void {
    if (this.#state === 'gathering') this.#sendAll()
    else if (this.#state === 'sending') this.#end()
    this.#state = 'done'
  }

  #take(value: unknown): void {
    const chunk = bytesOf(value)
    if (chunk === undefined) throw notBytesError(value)
    if (this.#state === 'sending') this.#write(chunk)
    else this.#gather(chunk)
  }

  #write(chunk: Uint8Array): void {
    const sent = this.#sentBytes + chunk.length
    const declared = this.#declared
    if (declared !== undefined && sent > declared) {
      const error = wrongLengthError(this.#head.headers, sent, declared)
      this.#exchange.end(chunk.subarray(0, declared - this.#sentBytes))
      this.#fail(error)
      return
    }
    this.#sentBytes = sent
    this.#exchange.write(chunk)
  }

  #end(): void {
    const error = shortBodyError(this.#head.headers, this.#sentBytes, this.#declared)
    if (error !== undefined) throw error
    this.#exchange.end()
  }

  #gather(chunk: Uint8Array): void {
    this.#gatheredBytes += chunk.length
    if (this.#first === undefined) {
      // A first chunk of any size is kept: it already is in memory, and is most often the whole body.
      this.#first = chunk
      return
    }
    this.#more ??= []
    this.#more.push(chunk)
    if (this.#gatheredBytes > GATHER_MAX) this.#sendGathered()
  }

  #sendAll(): void {
    if (!this.#exchange.ended) sendWhole(this.#exchange, this.#head, this.#takeGathered())
  }

  #sendGathered(): void {
    const exchange = this.#exchange
    // Most responses end before this point, so no hook for aborts was set until now. The exchange may have been aborted meanwhile.
    if (exchange.ended) {
      this.#stop(exchange.signal.reason)
      return
    }
    this.#state = 'sending'
    this.#declared = declaredLength(this.#head.headers)
    // Create the closures separately: V8 pretenures closures assigned straight to a property, and each one would keep its request alive until
    // the next major collection.
    const onAbort = (reason: unknown): void => this.#stop(reason)
    const onDrain = (): void => this.#pull()
    exchange.onAbort = onAbort
    exchange.onDrain = onDrain
    writeHead(exchange, this.#head)
    const gathered = this.#takeGathered()
    if (gathered.length > 0) this.#write(gathered)
    else exchange.flush()
  }

  #takeGathered(): Uint8Array {
    const first = this.#first
    const more = this.#more
    this.#first = undefined
    this.#more = undefined
    if (first === undefined) return EMPTY
    return more === undefined ? first : Buffer.concat([first, ...more], this.#gatheredBytes)
  }

  #fail(error: unknown): void {
    if (this.#state === 'done') return
    this.#exchange.fail(error)
    this.#stop(error)
  }

  #stop(reason: unknown): void {
    this.#state = 'done'
    this.#first = undefined
    this.#more = undefined
    this.#reader.cancel(reason).catch(() => {})
  }
}
