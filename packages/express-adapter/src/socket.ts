import type { EventEmitter } from 'node:events'
import type { Exchange } from '@fcgi-bridge/core'
import { likeNetSocket } from './client-socket.ts'
import { namesFile } from './file-headers.ts'
import {
  abortedError,
  destroyedError,
  detachSignal,
  emitClose,
  type InternalRequest,
  type InternalResponse,
  isRead,
  type SendCallback,
  type SocketInternals,
  takeNeedDrain,
} from './internals.ts'
import { Output, type OutputOwner } from './output.ts'
import { RequestSocket } from './request-socket.ts'

/**
 * What `req.socket` and `res.socket` are: for one request, the client's connection as an HTTP server would see it. Its
 * life is the request's; reading it gives nothing, and what is written to it goes nowhere.
 */
export class ExchangeSocket extends RequestSocket implements SocketInternals, OutputOwner {
  readonly #output: Output
  #response: InternalResponse | undefined
  #flushing = false
  #held = false
  #endsLater = false
  #bytesWritten = 0
  #headers: readonly string[] = NO_HEADERS
  #length: number | undefined

  _httpMessage: InternalResponse | null = null
  _hadError = false

  constructor(exchange: Exchange) {
    super(exchange)
    this.#output = new Output(exchange, this)
  }

  /** Ties the three together, and the exchange to them. */
  open(request: InternalRequest, response: InternalResponse): void {
    this.incoming = request
    this.#response = response
    this._httpMessage = response
    response.socket = this
    // First of all listeners, as Node's own is.
    response.on('finish', onFinish)
    // Create the closure separately: V8 pretenures closures assigned straight to a property. Each one kept its request alive until
    // the next major collection, which took a fifth of the CPU time.
    const onAbort = (): void => {
      this.destroy()
    }
    this.exchange.onAbort = onAbort
  }

  protected override onTimeout(): void {
    const request = this.incoming
    const response = this._httpMessage
    const bodyComing = !request.complete && !this.exchange.stdin.ended
    const toRequest = bodyComing && request.emit('timeout', this)
    const toResponse = response?.emit('timeout', this) ?? false
    // Set for an app that has an http.Server.
    const toServer = (this.server as EventEmitter | null)?.emit('timeout', this) ?? false
    if (!toRequest && !toResponse && !toServer) this.destroy()
    this.emit('timeout')
  }

  /** Bytes of the response body so far. */
  get bytesWritten(): number {
    return this.#bytesWritten
  }

  // ---- the response's way out ----

  /**
   * Sets the head. `headers` is name, value, name, value …; `length` is the Content-Length among them. Throws as Node's
   * `writeHead` does.
   */
  writeHead(status: number, headers: readonly string[], reason: string, length: number | undefined): void {
    this.#headers = headers
    this.#length = length
    if (!this.exchange.ended) this.exchange.writeHead(status, headers, reason)
  }

  /** Body bytes of the response; none at all asks for the head. Returns false when the writer should wait for 'drain'. */
  send(
    data: string | Uint8Array,
    encoding: BufferEncoding | null | undefined,
    callback: SendCallback | null | undefined,
    byteLength: number | undefined,
  ): boolean {
    if (this.destroyed) return false
    let chunk =
      typeof data === 'string' && data !== '' && encoding && encoding !== 'utf8' && encoding !== 'utf-8'
        ? Buffer.from(data, encoding)
        : data
    let length = typeof chunk === 'string' ? (byteLength ?? Buffer.byteLength(chunk)) : chunk.byteLength
    const limit = this.#length
    if (limit !== undefined && this.#bytesWritten + length > limit) {
      // An HTTP client reads Content-Length bytes and takes the next one for the next response, and some front servers (Apache)
      // would send it to the client.
      length = limit - this.#bytesWritten
      chunk = Buffer.from(chunk as string).subarray(0, length)
    }
    this.#bytesWritten += length
    this.#output.push(chunk, length, callback)
    this.#scheduleFlush()
    return this.pendingLength < this.writableHighWaterMark
  }

