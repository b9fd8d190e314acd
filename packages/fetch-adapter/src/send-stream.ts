import { isUint8Array } from 'node:util/types'
import type { Exchange } from '@fcgi-bridge/core'
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
      else this.#exchange.end()
      this.#state = DONE
    } else if (!isUint8Array(value)) {
      throw new TypeError(notBytes(value))
    } else if (this.#state === SENDING) {
      this.#exchange.write(value)
    } else {
      this.#gather(value)
    }
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
    // Apart from the assignment: functions that are written there go among V8's old objects, with all they refer to.
    const onAbort = (reason: unknown): void => this.#stop(reason)
    const onDrain = (): void => this.#pull()
    exchange.onAbort = onAbort
    exchange.onDrain = onDrain
    writeHead(exchange, this.#head)
    exchange.write(this.#takeGathered())
  }

  #takeGathered(): Uint8Array | string {
    const first = this.#first
    const more = this.#more
    this.#first = undefined
    this.#more = undefined
    if (first === undefined) return ''
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

function notBytes(value: unknown): string {
  return `A response stream gave ${typeof value === 'string' ? 'a string' : Object.prototype.toString.call(value)} where a Uint8Array is due. Encode text on the way: stream.pipeThrough(new TextEncoderStream()).`
}
