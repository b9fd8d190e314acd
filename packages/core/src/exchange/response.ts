import { AsyncResource } from 'node:async_hooks'
import { isUint8Array } from 'node:util/types'
import { bodyAllowed, encodeResponseHead } from '../cgi/response-head.ts'
import { FCGI_OVERLOADED, FCGI_REQUEST_COMPLETE } from '../protocol/constants.ts'
import { toLatin1 } from '../protocol/latin1.ts'
import { describeError, ExchangeError } from './error.ts'
import type { Role, WriteCallback } from './exchange.ts'
import type { ExchangeTrace } from './exchange-channel.ts'

/**
 * How far a response is:
 *
 * - `no-head`: `writeHead` has not been called.
 * - `head-set`: the head is encoded and waits for the first write, `flush` or `end`. The server can still replace it by an error.
 * - `streaming`: the head has been sent. A failure can only be shown by cutting the response.
 * - `ended`: the last byte has been given to the connection.
 * - `aborted`: the front server, or the server, gave the request up. Nothing more is sent.
 */
export type ResponseState = 'no-head' | 'head-set' | 'streaming' | 'ended' | 'aborted'

/** What a {@link ExchangeResponse} needs of its exchange. */
export interface ResponseOwner {
  readonly role: Role
  readonly method: string
  /** The method, as far as PARAMS have been read. */
  readonly knownMethod: string | undefined
  readonly abortReason: ExchangeError | undefined
  /** The connection is gone: what the socket still held was not sent. */
  readonly lost: boolean
  /** The callback of the next write runs in the write's own async context. */
  readonly keepsContext: boolean
  /** Undefined if nobody observes the exchange. */
  readonly trace: ExchangeTrace | undefined
  /** Sends the head before there is any body. False asks to wait for {@link ExchangeResponse.drained}. */
  sendHead(head: string, callback: WriteCallback | undefined): boolean
  /** Sends STDOUT. False asks to wait for {@link ExchangeResponse.drained}. */
  sendStdout(head: string, body: Uint8Array | string, callback: WriteCallback | undefined): boolean
  /** Sends the last STDOUT and END_REQUEST. */
  sendEnd(
    head: string,
    body: Uint8Array | string,
    protocolStatus: number,
    callback: WriteCallback | undefined,
  ): void
  /** Ends the request so that the front server sees that it failed. */
  cut(): void
  /** Calls code of the app. What it throws is a failure of this exchange and of no other. */
  guard(hook: () => void): void
}

const EMPTY = Buffer.alloc(0)
const TEXT_PLAIN: readonly string[] = ['Content-Type', 'text/plain; charset=utf-8']

// Writes up to this size are batched, and a batch grows up to this size (bytes).
const SMALL_WRITE_MAX = 1024
const BATCH_MAX = 8 * 1024

/** The response of an exchange: its head and body, and what is not sent yet. */
export class ExchangeResponse {
  readonly #owner: ResponseOwner
  #state: ResponseState = 'no-head'
  // What waits to be sent, in latin1: the encoded head in state `head-set`, then the small writes of this turn.
  #unsent = ''
  #isBatching = false
  // HEAD, 204, 205 and 304 have none: what is written of one is dropped.
  #hasBody = true
  // An authorizer's whole body waits for the end, so that a later failure can still deny.
  #authorizerBody: Uint8Array[] | undefined
  // The async context of the write that returned false. `onDrain` runs in it, as 'drain' does with Node's HTTP server.
  #waitingWriter: AsyncResource | undefined

  constructor(owner: ResponseOwner) {
    this.#owner = owner
  }

  /** `writeHead` was called, or the first write stood in for it. */
  get headSent(): boolean {
    return this.#state !== 'no-head' && this.#state !== 'aborted'
  }

  get needDrain(): boolean {
    return this.#waitingWriter !== undefined
  }

  /** Nothing more is sent. */
  get ended(): boolean {
    return this.#state === 'ended' || this.#state === 'aborted'
  }

