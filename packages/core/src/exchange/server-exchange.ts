import type { Writable } from 'node:stream'
import { RequestError } from '../cgi/error.ts'
import { FCGI_REQUEST_COMPLETE } from '../protocol/constants.ts'
import { rememberAbort } from './abort-reports.ts'
import type { RequestConnection, RequestSettings } from './cgi-request.ts'
import { describeError, ExchangeError } from './error.ts'
import type { Exchange, WriteCallback } from './exchange.ts'
import type { ExchangeTrace } from './exchange-channel.ts'
import { IncomingRequest } from './incoming-request.ts'
import { checkChunk, ExchangeResponse, type ResponseOwner } from './response.ts'
import { StderrStream } from './stderr.ts'

/** What an exchange needs from its connection. */
export interface ExchangeConnection extends RequestConnection {
  readonly settings: ExchangeSettings
  /** The socket is destroyed, and the data it still buffered was lost. */
  readonly lost: boolean
  /** The socket will call the callback of the next write in the async context of that write, because it buffers nothing else. */
  readonly keepsContext: boolean
  /** Sends a response head without a body. Returns false if the app should wait for {@link ServerExchange.drained}. */
  sendHead(exchange: ServerExchange, head: string, callback?: WriteCallback): boolean
  /** Sends STDOUT. Returns false if the app should wait for {@link ServerExchange.drained}. */
  sendStdout(
    exchange: ServerExchange,
    head: string,
    body: Uint8Array | string,
    callback?: WriteCallback,
  ): boolean
  /** Sends the last output, the end of STDOUT, and END_REQUEST, which ends the exchange. */
  sendEnd(
    exchange: ServerExchange,
    head: string,
    body: Uint8Array | string,
    protocolStatus: number,
    callback?: WriteCallback,
  ): void
  /** Sends STDERR. Returns false if the socket's buffer is full. */
  sendStderr(requestId: number, content: Uint8Array): boolean
  /** Ends an incomplete response in a way that the front server sees as a failure. */
  truncate(exchange: ServerExchange): void
}

/** The server's options that concern exchanges; see `ServerOptions`. */
export interface ExchangeSettings extends RequestSettings {
  readonly maxStderrBytes: number
  /** Reports an error. Must not throw. */
  onError(error: unknown, exchange: Exchange): void
  /** Makes the server's `close` wait for `promise`, which must not reject. */
  waitUntil(promise: Promise<unknown>): void
  /** Aborts when the server begins to drain. */
  draining(): AbortSignal
}

const EMPTY = Buffer.alloc(0)

/** The server's view of an exchange: an incoming request and its response. Apps use the interface {@link Exchange}. */
export class ServerExchange extends IncomingRequest<ExchangeConnection> implements Exchange, ResponseOwner {
  appStatus = 0
  onDrain: (() => void) | undefined = undefined
  onAbort: ((reason: ExchangeError) => void) | undefined = undefined

  /** The exchange counts towards the server's limit of running requests. */
  admitted = false

  /** Publishes the events of the exchange; undefined if it has no subscriber. */
  trace: ExchangeTrace | undefined = undefined

  readonly #response = new ExchangeResponse(this)
  #stderr: StderrStream | undefined

