import { AsyncResource } from 'node:async_hooks'
import { isUint8Array } from 'node:util/types'
import { bodyAllowed, encodeResponseHead } from '../cgi/response-head.ts'
import { FCGI_OVERLOADED, FCGI_REQUEST_COMPLETE } from '../protocol/constants.ts'
import { toLatin1 } from '../protocol/latin1.ts'
import { describeError, ExchangeError } from './error.ts'
import type { Role, WriteCallback } from './exchange.ts'
import type { ExchangeTrace } from './exchange-channel.ts'

/**
 * The state of a response:
 *
 * - `no-head`: `writeHead` has not been called.
 * - `head-set`: the head is encoded and is sent with the first write, `flush` or `end`. The server can still replace it by an error.
 * - `streaming`: the head has been sent. To show a failure, the server must truncate the response.
 * - `ended`: the last byte has been passed to the connection.
 * - `aborted`: the front server or this server aborted the request. Nothing more is sent.
 */
export type ResponseState = 'no-head' | 'head-set' | 'streaming' | 'ended' | 'aborted'

/** What an {@link ExchangeResponse} needs from its exchange. */
export interface ResponseOwner {
  readonly role: Role
  readonly method: string
  /** REQUEST_METHOD; undefined before the params have been read. */
  readonly knownMethod: string | undefined
  readonly abortReason: ExchangeError | undefined
  /** The socket is destroyed, and the data it still buffered was lost. */
  readonly lost: boolean
  /** The socket will call the callback of the next write in the async context of that write. */
  readonly keepsContext: boolean
  /** Undefined if nobody observes the exchange. */
  readonly trace: ExchangeTrace | undefined
  /** Sends the head without a body. Returns false if the app should wait for {@link ExchangeResponse.drained}. */
  sendHead(head: string, callback: WriteCallback | undefined): boolean
  /** Sends STDOUT. Returns false if the app should wait for {@link ExchangeResponse.drained}. */
  sendStdout(head: string, body: Uint8Array | string, callback: WriteCallback | undefined): boolean
  /** Sends the last STDOUT and END_REQUEST. */
  sendEnd(
    head: string,
    body: Uint8Array | string,
    protocolStatus: number,
    callback: WriteCallback | undefined,
  ): void
  /** Ends an incomplete response in a way that the front server sees as a failure. */
  truncate(): void
  /** Calls code of the app, which gets `error`. If it throws, this exchange fails, and no other. */
  guard(hook: WriteCallback, error?: Error | null): void
}

const EMPTY = Buffer.alloc(0)
const TEXT_PLAIN: readonly string[] = ['Content-Type', 'text/plain; charset=utf-8']

// Chunks up to this size (bytes) are batched.
const SMALL_WRITE_MAX = 1024

// A batch of this size (bytes) is sent at once.
const BATCH_MAX = 8 * 1024

/** The response of an exchange: its state, and the output that is not sent yet. */
export class ExchangeResponse {
  readonly #owner: ResponseOwner
  #state: ResponseState = 'no-head'
  // Output that is not sent yet, in latin1: the encoded head in state `head-set`, then the batched chunks of this tick.
  #unsent = ''
  #isBatching = false
  // False for HEAD, 204, 205 and 304: body chunks are dropped.
  #hasBody = true
  // The body of an authorizer is buffered until the end, so that a later failure can still deny the request.
  #authorizerBody: Uint8Array[] | undefined
  // The async context of the write that returned false. `onDrain` runs in it, like 'drain' of Node's HTTP server.
  #waitingWriter: AsyncResource | undefined

  constructor(owner: ResponseOwner) {
    this.#owner = owner
  }

  /** See {@link Exchange.headSent}. */
  get headSent(): boolean {
    return this.#state !== 'no-head' && this.#state !== 'aborted'
  }

  /** See {@link Exchange.writableNeedDrain}. */
  get needDrain(): boolean {
    return this.#waitingWriter !== undefined
  }

