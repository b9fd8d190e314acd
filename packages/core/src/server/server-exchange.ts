import type { Writable } from 'node:stream'
import { isUint8Array } from 'node:util/types'
import { RequestError } from '../cgi/error.ts'
import { Params } from '../cgi/params.ts'
import { createRequest } from '../cgi/request.ts'
import { checkRequest, RequestHead } from '../cgi/request-head.ts'
import { bodyAllowed, encodeResponseHead } from '../cgi/response-head.ts'
import { FCGI_OVERLOADED, FCGI_REQUEST_COMPLETE } from '../protocol/constants.ts'
import { createBody } from './body.ts'
import { describeError, ExchangeError } from './error.ts'
import type { Exchange, Role } from './exchange.ts'
import { GatheredParams } from './gathered-params.ts'
import { type InputOwner, InputQueue } from './input.ts'
import { toLatin1, type WriteCallback } from './output.ts'
import { StderrStream } from './stderr.ts'

/** What an exchange asks of the connection that carries it. */
export interface ExchangeCarrier {
  readonly settings: ExchangeSettings
  /** The server's count of seconds. */
  readonly tick: number
  /** The socket is gone, or about to be: what it still held was lost. */
  readonly lost: boolean
  /** A reader took bytes, or the rest is not wanted: reading may go on. */
  onInputConsumed(): void
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
export interface ExchangeSettings {
  readonly maxParamsBytes: number
  readonly maxParamsCount: number
  readonly maxHeaderBytes: number
  readonly maxBodyBytes: number
  readonly maxStderrBytes: number
  /** Finds the mount: cgi/mount.ts with the server's option. */
  findMount(params: Params, target: string): string
  onError(error: unknown, exchange: Exchange): void
  /** Keeps the server from closing until `promise`, which does not reject, has settled. */
  waitUntil(promise: Promise<unknown>): void
}

const EMPTY = Buffer.alloc(0)
const TEXT_PLAIN: readonly string[] = ['Content-Type', 'text/plain; charset=utf-8']

// Small writes are up to this long, and gathered up to this much (bytes).
const GATHERED_CHUNK_MAX = 1024
const GATHERED_MAX = 8 * 1024

/** The exchange as the server sees it; apps see {@link Exchange}. */
export class ServerExchange implements Exchange, InputOwner {
  readonly requestId: number
  readonly role: Role
  readonly keepConn: boolean
  appStatus = 0
  onDrain: (() => void) | undefined = undefined
  onAbort: ((reason: ExchangeError) => void) | undefined = undefined

  /** All of STDIN has come in, or none will. Section 6.3: an authorizer has none; and some servers never end it. */
  stdinEnded: boolean
  /** PARAMS are over, or no more of them are wanted: the handler is called, or the request was refused. */
  begun = false
  /** Runs while a body is waited for behind the end of its stream. */
  missingBodyTimer: NodeJS.Timeout | undefined
  /** It counts as one of the server's running requests. */
  admitted = false
  /** When the exchange began, and when input last came in, in ticks of the server's sweep. */
  beganTick = 0
  inputTick = 0

  readonly #carrier: ExchangeCarrier
  readonly #stdin: InputQueue
  #data: InputQueue | undefined

  readonly #gathered = new GatheredParams()
  #params: Params | undefined
  #head: RequestHead | undefined
  #mount: string | undefined
  #request: Request | undefined
  #stderr: StderrStream | undefined
  #controller: AbortController | undefined
  #abortReason: ExchangeError | undefined

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

  constructor(carrier: ExchangeCarrier, requestId: number, role: Role, keepConn: boolean) {
    this.#carrier = carrier
    this.requestId = requestId
    this.role = role
    this.keepConn = keepConn
    this.stdinEnded = role === 'authorizer'
    this.#stdin = new InputQueue(this, false)
    if (role === 'filter') this.#data = new InputQueue(this, true)
  }

  // ---- what was asked ----

  get params(): Readonly<Record<string, string>> {
    return this.#cgi.toRecord()
  }

  get rawParams(): readonly string[] {
    return this.#cgi.toList()
  }

  param(name: string): string | undefined {
    return this.#cgi.get(name)
  }