  // ---- for apps; see Exchange ----

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
    return this.connection.settings.draining()
  }

  get stderr(): Writable {
    this.#stderr ??= new StderrStream(
      (content) => this.ended || this.#sendStderr(content),
      this.connection.settings.maxStderrBytes,
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
    // A failure after an abort is a consequence of the abort. Do not report it.
    if (this.aborted) return
    this.#flushStderr()
    if (!this.ended) this.#sendStderr(Buffer.from(`${describeError(error)}\n`))
    this.trace?.onError(error)
    this.connection.settings.onError(error, this)
    if (!this.ended) this.#response.fail(statusOf(error), FCGI_REQUEST_COMPLETE)
  }

  waitUntil(promise: PromiseLike<unknown>): void {
    const { settings } = this.connection
    settings.waitUntil(Promise.resolve(promise).catch((error: unknown) => settings.onError(error, this)))
  }

  // ---- for the connection ----

  /** Responds with `status` instead of the app, or truncates a response that has begun. */
  respond(status: number, protocolStatus: number = FCGI_REQUEST_COMPLETE): void {
    this.paramsEnded = true
    // Call the subscribers of the trace in the async context of the request.
    if (this.trace === undefined) this.#response.fail(status, protocolStatus)
    else this.runInAsyncScope(this.#response.fail, this.#response, status, protocolStatus)
  }

  protected refuse(error: unknown): void {
    if (this.trace !== undefined) this.runInAsyncScope(this.trace.onError, this.trace, error)
    // Send STDERR before the response, because the front server may close the connection after the response.
    this.#sendStderr(Buffer.from(`${reasonOf(error)}\n`))
    this.respond(error instanceof RequestError ? error.status : 400)
    this.runInAsyncScope(this.connection.settings.onError, undefined, error, this)
  }

  /**
   * Aborts the exchange. Without `status`, no response is sent: the front server aborted the request, or the connection is closed.
   * With `status`, the front server still waits: it receives that status or, if the head was sent, a truncated response.
   */
  abort(reason: ExchangeError, status?: number): void {
    this.runInAsyncScope(this.#abort, this, reason, status)
  }

  #abort(reason: ExchangeError, status: number | undefined): void {
    if (status !== undefined) this.#flushStderr()
    if (this.ended) return
    const state = this.#response.abort()
    this.abortReason = reason
    rememberAbort(reason, (error) => this.connection.settings.onError(error, this))
    this.trace?.onError(reason)
    this.failInputs(reason)
    if (status !== undefined) {
      this.paramsEnded = true
      this.#response.fail(status, FCGI_REQUEST_COMPLETE, state)
    }
    this.#flushStderr()
    this.guard(() => this.onAbort?.(reason))
    this.guard(() => this.abortSignal())
    this.drained()
    this.trace?.onEnd()
  }

  /** The socket has drained. */
  drained(): void {
    const stderr = this.#stderr
    if (stderr !== undefined) this.enter(() => stderr.drained())
    this.#response.drained()?.runInAsyncScope(this.guard, this, () => this.onDrain?.())
  }

  protected enter(hook: () => void): void {
    this.runInAsyncScope(this.guard, this, hook)
  }

  // ---- for the response; see ResponseOwner ----

  get lost(): boolean {
    return this.connection.lost
  }

  get keepsContext(): boolean {
    return this.connection.keepsContext
  }

  sendHead(head: string, callback: WriteCallback | undefined): boolean {
    return this.connection.sendHead(this, head, callback)
  }

  sendStdout(head: string, body: Uint8Array | string, callback: WriteCallback | undefined): boolean {
    return this.connection.sendStdout(this, head, body, callback)
  }

  sendEnd(
    head: string,
    body: Uint8Array | string,
    protocolStatus: number,
    callback: WriteCallback | undefined,
  ): void {
    this.connection.sendEnd(this, head, body, protocolStatus, callback)
    this.abandonInputs()
  }

  truncate(): void {
    this.connection.truncate(this)
    this.abandonInputs()
  }

  guard(hook: WriteCallback, error?: Error | null): void {
    try {
      hook(error)
    } catch (error) {
      if (this.aborted) this.connection.settings.onError(error, this)
      else this.fail(error)
    }
  }

  #flushStderr(): void {
    const stderr = this.#stderr
    if (stderr !== undefined) this.guard(() => stderr.flush())
  }

  // Keep the order: send batched STDOUT first.
  #sendStderr(content: Uint8Array): boolean {
    this.#response.sendBatch()
    return this.connection.sendStderr(this.requestId, content)
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof RequestError)) return describeError(error)
  return `Request refused with status ${error.status} (${error.code}): ${error.message}`
}

// An app that reads an incomplete request body fails with the body's error. If the body is too short or too large, that is the
// client's fault, so the status is a 4xx.
function statusOf(error: unknown): number {
  const isBody =
    error instanceof ExchangeError &&
    (error.code === 'FCGI_ERR_BODY_LENGTH' || error.code === 'FCGI_ERR_BODY_TOO_LARGE')
  return isBody ? error.status : 500
}
