import type { Writable } from 'node:stream'
import { isUint8Array } from 'node:util/types'
import { RequestError } from '../cgi/error.ts'
import { bodyAllowed, encodeResponseHead } from '../cgi/response-head.ts'
import { FCGI_OVERLOADED, FCGI_REQUEST_COMPLETE } from '../protocol/constants.ts'
import { describeError, ExchangeError } from './error.ts'
import type { Exchange } from './exchange.ts'
import { IncomingRequest, type RequestCarrier, type RequestSettings } from './incoming-request.ts'
import { toLatin1, type WriteCallback } from './output.ts'
import { StderrStream } from './stderr.ts'
import { rememberAbort } from './unhandled-aborts.ts'

/** What an exchange asks of the connection that carries it. */
export interface ExchangeCarrier extends RequestCarrier {
  readonly settings: ExchangeSettings
  /** The socket is gone, or about to be: what it still held was lost. */
  readonly lost: boolean
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

  #stderr: StderrStream | undefined

  #headSent = false
  // The encoded head while it waits for the first write; behind that, what small writes have gathered. It is latin1.
  #held = ''
  #gathering = false
  #flushed = false
  #bodyless = false
  #needDrain = false
  #ended = false
  // An authorizer's output waits for its end, so that a failure on the way can still deny.
  #heldBody: Uint8Array[] | undefined

  get headSent(): boolean {
    return this.#headSent
  }

  get writableNeedDrain(): boolean {
    return this.#needDrain
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
    // A time-out may have answered in the app's place: it need not know.
    if (this.#ended) return
    if (this.#headSent) throw new Error('The response head was set already: writeHead is called once.')
    this.#held = encodeResponseHead(status, headers, reason)
    this.#headSent = true
    this.#bodyless = !bodyAllowed(this.role === 'authorizer' ? 'GET' : this.method, status)
  }

  write(chunk: Uint8Array | string, callback?: WriteCallback): boolean {
    checkChunk(chunk)
    if (this.#ended) return this.#refuseWrite(callback)
    if (!this.#headSent) this.writeHead(200)
    const body = this.#bodyless ? EMPTY : chunk
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
    if (this.#heldBody !== undefined) body = Buffer.concat([...this.#heldBody, Buffer.from(body as string)])
    this.#finish(body, FCGI_REQUEST_COMPLETE, callback)
  }

  fail(error: unknown): void {
    // What fails behind an abort is its consequence, and nobody's news.
    if (this.abortReason !== undefined) return
    this.#flushStderr()
    if (!this.#ended) this.#sendStderr(Buffer.from(`${describeError(error)}\n`))
    this.carrier.settings.onError(error, this)
    if (this.#ended) return
    if (this.#flushed) {
      this.#sendGathered()
      this.#ended = true
      this.carrier.cut(this)
      this.abandonInputs()
    } else {
      this.respond(statusOf(error))
    }
  }

  waitUntil(promise: PromiseLike<unknown>): void {
    const { settings } = this.carrier
    settings.waitUntil(Promise.resolve(promise).catch((error: unknown) => settings.onError(error, this)))
  }

  // ---- the connection's side ----

  /** Refuses with a whole response: real servers take no notice of a protocolStatus without one. */
  respond(status: number, protocolStatus: number = FCGI_REQUEST_COMPLETE): void {
    this.begun = true
    const headers = protocolStatus === FCGI_OVERLOADED ? [...TEXT_PLAIN, 'Retry-After', '1'] : TEXT_PLAIN
    this.#held = encodeResponseHead(status, headers)
    this.#headSent = true
    const text = `${this.#held.slice('Status: '.length, this.#held.indexOf('\r'))}\n`
    // Before the params are there it may be a HEAD request: H2O sends the client a body, HAProxy a 502.
    const method = this.knownMethod ?? 'HEAD'
    this.#finish(method === 'HEAD' ? EMPTY : text, protocolStatus)
  }

  protected refuse(error: unknown): void {
    this.respond(error instanceof RequestError ? error.status : 400)
    this.carrier.settings.onError(error, this)
  }

  /**
   * The front server gave up, or the server does: one event everywhere. With `status` the front server still
   * waits: it is answered with that, or, where the answer has begun, shown that it failed.
   */
  abort(reason: ExchangeError, status?: number): void {
    if (status !== undefined) this.#flushStderr()
    if (this.#ended) return
    this.#ended = true
    this.abortReason = reason
    rememberAbort(reason, (error) => this.carrier.settings.onError(error, this))
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
  }

  /** The turn of the event loop that a small write went out in is over. */
  endTurn(): void {
    this.#gathering = false
    if (!this.#ended) this.#sendGathered()
  }

  /** The socket takes bytes again. */
  drained(): void {
    const stderr = this.#stderr
    if (stderr !== undefined) this.#guard(() => stderr.drained())
    if (!this.#needDrain) return
    this.#needDrain = false
    this.#guard(() => this.onDrain?.())
  }

  // What the app throws here must not take the connection's other requests with it.
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
    if (callback === undefined && chunk.length > 0 && this.#gather(chunk)) return !this.#needDrain
    const head = this.#held
    this.#held = ''
    this.#flushed = true
    if (head === '' && chunk.length === 0) {
      if (callback !== undefined) this.#callLater(callback)
      return !this.#needDrain
    }
    const more = this.carrier.sendStdout(this, head, chunk, callback && this.#toSent(callback))
    if (!more) this.#needDrain = true
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
    this.#flushed = true
    this.#ended = true
    this.carrier.sendEnd(this, head, body, protocolStatus, callback && this.#toSent(callback))
    this.abandonInputs()
  }

  // Of what a socket held when it was destroyed Node says that it was written.
  #toSent(callback: WriteCallback): WriteCallback {
    return (error) => {
      const reason =
        error ??
        (this.carrier.lost
          ? new ExchangeError('FCGI_ERR_CONNECTION_CLOSED', 'The connection broke while this was being sent.')
          : undefined)
      this.#guard(() => callback(reason))
    }
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
