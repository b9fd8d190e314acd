import { isUint8Array } from 'node:util/types'
import type { Exchange } from '@fcgi-bridge/core'
import { type ResponseHead, sendWhole, writeHead } from './response-head.ts'

/**
 * Sends the body of a ReadableStream. What the stream gives without waiting for anything outside is gathered first: if
 * it also ends there (a string, bytes, a form), the answer has its Content-Length and is one write. Otherwise head and
 * what was gathered go out at once, and from then on each chunk by itself, so that events arrive when they are sent.
 */
export function sendStream(exchange: Exchange, head: ResponseHead, stream: ReadableStream<Uint8Array>): void {
  new StreamSender(exchange, head, stream).start()
}

// Beyond this a gathered body is sent without its length rather than held.
const GATHER_MAX = 64 * 1024

const GATHERING = 0
const SENDING = 1
const DONE = 2

const RESOLVED = Promise.resolve()

interface ReadResult {
  readonly done: boolean
  readonly value?: unknown
}

class StreamSender {
  readonly #exchange: Exchange
  readonly #head: ResponseHead
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  #state = GATHERING
  #reading = false
  #gathered: Uint8Array[] = []
  #gatheredBytes = 0

  constructor(exchange: Exchange, head: ResponseHead, stream: ReadableStream<Uint8Array>) {
    this.#exchange = exchange
    this.#head = head
    this.#reader = stream.getReader()
  }

  start(): void {
    this.#exchange.onAbort = (reason) => this.#stop(reason)
    this.#exchange.onDrain = () => this.#pull()
    this.#pull()
    // A tick asked for within a microtask comes when no microtask is left: when the stream has given
    // all that it can give without waiting.
    RESOLVED.then(this.#onMicrotask)
  }

  readonly #onMicrotask = (): void => {
    if (this.#state === GATHERING) process.nextTick(this.#onTick)
  }

  readonly #onTick = (): void => {
    if (this.#state !== GATHERING) return
    try {
      this.#sendGathered()
    } catch (error) {
      this.#fail(error)
    }
  }

  readonly #onRead = (result: ReadResult): void => {
    this.#reading = false
    if (this.#state === DONE) return
    try {
      this.#take(result)
      this.#pull()
    } catch (error) {
      this.#fail(error)
    }
  }

  readonly #fail = (error: unknown): void => {
    if (this.#state === DONE) return
    this.#exchange.fail(error)
    this.#stop(error)
  }

  #pull(): void {
    if (this.#state === DONE || this.#reading || this.#exchange.writableNeedDrain) return
    this.#reading = true
    this.#reader.read().then(this.#onRead, this.#fail)
  }

  #take({ done, value }: ReadResult): void {
    if (done) {
      if (this.#state === GATHERING) sendWhole(this.#exchange, this.#head, this.#takeGathered())
      else this.#exchange.end()
      this.#state = DONE
      return
    }
    if (!isUint8Array(value)) throw new TypeError(notBytes(value))
    if (this.#state === SENDING) {
      this.#exchange.write(value)
      return
    }
    this.#gathered.push(value)
    this.#gatheredBytes += value.length
    // One chunk is held whatever its size: it is in memory already, and most often all there is.
    if (this.#gathered.length > 1 && this.#gatheredBytes > GATHER_MAX) this.#sendGathered()
  }

  #sendGathered(): void {
    this.#state = SENDING
    writeHead(this.#exchange, this.#head)
    if (this.#gatheredBytes === 0) this.#exchange.flush()
    else this.#exchange.write(this.#takeGathered())
  }

  #takeGathered(): Uint8Array {
    const gathered = this.#gathered
    this.#gathered = []
    return gathered.length === 1 ? gathered[0]! : Buffer.concat(gathered, this.#gatheredBytes)
  }

  #stop(reason: unknown): void {
    this.#state = DONE
    this.#gathered = []
    this.#reader.cancel(reason).catch(() => {})
  }
}

function notBytes(value: unknown): string {
  return `A response stream gave ${typeof value === 'string' ? 'a string' : Object.prototype.toString.call(value)} where a Uint8Array is due. Encode text on the way: stream.pipeThrough(new TextEncoderStream()).`
}