  /** See {@link Exchange.ended}. */
  get ended(): boolean {
    return this.#state === 'ended' || this.#state === 'aborted'
  }

  /** See {@link Exchange.writeHead}. */
  writeHead(status: number, headers: readonly string[], reason: string | undefined): void {
    // The server may have responded instead of the app, for example after a time-out. The app need not check for that.
    if (this.ended) return
    if (this.#state !== 'no-head')
      throw new Error(
        'The response head is already set. Call writeHead only once, and before the first write.',
      )
    this.#unsent = encodeResponseHead(status, headers, reason)
    this.#hasBody = bodyAllowed(this.#owner.role === 'authorizer' ? 'GET' : this.#owner.method, status)
    this.#state = 'head-set'
    const { trace } = this.#owner
    if (trace !== undefined) trace.status = status
  }

  /** See {@link Exchange.write}. */
  write(chunk: Uint8Array | string, callback: WriteCallback | undefined): boolean {
    checkChunk(chunk)
    if (this.ended) return this.#refuseWrite(callback)
    if (this.#state === 'no-head') this.writeHead(200, [], undefined)
    const body = this.#hasBody ? chunk : EMPTY
    this.#owner.trace?.onBody(body)
    if (this.#owner.role !== 'authorizer') return this.#send(body, callback)
    this.#authorizerBody ??= []
    this.#authorizerBody.push(Buffer.from(body as string))
    if (callback !== undefined) this.#callLater(callback)
    return true
  }

  /** See {@link Exchange.flush}. */
  flush(): void {
    if (this.#owner.role === 'authorizer') return
    if (this.#state === 'head-set') this.#send(EMPTY, undefined)
    else this.sendBatch()
  }

  /** See {@link Exchange.end}. */
  end(chunk: Uint8Array | string, callback: WriteCallback | undefined): void {
    if (this.ended) {
      this.#refuseWrite(callback)
      return
    }
    if (this.#state === 'no-head') this.writeHead(200, [], undefined)
    let body = this.#hasBody ? chunk : EMPTY
    this.#owner.trace?.onBody(body)
    if (this.#authorizerBody !== undefined) {
      body = Buffer.concat([...this.#authorizerBody, Buffer.from(body as string)])
    }
    this.#finish(body, FCGI_REQUEST_COMPLETE, callback)
  }

  /**
   * Responds with `status` and its reason phrase instead of the app. If the head was sent, truncates the response instead. A
   * `protocolStatus` other than FCGI_REQUEST_COMPLETE is sent with a whole response, too, because front servers ignore a protocol
   * status alone. `state` is the state before {@link abort}.
   */
  fail(status: number, protocolStatus: number, state: ResponseState = this.#state): void {
    if (state === 'streaming') {
      if (this.#unsent !== '') this.#send(EMPTY, undefined)
      this.#state = 'ended'
      this.#owner.truncate()
      this.#owner.trace?.onEnd()
      return
    }
    const headers = protocolStatus === FCGI_OVERLOADED ? [...TEXT_PLAIN, 'Retry-After', '1'] : TEXT_PLAIN
    const head = encodeResponseHead(status, headers)
    this.#unsent = head
    const text = `${head.slice('Status: '.length, head.indexOf('\r'))}\n`
    // If the method is unknown, it may be HEAD. If a HEAD got a body, H2O would pass it on, and HAProxy would respond with 502.
    const method = this.#owner.knownMethod ?? 'HEAD'
    const body = method === 'HEAD' ? EMPTY : text
    this.#owner.trace?.onReplaced(status, body)
    this.#finish(body, protocolStatus, undefined)
  }

  /** Stops all output of the app. Returns the state before the abort. */
  abort(): ResponseState {
    const state = this.#state
    this.#state = 'aborted'
    return state
  }

  /** Sends the batched chunks. */
  sendBatch(): void {
    if (this.#state === 'streaming' && this.#unsent !== '') this.#send(EMPTY, undefined)
  }

  /** Ends the event loop tick in which a small chunk was sent: sends the batched chunks. */
  endTick(): void {
    this.#isBatching = false
    this.sendBatch()
  }

  /** The socket has drained. Returns the async context of the write that returned false, if there was one. */
  drained(): AsyncResource | undefined {
    const writer = this.#waitingWriter
    this.#waitingWriter = undefined
    return writer
  }

  #send(chunk: Uint8Array | string, callback: WriteCallback | undefined): boolean {
    if (callback === undefined && chunk.length > 0 && this.#batch(chunk)) return !this.needDrain
    const head = this.#unsent
    const isHeadAlone = this.#state === 'head-set' && chunk.length === 0
    if (this.#state === 'head-set') this.#owner.trace?.onHead()
    this.#unsent = ''
    this.#state = 'streaming'
    if (head === '' && chunk.length === 0) {
      if (callback !== undefined) this.#callLater(callback)
      return !this.needDrain
    }
    const onSent = callback && this.#toSent(callback)
    const more = isHeadAlone
      ? this.#owner.sendHead(head, onSent)
      : this.#owner.sendStdout(head, chunk, onSent)
    if (!more) this.#waitingWriter ??= new AsyncResource('FCGI_DRAIN')
    return more
  }

  // Returns true if `chunk` was added to the batch. The first small chunk of a tick is sent at once, and the others together:
  // a record and a write for each would cost more than twice as much.
  #batch(chunk: Uint8Array | string): boolean {
    if (chunk.length > SMALL_WRITE_MAX || this.#unsent.length >= BATCH_MAX) return false
    if (!this.#isBatching) {
      this.#isBatching = true
      process.nextTick(endTick, this)
      return false
    }
    const text = toLatin1(chunk)
    if (text === undefined) return false
    this.#unsent += text
    return true
  }

  #finish(body: Uint8Array | string, protocolStatus: number, callback: WriteCallback | undefined): void {
    const head = this.#unsent
    this.#unsent = ''
    if (this.#state !== 'streaming') this.#owner.trace?.onHead()
    this.#state = 'ended'
    this.#owner.sendEnd(head, body, protocolStatus, callback && this.#toSent(callback))
    this.#owner.trace?.onEnd()
  }

  #toSent(callback: WriteCallback): WriteCallback {
    if (this.#owner.keepsContext) return (error) => this.#sent(callback, error)
    // The socket sends buffered writes together, and calls all their callbacks in the context of the request that wrote last.
    const context = new AsyncResource('FCGI_WRITE')
    return (error) => context.runInAsyncScope(this.#sent, this, callback, error)
  }

  // Node reports no error for data that a socket still buffered when it was destroyed.
  #sent(callback: WriteCallback, error: Error | null | undefined): void {
    const reason =
      error ??
      (this.#owner.lost
        ? new ExchangeError('FCGI_ERR_CONNECTION_CLOSED', 'The connection closed before this chunk was sent.')
        : undefined)
    this.#owner.guard(callback, reason)
  }

  #refuseWrite(callback: WriteCallback | undefined): boolean {
    if (callback !== undefined) {
      const error =
        this.#owner.abortReason ??
        new ExchangeError(
          'FCGI_ERR_ENDED',
          'The response has already ended. Do not write after end() or fail().',
        )
      this.#callLater(callback, error)
    }
    return false
  }

  #callLater(callback: WriteCallback, error?: Error): void {
    process.nextTick(() => this.#owner.guard(callback, error))
  }
}

function endTick(response: ExchangeResponse): void {
  response.endTick()
}

/** Throws a TypeError if `chunk` is neither a string nor a Uint8Array. */
export function checkChunk(chunk: unknown): void {
  if (typeof chunk !== 'string' && !isUint8Array(chunk)) {
    throw new TypeError(
      `A chunk of a response body must be a string or a Uint8Array, not ${describeError(chunk)}.`,
    )
  }
}
