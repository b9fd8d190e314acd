import { AsyncResource } from 'node:async_hooks'
import type { Writable } from 'node:stream'
import { isUint8Array } from 'node:util/types'
import { RequestError } from '../cgi/error.ts'
import { bodyAllowed, encodeResponseHead } from '../cgi/response-head.ts'
import { FCGI_OVERLOADED, FCGI_REQUEST_COMPLETE } from '../protocol/constants.ts'
import { describeError, ExchangeError } from './error.ts'
import type { Exchange } from './exchange.ts'
import type { ExchangeTrace } from './exchange-channel.ts'
import { IncomingRequest, type RequestCarrier, type RequestSettings } from './incoming-request.ts'
import { toLatin1, type WriteCallback } from './output.ts'
import { StderrStream } from './stderr.ts'

/** What an exchange asks of the connection that carries it. */
export interface ExchangeCarrier extends RequestCarrier {
  readonly settings: ExchangeSettings
  /** The socket is gone, or about to be: what it still held was lost. */
  readonly lost: boolean
  /** The callback of what is written now will run in the async context of the write, because nothing else waits in the socket. */
  readonly keepsContext: boolean
  sendStdout(
    exchange: ServerExchange,
    head: string,
    body: Uint8Array | string,
    callback?: WriteCallback,
  ): boolean
  /** Sends the last output, the end of STDOUT and END_REQUEST; the exchange is over. */
  sendEnd(
    exchange: ServerExchange,
    head: string,
    body: Uint8Array | string,
    protocolStatus: number,
    callback?: WriteCallback,
  ): void
  sendStderr(requestId: number, content: Uint8Array): boolean
  /** Ends the exchange so that the front server sees it failed. */
  cut(exchange: ServerExchange): void
}

/** What the server's options say about each exchange. */
export interface ExchangeSettings extends RequestSettings {
  readonly maxStderrBytes: number
  onError(error: unknown, exchange: Exchange): void
  /** Keeps the server from closing until `promise`, which does not reject, has settled. */
  waitUntil(promise: Promise<unknown>): void
}

const EMPTY = Buffer.alloc(0)
const TEXT_PLAIN: readonly string[] = ['Content-Type', 'text/plain; charset=utf-8']

// Small writes are up to this long, and gathered up to this much (bytes).
const GATHERED_CHUNK_MAX = 1024
const GATHERED_MAX = 8 * 1024

/** The exchange as the server sees it, with the half that goes out; apps see {@link Exchange}. */
export class ServerExchange extends IncomingRequest<ExchangeCarrier> implements Exchange {
  appStatus = 0
  onDrain: (() => void) | undefined = undefined
  onAbort: ((reason: ExchangeError) => void) | undefined = undefined

  /** It counts as one of the server's running requests. */
  admitted = false

  /** Where somebody observes this exchange. */
  trace: ExchangeTrace | undefined = undefined

  #stderr: StderrStream | undefined

  #headSent = false
  // The encoded head while it waits for the first write; behind that, what small writes have gathered. It is latin1.
  #held = ''
  #gathering = false
  #flushed = false
  #bodyless = false
  // The async context of the write that returned false: `onDrain` runs in it, as 'drain' does with Node's HTTP server.
  #waitingWriter: AsyncResource | undefined
  #ended = false
  // An authorizer's output waits for its end, so that a failure on the way can still deny.
  #heldBody: Uint8Array[] | undefined

  get headSent(): boolean {
    return this.#headSent
  }

  get writableNeedDrain(): boolean {
    return this.#waitingWriter !== undefined
  }

  get ended(): boolean {
    return this.#ended
  }