  writeHead(status: number, headers: readonly string[], reason: string | undefined): void {
    // The server may have responded for the app, after a time-out: the app does not have to know.
    if (this.ended) return
    if (this.#state !== 'no-head')
      throw new Error('The response head was set already: writeHead is called once.')
    this.#unsent = encodeResponseHead(status, headers, reason)
    this.#hasBody = bodyAllowed(this.#owner.role === 'authorizer' ? 'GET' : this.#owner.method, status)
    this.#state = 'head-set'
    const { trace } = this.#owner
    if (trace !== undefined) trace.status = status
  }

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

  flush(): void {
    if (this.#owner.role === 'authorizer') return
    if (this.#state === 'head-set') this.#send(EMPTY, undefined)
    else this.sendBatch()
  }

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
   * Responds for the app, with `status` and its reason as text, or, if the head was sent, cuts the response. A `protocolStatus`
   * other than FCGI_REQUEST_COMPLETE has a whole response, too: front servers ignore a bare one. `state` is the state before
   * {@link abort}.
   */
  fail(status: number, protocolStatus: number, state: ResponseState = this.#state): void {
    if (state === 'streaming') {
      if (this.#unsent !== '') this.#send(EMPTY, undefined)
      this.#state = 'ended'
      this.#owner.cut()
      this.#owner.trace?.onEnd()
      return
    }
    const headers = protocolStatus === FCGI_OVERLOADED ? [...TEXT_PLAIN, 'Retry-After', '1'] : TEXT_PLAIN
    const head = encodeResponseHead(status, headers)
    this.#unsent = head
    const text = `${head.slice('Status: '.length, head.indexOf('\r'))}\n`
    // An unread request may be a HEAD: H2O would send its client a body, and HAProxy a 502.
    const method = this.#owner.knownMethod ?? 'HEAD'
    const body = method === 'HEAD' ? EMPTY : text
    this.#owner.trace?.onReplaced(status, body)
    this.#finish(body, protocolStatus, undefined)
  }

  /** From now on nothing of the app is sent. Returns the state until now. */
  abort(): ResponseState {
    const state = this.#state
    this.#state = 'aborted'
    return state
  }

  /** Sends the small writes of this turn. */
  sendBatch(): void {
    if (this.#state === 'streaming' && this.#unsent !== '') this.#send(EMPTY, undefined)
  }

  /** The turn of the event loop in which a small write was sent is over. */
  endTurn(): void {
    this.#isBatching = false
    this.sendBatch()
  }

  /** The socket takes bytes again. Returns the async context of the writer that waits for that, if there is one. */
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

  // The first small write of a turn is sent at once and the others together: a record and a write for each would cost more
  // than twice as much.
  #batch(chunk: Uint8Array | string): boolean {
    if (chunk.length > SMALL_WRITE_MAX || this.#unsent.length >= BATCH_MAX) return false
    if (!this.#isBatching) {
      this.#isBatching = true
      process.nextTick(endTurn, this)
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
    // Writes that wait in the socket are sent together. Their callbacks run in the context of the request that wrote last.
    const context = new AsyncResource('FCGI_WRITE')
    return (error) => context.runInAsyncScope(this.#sent, this, callback, error)
  }

  // Node reports no error for data that a socket still held when it was destroyed.
  #sent(callback: WriteCallback, error: Error | null | undefined): void {
    const reason =
      error ??
      (this.#owner.lost
        ? new ExchangeError('FCGI_ERR_CONNECTION_CLOSED', 'The connection broke while this was being sent.')
        : undefined)
    this.#owner.guard(() => callback(reason))
  }

  #refuseWrite(callback: WriteCallback | undefined): boolean {
    if (callback !== undefined) {
      const error =
        this.#owner.abortReason ??
        new ExchangeError('FCGI_ERR_ENDED', 'Written after the end of the response.')
      this.#callLater(callback, error)
    }
    return false
  }

  #callLater(callback: WriteCallback, error?: Error): void {
    process.nextTick(() => this.#owner.guard(() => callback(error)))
  }
}

function endTurn(response: ExchangeResponse): void {
  response.endTurn()
}

/** Throws a TypeError, before anything is sent, for what cannot be part of a body. */
export function checkChunk(chunk: unknown): void {
  if (typeof chunk !== 'string' && !isUint8Array(chunk)) {
    throw new TypeError(`A response body takes strings and Uint8Arrays, not ${describeError(chunk)}.`)
  }
}
