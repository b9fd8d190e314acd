import type { EventEmitter } from 'node:events'
import { type Exchange, usesSendfile } from '@fcgi-bridge/core'
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
} from '../internals.ts'
import { copyNetSocketAttributes } from './client-socket.ts'
import { Output, type OutputOwner } from './output.ts'
import { RequestSocket } from './request-socket.ts'

/**
 * How the response leaves the socket. Each column is an event, each cell the next state.
 *
 * | state             | write             | tick   | end()    | end() returns | end sent                    |
 * | ----------------- | ----------------- | ------ | -------- | ------------- | --------------------------- |
 * | `idle`            | `flush-scheduled` | –      | `ending` | –             | `end-deferred` or `ended`   |
 * | `flush-scheduled` | –                 | `idle` | `ending` | –             | `end-deferred` or `ended`   |
 * | `ending`          | –                 | –      | –        | `idle`        | `end-deferred` or `ended`   |
 * | `end-deferred`    | –                 | –      | –        | –             | `ended`, one turn later     |
 * | `ended`           | –                 | –      | –        | –             | –                           |
 *
 * What the socket does in each state:
 *
 * - `idle`: no data waits, or the socket is corked. A corked socket stays `idle` at a write, and `uncork` flushes at once.
 * - `flush-scheduled`: the data that the app wrote in this turn waits for the next tick, where it is flushed in one write.
 * - `ending`: `response.end()` runs. Its data waits for the end of the response, so that a small response is one write. If `end()`
 *   returns or throws without ending the response, a flush is scheduled.
 * - `end-deferred`: the response has ended, but the app still reads the request body. The end of the exchange would drop body data that the
 *   front server sent together with the params, so the socket first reads for one turn of the event loop.
 * - `ended`: the exchange has the whole response.
 */
type OutputState = 'idle' | 'flush-scheduled' | 'ending' | 'end-deferred' | 'ended'

/**
 * `req.socket` and `res.socket`: the client's connection for one request, as an HTTP server would show it. It closes when the request and
 * its response have ended. Reading from it returns no data, and data written to it is dropped.
 */
export class ExchangeSocket extends RequestSocket implements SocketInternals, OutputOwner {
  readonly #output: Output
  #response: InternalResponse | undefined
  #state: OutputState = 'idle'
  #headers: readonly string[] = NO_HEADERS

  _httpMessage: InternalResponse | null = null
  _hadError = false

  constructor(exchange: Exchange) {
    super(exchange)
    this.#output = new Output(exchange, this)
  }

  /** Connects the request, the response, the socket and the exchange with each other. */
  open(request: InternalRequest, response: InternalResponse): void {
    this.incoming = request
    this.#response = response
    this._httpMessage = response
    response.socket = this
    // Node's HTTP server adds its own listener first, too.
    response.on('finish', onFinish)
    // Create the closure separately: V8 pretenures closures assigned straight to a property. Each one kept its request alive until
    // the next major collection, which cost a fifth of the CPU time.
    const onAbort = (): void => {
      this.destroy()
    }
    this.exchange.onAbort = onAbort
  }

  protected override onTimeout(): void {
    const request = this.incoming
    const response = this._httpMessage
    const isBodyIncomplete = !request.complete && !this.exchange.stdin.ended
    const requestHandled = isBodyIncomplete && request.emit('timeout', this)
    const responseHandled = response?.emit('timeout', this) ?? false
    // Set if the app has an http.Server.
    const serverHandled = (this.server as EventEmitter | null)?.emit('timeout', this) ?? false
    if (!requestHandled && !responseHandled && !serverHandled) this.destroy()
    this.emit('timeout')
  }

  /** How many bytes of the response body the app has written so far. */
  get bytesWritten(): number {
    return this.#output.written
  }

  // ---- the response ----

  /**
   * Sets the response head. `headers` is name, value, name, value …; `length` is the Content-Length among them. Throws the errors of
   * Node's `writeHead`.
   */
  writeHead(status: number, headers: readonly string[], reason: string, length: number | undefined): void {
    this.#headers = headers
    this.#output.limit = length
    if (!this.exchange.ended) this.exchange.writeHead(status, headers, reason)
  }