  get stderr(): Writable {
    this.#stderr ??= new StderrStream(
      (content) => this.#ended || this.#sendStderr(content),
      this.carrier.settings.maxStderrBytes,
      (hook) => this.#guard(hook),
    )
    return this.#stderr
  }

  writeHead(status: number, headers: readonly string[] = [], reason?: string): void {
    // The server may have responded already, after a time-out: the app need not know.
    if (this.#ended) return
    if (this.#headSent) throw new Error('The response head was set already: writeHead is called once.')
    this.#held = encodeResponseHead(status, headers, reason)
    this.#headSent = true
    if (this.trace !== undefined) this.trace.status = status
    this.#bodyless = !bodyAllowed(this.role === 'authorizer' ? 'GET' : this.method, status)
  }

  write(chunk: Uint8Array | string, callback?: WriteCallback): boolean {
    checkChunk(chunk)
    if (this.#ended) return this.#refuseWrite(callback)
    if (!this.#headSent) this.writeHead(200)
    const body = this.#bodyless ? EMPTY : chunk
    this.trace?.onBody(body)
    if (this.role === 'authorizer') {
      this.#heldBody ??= []
      this.#heldBody.push(Buffer.from(body as string))
      if (callback !== undefined) this.#callLater(callback)
      return true
    }
    return this.#send(body, callback)
  }

  flush(): void {
    if (this.#ended || !this.#headSent || this.role === 'authorizer') return
    if (!this.#flushed) this.#send(EMPTY, undefined)
    else this.#sendGathered()
  }

  end(chunk: Uint8Array | string = EMPTY, callback?: WriteCallback): void {
    checkChunk(chunk)
    this.#flushStderr()
    if (this.#ended) {
      this.#refuseWrite(callback)
      return
    }
    if (!this.#headSent) this.writeHead(200)
    let body = this.#bodyless ? EMPTY : chunk
    this.trace?.onBody(body)
    if (this.#heldBody !== undefined) body = Buffer.concat([...this.#heldBody, Buffer.from(body as string)])
    this.#finish(body, FCGI_REQUEST_COMPLETE, callback)
  }

  fail(error: unknown): void {
    // A failure after an abort is a consequence of the abort, and is not reported.
    if (this.abortReason !== undefined) return
    this.#flushStderr()
    if (!this.#ended) this.#sendStderr(Buffer.from(`${describeError(error)}\n`))
    this.trace?.onError(error)
    this.carrier.settings.onError(error, this)
    if (this.#ended) return
    if (this.#flushed) {
      this.#sendGathered()
      this.#ended = true
      this.carrier.cut(this)
      this.abandonInputs()
      this.trace?.onEnd()
    } else {
      this.respond(statusOf(error))
    }
  }

  waitUntil(promise: PromiseLike<unknown>): void {
    const { settings } = this.carrier
    settings.waitUntil(Promise.resolve(promise).catch((error: unknown) => settings.onError(error, this)))
  }

  // ---- the connection's side ----

  /** Refuses the request with a whole response, because real front servers ignore the protocolStatus. */
  respond(status: number, protocolStatus: number = FCGI_REQUEST_COMPLETE): void {
    // Subscribers of the trace are called in the context of the request, too.
    if (this.trace === undefined) this.#respond(status, protocolStatus)
    else this.runInAsyncScope(this.#respond, this, status, protocolStatus)
  }

  #respond(status: number, protocolStatus: number): void {
    this.begun = true
    const headers = protocolStatus === FCGI_OVERLOADED ? [...TEXT_PLAIN, 'Retry-After', '1'] : TEXT_PLAIN
    this.#held = encodeResponseHead(status, headers)
    this.#headSent = true
    const text = `${this.#held.slice('Status: '.length, this.#held.indexOf('\r'))}\n`
    // Before the params have come, the request may be a HEAD: H2O would pass the body on, HAProxy would send a 502.
    const method = this.knownMethod ?? 'HEAD'
    const body = method === 'HEAD' ? EMPTY : text
    this.trace?.onReplaced(status, body)
    this.#finish(body, protocolStatus)
  }

  protected refuse(error: unknown): void {
    if (this.trace !== undefined) this.runInAsyncScope(this.trace.onError, this.trace, error)
    this.respond(error instanceof RequestError ? error.status : 400)
    this.runInAsyncScope(this.carrier.settings.onError, undefined, error, this)
  }

  /**
   * Aborts the exchange, because the front server gave up or the server does. With `status`, the front server still waits for
   * a response: it gets that status, or, if the response has begun, sees that the response failed.
   */
  abort(reason: ExchangeError, status?: number): void {
    this.runInAsyncScope(this.#abort, this, reason, status)
  }

  #abort(reason: ExchangeError, status?: number): void {
    if (status !== undefined) this.#flushStderr()
    if (this.#ended) return
    this.#ended = true
    this.abortReason = reason
    this.trace?.onError(reason)
    this.failInputs(reason)
    if (status !== undefined) {
      if (!this.#flushed) this.respond(status)
      else {
        this.#sendGathered()
        this.carrier.cut(this)
      }
    }
    this.#flushStderr()
    this.#guard(() => this.onAbort?.(reason))
    this.#guard(() => this.abortSignal())
    this.drained()
    this.trace?.onEnd()
  }

  /** The turn of the event loop that a small write went out in is over. */
  endTurn(): void {
    this.#gathering = false
    if (!this.#ended) this.#sendGathered()
  }

  /** The socket can take more bytes. */
  drained(): void {
    const stderr = this.#stderr
    if (stderr !== undefined) this.enter(() => stderr.drained())
    const writer = this.#waitingWriter
    if (writer === undefined) return
    this.#waitingWriter = undefined
    writer.runInAsyncScope(this.#guard, this, () => this.onDrain?.())
  }

  protected enter(hook: () => void): void {
    this.runInAsyncScope(this.#guard, this, hook)
  }

  // An error that the app throws here must not end the connection's other requests.
  #guard(hook: () => void): void {
    try {
      hook()
    } catch (error) {
      if (this.abortReason === undefined) this.fail(error)
      else this.carrier.settings.onError(error, this)
    }
  }

  #flushStderr(): void {
    const stderr = this.#stderr
    if (stderr !== undefined) this.#guard(() => stderr.flush())
  }

  #send(chunk: Uint8Array | string, callback: WriteCallback | undefined): boolean {
    if (callback === undefined && chunk.length > 0 && this.#gather(chunk)) return !this.writableNeedDrain
    const head = this.#held
    this.#held = ''
    if (!this.#flushed) this.trace?.onHead()
    this.#flushed = true
    if (head === '' && chunk.length === 0) {
      if (callback !== undefined) this.#callLater(callback)
      return !this.writableNeedDrain
    }
    const more = this.carrier.sendStdout(this, head, chunk, callback && this.#toSent(callback))
    if (!more) this.#waitingWriter ??= new AsyncResource('FCGI_DRAIN')
    return more
  }

  // Of the small writes of one turn the first goes out at once, and the others together: a record and a write for each would
  // cost more than twice as much.
  #gather(chunk: Uint8Array | string): boolean {
    if (chunk.length > GATHERED_CHUNK_MAX || this.#held.length >= GATHERED_MAX) return false
    if (!this.#gathering) {
      this.#gathering = true
      process.nextTick(endTurn, this)
      return false
    }
    const text = toLatin1(chunk)
    if (text === undefined) return false
    this.#held += text
    return true
  }

  #sendGathered(): void {
    if (this.#flushed && this.#held !== '') this.#send(EMPTY, undefined)
  }

  // Behind what was written to STDOUT before.
  #sendStderr(content: Uint8Array): boolean {
    this.#sendGathered()
    return this.carrier.sendStderr(this.requestId, content)
  }

  #finish(body: Uint8Array | string, protocolStatus: number, callback?: WriteCallback): void {
    const head = this.#held
    this.#held = ''
    if (!this.#flushed) this.trace?.onHead()
    this.#flushed = true
    this.#ended = true
    this.carrier.sendEnd(this, head, body, protocolStatus, callback && this.#toSent(callback))
    this.abandonInputs()
    this.trace?.onEnd()
  }

  #toSent(callback: WriteCallback): WriteCallback {
    if (this.carrier.keepsContext) return (error) => this.#sent(callback, error)
    // Writes that wait in the socket go out together, and their callbacks run in the context of the last request that wrote.
    const context = new AsyncResource('FCGI_WRITE')
    return (error) => context.runInAsyncScope(this.#sent, this, callback, error)
  }

  // Node reports no error for data that a socket still held when it was destroyed.
  #sent(callback: WriteCallback, error: Error | null | undefined): void {
    const reason =
      error ??
      (this.carrier.lost
        ? new ExchangeError('FCGI_ERR_CONNECTION_CLOSED', 'The connection broke while this was being sent.')
        : undefined)
    this.#guard(() => callback(reason))
  }

  #refuseWrite(callback: WriteCallback | undefined): boolean {
    if (callback !== undefined) {
      const error =
        this.abortReason ?? new ExchangeError('FCGI_ERR_ENDED', 'Written after the end of the answer.')
      this.#callLater(callback, error)
    }
    return false
  }

  #callLater(callback: WriteCallback, error?: Error): void {
    process.nextTick(() => this.#guard(() => callback(error)))
  }
}

function endTurn(exchange: ServerExchange): void {
  exchange.endTurn()
}

// Told before anything of the answer is under way.
function checkChunk(chunk: unknown): void {
  if (typeof chunk !== 'string' && !isUint8Array(chunk)) {
    throw new TypeError(`A body is written as strings and Uint8Arrays; this is ${describeError(chunk)}.`)
  }
}

// A body that came too short, or grew too large, is the client's doing, and an app that reads it to its end
// fails with its error.
function statusOf(error: unknown): number {
  const isBody =
    error instanceof ExchangeError &&
    (error.code === 'FCGI_ERR_BODY_LENGTH' || error.code === 'FCGI_ERR_BODY_TOO_LARGE')
  return isBody ? error.status : 500
}
