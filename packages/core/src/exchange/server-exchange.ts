import type { Writable } from 'node:stream'
import { RequestError } from '../cgi/error.ts'
import { FCGI_REQUEST_COMPLETE } from '../protocol/constants.ts'
import { rememberAbort } from './abort-reports.ts'
import type { RequestCarrier, RequestSettings } from './cgi-request.ts'
import { describeError, ExchangeError } from './error.ts'
import type { Exchange, WriteCallback } from './exchange.ts'
import type { ExchangeTrace } from './exchange-channel.ts'
import { IncomingRequest } from './incoming-request.ts'
import { checkChunk, ExchangeResponse, type ResponseOwner } from './response.ts'
import { StderrStream } from './stderr.ts'

/** What an exchange asks of the connection that carries it. */
export interface ExchangeCarrier extends RequestCarrier {
  readonly settings: ExchangeSettings
  /** The socket is gone, or about to be: what it still held was lost. */
  readonly lost: boolean
  /** The callback of the next write runs in the write's own async context, because nothing else waits in the socket. */
  readonly keepsContext: boolean
  /** Sends a response head before there is any body. */
  sendHead(exchange: ServerExchange, head: string, callback?: WriteCallback): boolean
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
  /** Aborts when the server begins to drain. */
  draining(): AbortSignal
}

const EMPTY = Buffer.alloc(0)

/** The exchange as the server sees it: an incoming request and its response. Apps see {@link Exchange}. */
export class ServerExchange extends IncomingRequest<ExchangeCarrier> implements Exchange, ResponseOwner {
  appStatus = 0
  onDrain: (() => void) | undefined = undefined
  onAbort: ((reason: ExchangeError) => void) | undefined = undefined

  /** It counts as one of the server's running requests. */
  admitted = false

  /** Publishes what happens to the exchange; undefined if nobody observes it. */
  trace: ExchangeTrace | undefined = undefined

  readonly #response = new ExchangeResponse(this)
  #stderr: StderrStream | undefined

  // ---- for apps ----

  get headSent(): boolean {
    return this.#response.headSent
  }

  get writableNeedDrain(): boolean {
    return this.#response.needDrain
  }

  get ended(): boolean {
    return this.#response.ended
  }

  get draining(): AbortSignal {
    return this.carrier.settings.draining()
  }

  get stderr(): Writable {
    this.#stderr ??= new StderrStream(
      (content) => this.ended || this.#sendStderr(content),
      this.carrier.settings.maxStderrBytes,
      (hook) => this.guard(hook),
    )
    return this.#stderr
  }

  writeHead(status: number, headers: readonly string[] = [], reason?: string): void {
    this.#response.writeHead(status, headers, reason)
  }

  write(chunk: Uint8Array | string, callback?: WriteCallback): boolean {
    return this.#response.write(chunk, callback)
  }

  flush(): void {
    this.#response.flush()
  }

  end(chunk: Uint8Array | string = EMPTY, callback?: WriteCallback): void {
    checkChunk(chunk)
    this.#flushStderr()
    this.#response.end(chunk, callback)
  }

  fail(error: unknown): void {
    // A failure after an abort follows from it and is not reported.
    if (this.aborted) return
    this.#flushStderr()
    if (!this.ended) this.#sendStderr(Buffer.from(`${describeError(error)}\n`))
    this.trace?.onError(error)
    this.carrier.settings.onError(error, this)
    if (!this.ended) this.#response.fail(statusOf(error), FCGI_REQUEST_COMPLETE)
  }

  waitUntil(promise: PromiseLike<unknown>): void {
    const { settings } = this.carrier
    settings.waitUntil(Promise.resolve(promise).catch((error: unknown) => settings.onError(error, this)))
  }

  // ---- for the connection ----

  respond(status: number, protocolStatus: number = FCGI_REQUEST_COMPLETE): void {
    this.begun = true
    // Subscribers of the trace are called in the context of the request.
    if (this.trace === undefined) this.#response.fail(status, protocolStatus)
    else this.runInAsyncScope(this.#response.fail, this.#response, status, protocolStatus)
  }

  protected refuse(error: unknown): void {
    if (this.trace !== undefined) this.runInAsyncScope(this.trace.onError, this.trace, error)
    // Before the response, because the front server may close the connection after it.
    this.#sendStderr(Buffer.from(`${reasonOf(error)}\n`))
    this.respond(error instanceof RequestError ? error.status : 400)
    this.runInAsyncScope(this.carrier.settings.onError, undefined, error, this)
  }

  /**
   * Ends the exchange before its time. Without `status` the front server has given it up. With it the front server still waits: it
   * gets that status, or, if the head was sent, a cut response.
   */
  abort(reason: ExchangeError, status?: number): void {
    this.runInAsyncScope(this.#abort, this, reason, status)
  }

  #abort(reason: ExchangeError, status: number | undefined): void {
    if (status !== undefined) this.#flushStderr()
    if (this.ended) return
    const state = this.#response.abort()
    this.abortReason = reason
    rememberAbort(reason, (error) => this.carrier.settings.onError(error, this))
    this.trace?.onError(reason)
    this.failInputs(reason)
    if (status !== undefined) {
      this.begun = true
      this.#response.fail(status, FCGI_REQUEST_COMPLETE, state)
    }
    this.#flushStderr()
    this.guard(() => this.onAbort?.(reason))
    this.guard(() => this.abortSignal())
    this.drained()
    this.trace?.onEnd()
  }

  /** The socket takes bytes again. */
  drained(): void {
    const stderr = this.#stderr
    if (stderr !== undefined) this.enter(() => stderr.drained())
    this.#response.drained()?.runInAsyncScope(this.guard, this, () => this.onDrain?.())
  }

  protected enter(hook: () => void): void {
    this.runInAsyncScope(this.guard, this, hook)
  }

  // ---- for the response ----

  get lost(): boolean {
    return this.carrier.lost
  }

  get keepsContext(): boolean {
    return this.carrier.keepsContext
  }

  sendHead(head: string, callback: WriteCallback | undefined): boolean {
    return this.carrier.sendHead(this, head, callback)
  }

  sendStdout(head: string, body: Uint8Array | string, callback: WriteCallback | undefined): boolean {
    return this.carrier.sendStdout(this, head, body, callback)
  }

  sendEnd(
    head: string,
    body: Uint8Array | string,
    protocolStatus: number,
    callback: WriteCallback | undefined,
  ): void {
    this.carrier.sendEnd(this, head, body, protocolStatus, callback)
    this.abandonInputs()
  }

  cut(): void {
    this.carrier.cut(this)
    this.abandonInputs()
  }

  guard(hook: () => void): void {
    try {
      hook()
    } catch (error) {
      if (this.aborted) this.carrier.settings.onError(error, this)
      else this.fail(error)
    }
  }

  #flushStderr(): void {
    const stderr = this.#stderr
    if (stderr !== undefined) this.guard(() => stderr.flush())
  }

  // STDOUT that was written before it is sent before it.
  #sendStderr(content: Uint8Array): boolean {
    this.#response.sendBatch()
    return this.carrier.sendStderr(this.requestId, content)
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof RequestError)) return describeError(error)
  return `Request refused with status ${error.status} (${error.code}): ${error.message}`
}

// An app that reads a request body to its end fails with the body's error. A body that is too short or too large is the client's fault.
function statusOf(error: unknown): number {
  const isBody =
    error instanceof ExchangeError &&
    (error.code === 'FCGI_ERR_BODY_LENGTH' || error.code === 'FCGI_ERR_BODY_TOO_LARGE')
  return isBody ? error.status : 500
}