  /** Sends a piece of the response body. An empty piece sends the head. Returns false if the writer should wait for 'drain'. */
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
    this.#output.push(chunk, length, callback)
    this.#scheduleFlush()
    return this.pendingLength < this.writableHighWaterMark
  }

  /** Ends the response. Fails the exchange if the body is shorter than its Content-Length. */
  sendEnd(): void {
    if (this.destroyed) return
    const { limit: length, written } = this.#output
    const isShort = length !== undefined && this.#response!._hasBody && written < length
    if (isShort && !(written === 0 && usesSendfile(this.#headers))) {
      this.fail(
        new Error(
          `The response has ${written} bytes, but its Content-Length is ${length}. Send the whole body, or no Content-Length.`,
        ),
      )
      return
    }
    const body = this.bodyPump
    if (body === undefined || body.over || !isRead(this.incoming) || body.save()) {
      this.#endExchange()
    } else {
      // The exchange drops its input when it ends. Body data that the front server sent together with the params may still be in the
      // operating system's buffer.
      this.#state = 'end-deferred'
      setImmediate(() => {
        body.save()
        if (!this.destroyed) this.#endExchange()
      })
    }
  }

  #endExchange(): void {
    this.#state = 'ended'
    this.#output.end()
  }

  override uncork(): void {
    super.uncork()
    // A net.Socket sends at once, too: Node uncorks a response's socket on the tick after a write.
    if (this.#isFlushable) this.#flush()
  }

  /** `response.end()` begins: nothing is flushed before it returns. */
  beginEnd(): void {
    if (this.#isFlushable) this.#state = 'ending'
  }

  /** `response.end()` has returned or thrown. Unless the response has ended, schedules a flush of its data. */
  leaveEnd(): void {
    if (this.#state !== 'ending' || this.#response!.finished) return
    this.#state = 'idle'
    if (this.#output.waiting) this.#scheduleFlush()
  }

  /** Whether the end of the response would send bytes over HTTP: data that still waits, or the last chunk of a chunked body. */
  get endSendsBytes(): boolean {
    return this.#output.waiting || (this.#output.limit === undefined && this.#response!._hasBody)
  }

  // The head and the whole body have been passed on. A client accepts such a response even if the connection then closes.
  get #isComplete(): boolean {
    const { _headerSent, _hasBody } = this.#response!
    const { waiting, written, limit } = this.#output
    return _headerSent && !waiting && (!_hasBody || written === limit)
  }

  /** The bytes of the response that the operating system does not have yet: `writableLength`. */
  get pendingLength(): number {
    return this.#output.length
  }

  get #isFlushable(): boolean {
    return this.#state === 'idle' || this.#state === 'flush-scheduled'
  }

  // The response may end before the next tick. All of it is then one write.
  #scheduleFlush(): void {
    if (this.#state !== 'idle' || this.writableCorked > 0) return
    this.#state = 'flush-scheduled'
    process.nextTick(flushOnTick, this)
  }

  /** Runs on the tick of a scheduled flush. */
  flushOnTick(): void {
    if (this.#state !== 'flush-scheduled') return
    this.#state = 'idle'
    this.#flush()
  }

  #flush(): void {
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

  /** The operating system has the whole response. Does what Node does on 'finish', and closes the socket. */
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
      // The socket closes when both the response and the request have ended.
      if (request.closed) process.nextTick(() => this.destroy())
      else request.once('close', () => this.destroy())
    }
  }

  // ---- the end ----

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.stopTimeout()
    const exchange = this.exchange
    // The app ended the response, or wrote all of it. Node would have written it to the socket by now.
    if (!exchange.ended && (this.#state === 'end-deferred' || this.#isComplete)) this.#endExchange()
    if (!exchange.ended) exchange.fail(error ?? new Error(DESTROYED_EARLY))
    this.dropBody()
    this.#output.drop(error ?? destroyedError())
    // Node's HTTP server has an 'error' listener on every socket. So if the app has no listener, the error is not thrown.
    callback(this.listenerCount('error') > 0 ? error : null)
    setImmediate(() => this.#close(error !== null))
  }

  // The request and the response emit their events before the socket, in Node's order.
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

// Node's types declare a plain property, which a getter in a class cannot override.
Object.defineProperty(ExchangeSocket.prototype, 'writableLength', {
  configurable: true,
  get(this: ExchangeSocket): number {
    return this.pendingLength
  },
})

copyNetSocketAttributes(RequestSocket.prototype)
copyNetSocketAttributes(ExchangeSocket.prototype)

const NO_HEADERS: readonly string[] = []

const DESTROYED_EARLY = 'The app destroyed the request before it ended the response.'

function flushOnTick(socket: ExchangeSocket): void {
  socket.flushOnTick()
}

function onFinish(this: { socket: unknown }): void {
  ;(this.socket as ExchangeSocket).onFinish()
}
