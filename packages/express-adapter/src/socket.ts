import type { Exchange } from '@fcgi-bridge/core'
import { BodyPump, dropBody } from './body.ts'
import { ClientSocket } from './client-socket.ts'
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

/**
 * What `req.socket` and `res.socket` are: for one request, the client's connection as an HTTP server would see it. Its
 * life is the request's; reading it gives nothing, and what is written to it goes nowhere.
 */
export class ExchangeSocket extends ClientSocket implements SocketInternals, OutputOwner {
  readonly #output: Output
  #request: InternalRequest | undefined
  #response: InternalResponse | undefined
  #body: BodyPump | undefined
  #flushing = false
  #held = false
  #bytesWritten = 0

  _httpMessage: InternalResponse | null = null
  _hadError = false

  constructor(exchange: Exchange) {
    super(exchange)
    this.#output = new Output(exchange, this)
  }

  /** Ties the three together, and the exchange to them. */
  open(request: InternalRequest, response: InternalResponse): void {
    this.#request = request
    this.#response = response
    this._httpMessage = response
    response.socket = this
    // First of all listeners, as Node's own is.
    response.on('finish', onFinish)
    // Not written where it is assigned: V8 takes such a function for one that stays, and puts it among the old objects.
    // There it keeps all that it refers to, the whole request, until the next major collection: a fifth of the CPU time.
    const onAbort = (): void => {
      this.destroy()
    }
    this.exchange.onAbort = onAbort
  }

  /** The listener was called: from now on an empty body is a body that has come in. */
  opened(): void {
    const request = this.#request!
    if (this.exchange.stdin.ended) request.complete = true
  }

  /** The listener failed. */
  fail(error: unknown): void {
    this.exchange.fail(error)
    this.destroy(error instanceof Error ? error : undefined)
  }

  protected override onTimeout(): void {
    const request = this.#request!
    const response = this._httpMessage
    const bodyComing = !request.complete && !this.exchange.stdin.ended
    const toRequest = bodyComing && request.emit('timeout', this)
    const toResponse = response?.emit('timeout', this) ?? false
    if (!toRequest && !toResponse) this.destroy()
    this.emit('timeout')
  }

  /** Bytes of the request body so far. */
  get bytesRead(): number {
    return this.#body?.bytesRead ?? 0
  }

  /** Bytes of the response body so far. */
  get bytesWritten(): number {
    return this.#bytesWritten
  }

  // ---- the response's way out ----

  /** Sets the head: name, value, name, value … Throws as Node's `writeHead` does. */
  writeHead(status: number, headers: readonly string[], reason: string): void {
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
    const chunk =
      typeof data === 'string' && data !== '' && encoding && encoding !== 'utf8' && encoding !== 'utf-8'
        ? Buffer.from(data, encoding)
        : data
    const length = typeof chunk === 'string' ? (byteLength ?? Buffer.byteLength(chunk)) : chunk.byteLength
    this.#bytesWritten += length
    this.#output.push(chunk, length, callback)
    this.#scheduleFlush()
    return this.pendingLength < this.writableHighWaterMark
  }

  /** All of the response has been sent. */
  sendEnd(): void {
    if (this.destroyed) return
    const { _contentLength: length, _hasBody: hasBody } = this.#response!
    // Without any body it may be one that the front server puts there (X-Sendfile, X-Accel-Redirect).
    if (hasBody && length !== null && this.#bytesWritten > 0 && this.#bytesWritten < length) {
      this.fail(
        new Error(`The response has ${this.#bytesWritten} bytes, and its Content-Length says ${length}.`),
      )
      return
    }
    const request = this.#request!
    if (isRead(request) && !this.#body?.over) {
      // What came with the request's head is being read only now, and nothing comes behind the end of the exchange.
      setImmediate(() => {
        if (!this.destroyed) this.#output.end()
      })
    } else {
      this.#output.end()
    }
  }

  override uncork(): void {
    super.uncork()
    if (this.#output.waiting) this.#scheduleFlush()
  }

  /** The response is about to be ended: nothing is to be flushed in front of its end. */
  holdBack(): void {
    this.#held = true
  }

  /** It was ended, or not: what still waits is flushed. */
  letGo(): void {
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
    const request = this.#request!
    const response = this.#response!
    this.stopTimeout()
    detachSignal(request)
    this._httpMessage = null
    response.socket = null
    if (isRead(request)) this.#body?.run()
    else dropBody(this.exchange, request)
    process.nextTick(emitClose, response)
    if (this.listenerCount('close') > 0) {
      // Whoever waits for the connection's end: it is when neither side has anything more to say.
      if (request.closed) process.nextTick(() => this.destroy())
      else request.once('close', () => this.destroy())
    }
  }

  // ---- the request body's way in: Node's IncomingMessage asks its socket ----

  override resume(): this {
    this.#pump.resume()
    return this
  }

  override pause(): this {
    this.#pump.pause()
    return this
  }

  override isPaused(): boolean {
    return this.#body?.paused ?? false
  }

  get #pump(): BodyPump {
    this.#body ??= new BodyPump(
      this.exchange,
      this.#request!,
      () => this.onTraffic(),
      (error) => this.fail(error),
    )
    return this.#body
  }

  // ---- the end ----

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.stopTimeout()
    this._hadError ||= error !== null
    const exchange = this.exchange
    if (!exchange.ended) exchange.fail(error ?? new Error(UNANSWERED))
    exchange.stdin.discard()
    this.#output.drop(error ?? destroyedError())
    // Node's HTTP server always listens for 'error'.
    callback(this.listenerCount('error') > 0 ? error : null)
    setImmediate(() => this.#close())
  }

  // The request and the response learn of the end before all others, in Node's order.
  #close(): void {
    const response = this._httpMessage
    // Once the response has gone out, the request is on its own.
    if (response !== null) {
      this.#request!.destroy(abortedError())
      emitClose(response)
    }
    this.emit('close', this._hadError)
  }
}

// The types of Node have it for a plain property, which a class may not override with a getter.
Object.defineProperty(ExchangeSocket.prototype, 'writableLength', {
  configurable: true,
  get(this: ExchangeSocket): number {
    return this.pendingLength
  },
})

const UNANSWERED = 'The app destroyed the request before it had answered.'

function flush(socket: ExchangeSocket): void {
  socket.flush()
}

function onFinish(this: { socket: unknown }): void {
  ;(this.socket as ExchangeSocket).onFinish()
}