  get method(): string {
    return this.#http.method
  }

  get target(): string {
    return this.#http.target
  }

  get url(): string {
    return this.#http.url
  }

  get scheme(): 'http' | 'https' {
    return this.#http.scheme
  }

  get authority(): string {
    return this.#http.authority
  }

  get headers(): readonly string[] {
    return this.#http.headers
  }

  get mount(): string {
    this.#mount ??= this.#carrier.settings.findMount(this.#cgi, this.target)
    return this.#mount
  }

  get contentLength(): number | undefined {
    return this.#http.contentLength
  }

  get remoteAddress(): string | undefined {
    return this.param('REMOTE_ADDR') || undefined
  }

  get remotePort(): number | undefined {
    return Number(this.param('REMOTE_PORT')) || undefined
  }

  get request(): Request {
    this.#request ??= createRequest(this.#http, () => createBody(this.#stdin), this.signal)
    return this.#request as Request
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason)
    }
    return this.#controller.signal
  }

  get stdin(): InputQueue {
    return this.#stdin
  }

  get data(): InputQueue {
    if (this.#data === undefined) {
      this.#data = new InputQueue(this, true)
      this.#data.expect(0, 0)
    }
    return this.#data
  }

  // ---- output ----

  get headSent(): boolean {
    return this.#headSent
  }

  get writableNeedDrain(): boolean {
    return this.#needDrain
  }

  get aborted(): boolean {
    return this.#abortReason !== undefined
  }

  get ended(): boolean {
    return this.#ended
  }

  get stderr(): Writable {
    this.#stderr ??= new StderrStream(
      (content) => this.#ended || this.#sendStderr(content),
      this.#carrier.settings.maxStderrBytes,
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
    if (this.#abortReason !== undefined) return
    this.#flushStderr()
    if (!this.#ended) this.#sendStderr(Buffer.from(`${describeError(error)}\n`))
    this.#carrier.settings.onError(error, this)
    if (this.#ended) return
    if (this.#flushed) {
      this.#sendGathered()
      this.#ended = true
      this.#carrier.cut(this)
      this.#abandonInput()
    } else {
      this.respond(statusOf(error))
    }
  }

  waitUntil(promise: PromiseLike<unknown>): void {
    const { settings } = this.#carrier
    settings.waitUntil(Promise.resolve(promise).catch((error: unknown) => settings.onError(error, this)))
  }

  // ---- the connection's side ----

  /** What waits in its inputs, in bytes. */
  get queuedBytes(): number {
    return this.#stdin.queuedBytes + (this.#data?.queuedBytes ?? 0)
  }

  /** All that belongs to the request has come in. */
  get inputComplete(): boolean {
    return this.begun && (this.stdinEnded || this.#stdin.complete) && (this.#data?.complete ?? true)
  }

  /** Takes a piece of PARAMS; answers 431 when they grow past the limit. */
  pushParams(chunk: Buffer, start: number, end: number): void {
    if (this.#gathered.length + end - start > this.#carrier.settings.maxParamsBytes) this.respond(431)
    else this.#gathered.push(chunk, start, end)
  }

  /** The chunk that its PARAMS came in is about to be used again. */
  keepParams(): void {
    if (!this.begun) this.#gathered.keep()
  }

  /** PARAMS are over: reads and checks them. False when the request was refused, and with that answered. */
  begin(): boolean {
    this.begun = true
    try {
      checkRequest(this.#http)
      const { maxBodyBytes } = this.#carrier.settings
      if (this.role === 'authorizer') {
        this.#stdin.expect(0, 0)
      } else {
        const { contentLength } = this.#http
        if (contentLength !== undefined && contentLength > maxBodyBytes) {
          this.respond(413)
          return false
        }
        this.#stdin.expect(contentLength, maxBodyBytes)
      }
      this.#data?.expect(this.#dataLength(), Number.POSITIVE_INFINITY)
      return true
    } catch (error) {
      // Params that can not be read are none, for whoever is told of the error.
      this.#params ??= new Params(EMPTY)
      this.respond(error instanceof RequestError ? error.status : 400)
      this.#carrier.settings.onError(error, this)
      return false
    }
  }

  /** Refuses with a whole response: real servers take no notice of a protocolStatus without one. */
  respond(status: number, protocolStatus: number = FCGI_REQUEST_COMPLETE): void {
    this.begun = true
    const headers = protocolStatus === FCGI_OVERLOADED ? [...TEXT_PLAIN, 'Retry-After', '1'] : TEXT_PLAIN
    this.#held = encodeResponseHead(status, headers)
    this.#headSent = true
    const text = `${this.#held.slice('Status: '.length, this.#held.indexOf('\r'))}\n`
    // Before the params are there it may be a HEAD request: H2O sends the client a body, HAProxy a 502.
    const method = this.#params?.get('REQUEST_METHOD') ?? 'HEAD'
    this.#finish(method === 'HEAD' ? EMPTY : text, protocolStatus)
  }

  /**
   * The front server gave up, or the server does: one event everywhere. With `status` the front server still
   * waits: it is answered with that, or, where the answer has begun, shown that it failed.
   */
  abort(reason: ExchangeError, status?: number): void {
    if (status !== undefined) this.#flushStderr()
    if (this.#ended) return
    this.#ended = true
    this.#abortReason = reason
    this.#stdin.fail(reason)
    this.#data?.fail(reason)
    if (status !== undefined) {
      if (!this.#flushed) this.respond(status)
      else {
        this.#sendGathered()
        this.#carrier.cut(this)
      }
    }
    this.#flushStderr()
    this.#guard(() => this.onAbort?.(reason))
    this.#guard(() => this.#controller?.abort(reason))
    this.drained()
  }

  onInputConsumed(): void {
    // A reader that was slow is no sender that was.
    this.inputTick = this.#carrier.tick
    this.#carrier.onInputConsumed()
  }

  onListenerError(error: unknown): void {
    this.fail(error)
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
      if (this.#abortReason === undefined) this.fail(error)
      else this.#carrier.settings.onError(error, this)
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
    const more = this.#carrier.sendStdout(this, head, chunk, callback && this.#toSent(callback))
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
    return this.#carrier.sendStderr(this.requestId, content)
  }

  #finish(body: Uint8Array | string, protocolStatus: number, callback?: WriteCallback): void {
    const head = this.#held
    this.#held = ''
    this.#flushed = true
    this.#ended = true
    this.#carrier.sendEnd(this, head, body, protocolStatus, callback && this.#toSent(callback))
    this.#abandonInput()
  }

  #abandonInput(): void {
    this.#stdin.abandon()
    this.#data?.abandon()
  }

  // Of what a socket held when it was destroyed Node says that it was written.
  #toSent(callback: WriteCallback): WriteCallback {
    return (error) => {
      const reason =
        error ??
        (this.#carrier.lost
          ? new ExchangeError('FCGI_ERR_CONNECTION_CLOSED', 'The connection broke while this was being sent.')
          : undefined)
      this.#guard(() => callback(reason))
    }
  }

  #refuseWrite(callback: WriteCallback | undefined): boolean {
    if (callback !== undefined) {
      const error =
        this.#abortReason ?? new ExchangeError('FCGI_ERR_ENDED', 'Written after the end of the answer.')
      this.#callLater(callback, error)
    }
    return false
  }

  #callLater(callback: WriteCallback, error?: Error): void {
    process.nextTick(() => this.#guard(() => callback(error)))
  }

  #dataLength(): number | undefined {
    const text = this.#cgi.get('FCGI_DATA_LENGTH')
    if (!text) return undefined
    const length = Number(text)
    if (/^\d+$/.test(text) && Number.isSafeInteger(length)) return length
    throw new RequestError(400, 'FCGI_ERR_BODY_LENGTH', 'FCGI_DATA_LENGTH is no length.')
  }

  get #cgi(): Params {
    if (this.#params === undefined) {
      const { maxParamsCount: maxCount, maxHeaderBytes } = this.#carrier.settings
      const limits = { maxCount, maxHeaderBytes }
      this.#params = this.#gathered.take((block, start, end) => new Params(block, start, end, limits))
    }
    return this.#params
  }

  get #http(): RequestHead {
    this.#head ??= new RequestHead(this.#cgi)
    return this.#head
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
