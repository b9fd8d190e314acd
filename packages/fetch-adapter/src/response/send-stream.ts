import type { Exchange } from '@fcgi-bridge/core'
import { bytesOf, notBytes } from './body-chunk.ts'
import { declaredLength, shortBodyError, wrongLength } from './content-length.ts'
import { type ResponseHead, sendWhole, writeHead } from './response-head.ts'

/**
 * Sends the body of a ReadableStream. What the stream gives without waiting for anything outside is gathered first: if
 * it also ends there (a string, bytes, a form), the answer has its Content-Length and is one write. Otherwise head and
 * what was gathered go out at once, and from then on each chunk by itself, so that events arrive when they are sent.
 */
export function sendStream(exchange: Exchange, head: ResponseHead, stream: ReadableStream<Uint8Array>): void {
  new StreamSender(exchange, head, stream.getReader()).start()
}

// Beyond this a gathered body is sent without its length rather than held.
const GATHER_MAX = 64 * 1024

const GATHERING = 0
const SENDING = 1
const DONE = 2

interface ReadResult {
  readonly done: boolean
  readonly value?: unknown
}

const EMPTY = new Uint8Array()
const RESOLVED = Promise.resolve()

function stopGathering(sender: StreamSender): void {
  sender.stopGathering()
}

class StreamSender {
  readonly #exchange: Exchange
  readonly #head: ResponseHead
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  #state = GATHERING
  #reading = false
  #first: Uint8Array | undefined
  #more: Uint8Array[] | undefined
  #gatheredBytes = 0
  // Bytes that were sent, and the Content-Length that the app gave.
  #sentBytes = 0
  #declared: number | undefined

  constructor(exchange: Exchange, head: ResponseHead, reader: ReadableStreamDefaultReader<Uint8Array>) {
    this.#exchange = exchange
    this.#head = head
    this.#reader = reader
  }

  start(): void {
    // A tick asked for within a microtask comes when no microtask is left: when the stream has given all that it can give
    // without waiting. Each response asks for its own, because a tick runs in the async context of the request that asked.
    RESOLVED.then(() => process.nextTick(stopGathering, this))
    this.#pull()
  }

  /** Sends what there is, if the stream has not ended by now. */
  stopGathering(): void {
    if (this.#state !== GATHERING) return
    try {
      this.#sendGathered()
    } catch (error) {
      this.#fail(error)
    }
  }

  #pull(): void {
    if (this.#state === DONE || this.#reading || this.#exchange.writableNeedDrain) return
    this.#reading = true
    // Made for each read on purpose: a sender that keeps them lives, on Node 22, until the next major collection, and its
    // stream with it; that took a third more CPU a request.
    this.#reader.read().then(
      (result) => this.#onRead(result),
      (error: unknown) => this.#fail(error),
    )
  }

  #onRead(result: ReadResult): void {
    this.#reading = false
    if (this.#state === DONE) return
    try {
      this.#take(result)
      this.#pull()
    } catch (error) {
      this.#fail(error)
    }
  }

  #take({ done, value }: ReadResult): void {
    if (done) {
      if (this.#state === GATHERING) this.#sendAll()
      else this.#end()
      this.#state = DONE
      return
    }
    const chunk = bytesOf(value)
    if (chunk === undefined) throw notBytes(value)
    if (this.#state === SENDING) this.#write(chunk)
    else this.#gather(chunk)
  }

  #write(chunk: Uint8Array): void {
    const sent = this.#sentBytes + chunk.length
    const declared = this.#declared
    if (declared !== undefined && sent > declared) {
      const error = wrongLength(this.#head.headers, sent, declared)
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
      // One chunk is held whatever its size: it is in memory already, and most often all there is.
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
    // Hooks are set late, as most answers end before there can be a reason to call them.
    if (exchange.ended) {
      this.#stop(exchange.signal.reason)
      return
    }
    this.#state = SENDING
    this.#declared = declaredLength(this.#head.headers)
    // Created apart from the assignment: V8 puts functions that are written there among its old objects, with all that they
    // refer to.
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
    if (this.#state === DONE) return
    this.#exchange.fail(error)
    this.#stop(error)
  }

  #stop(reason: unknown): void {
    this.#state = DONE
    this.#first = undefined
    this.#more = undefined
    this.#reader.cancel(reason).catch(() => {})
  }
}