  /** All of the response has been sent. */
  sendEnd(): void {
    if (this.destroyed) return
    const length = this.#length
    if (
      length !== undefined &&
      this.#response!._hasBody &&
      this.#bytesWritten < length &&
      !this.#isReplaced()
    ) {
      this.fail(
        new Error(
          `The response has ${this.#bytesWritten} bytes, but its Content-Length is ${length}. Send the whole body, or no Content-Length.`,
        ),
      )
      return
    }
    const body = this.bodyPump
    if (body === undefined || body.over || !isRead(this.incoming) || body.save()) {
      this.#output.end()
    } else {
      // The end of the exchange ends its input. What the front server sent together with the params may still be unread in
      // the operating system's buffer.
      this.#held = true
      this.#endsLater = true
      setImmediate(() => {
        body.save()
        if (!this.destroyed) this.#output.end()
      })
    }
  }

  // The front server sends a file in place of the (empty) body.
  #isReplaced(): boolean {
    return this.#bytesWritten === 0 && namesFile(this.#headers)
  }

  override uncork(): void {
    super.uncork()
    // At once, as a net.Socket: Node uncorks a response's socket on the tick after a write.
    if (this.#output.waiting && !this.#held) this.flush()
  }

  /** The response is about to end: nothing is flushed before its end. */
  holdBack(): void {
    this.#held = true
  }

  /** Flushes what waits, unless the response has ended. */
  letGo(): void {
    // Its end has been put off: see sendEnd.
    if (this.#response!.finished) return
    this.#held = false
    if (this.#output.waiting) this.#scheduleFlush()
  }

  /** Bytes of the response that are still on their way: `writableLength`. */
  get pendingLength(): number {
    return this.#output.length
  }

  // On the next tick, by when the response may have been ended: then it goes out in one write.
  #scheduleFlush(): void {
    if (this.#flushing || this.#held || this.writableCorked > 0) return
    this.#flushing = true
    process.nextTick(flush, this)
  }

  /** Hands on what waits, unless it was corked meanwhile. */
  flush(): void {
    this.#flushing = false
    if (this.#output.waiting && this.writableCorked === 0 && !this.exchange.ended) {
      this.onTraffic()
      this.#output.flush()
    }
  }

  onOutputProgress(): void {
    this.onTraffic()
  }

  onDrained(): void {
    const response = this._httpMessage
    if (response === null || response.finished || this.destroyed) return
    if (takeNeedDrain(response)) response.emit('drain')
  }

  onOutputLost(): void {
    this._hadError = true
    this.destroy()
  }

  /** The response is with the operating system: what Node does on 'finish', and the end of the "connection". */
  onFinish(): void {
    const request = this.incoming
    const response = this.#response!
    this.stopTimeout()
    detachSignal(request)
    this._httpMessage = null
    response.socket = null
    const read = isRead(request)
    if (!read) this.dumpBody()
    process.nextTick(emitClose, response)
    if (read) this.bodyPump?.release()
    if (this.listenerCount('close') > 0) {
      // Whoever waits for the connection's end: it is when neither side has anything more to say.
      if (request.closed) process.nextTick(() => this.destroy())
      else request.once('close', () => this.destroy())
    }
  }

  // ---- the end ----

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.stopTimeout()
    const exchange = this.exchange
    // The response has ended, and in Node would be on its way.
    if (this.#endsLater && !exchange.ended) this.#output.end()
    if (!exchange.ended) exchange.fail(error ?? new Error(UNANSWERED))
    this.dropBody()
    this.#output.drop(error ?? destroyedError())
    // Node's HTTP server always listens for 'error'.
    callback(this.listenerCount('error') > 0 ? error : null)
    setImmediate(() => this.#close(error !== null))
  }

  // The request and the response are told before all others, in Node's order.
  #close(hadError: boolean): void {
    const response = this._httpMessage
    // Once the response has finished, the request does not depend on the socket.
    if (response !== null) {
      this.incoming.destroy(abortedError())
      emitClose(response)
    }
    this.emit('close', hadError || this._hadError)
  }
}

// Node's types say that it is a plain property, and a class cannot override one with a getter.
Object.defineProperty(ExchangeSocket.prototype, 'writableLength', {
  configurable: true,
  get(this: ExchangeSocket): number {
    return this.pendingLength
  },
})

likeNetSocket(RequestSocket.prototype)
likeNetSocket(ExchangeSocket.prototype)

const NO_HEADERS: readonly string[] = []

const UNANSWERED = 'The app destroyed the request before it had answered.'

function flush(socket: ExchangeSocket): void {
  socket.flush()
}

function onFinish(this: { socket: unknown }): void {
  ;(this.socket as ExchangeSocket).onFinish()
}
