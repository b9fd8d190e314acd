import { AsyncResource } from 'node:async_hooks'
import { RequestError } from '../cgi/error.ts'
import { Params } from '../cgi/params.ts'
import { createRequest } from '../cgi/request.ts'
import { checkRequest, RequestHead } from '../cgi/request-head.ts'
import { createBody } from './body.ts'
import type { ExchangeError } from './error.ts'
import type { Role } from './exchange.ts'
import { GatheredParams } from './gathered-params.ts'
import { type InputOwner, InputQueue } from './input.ts'

/** What a request asks of the connection that it comes in on. */
export interface RequestCarrier {
  readonly settings: RequestSettings
  /** The server's count of seconds. */
  readonly tick: number
  /** A reader took bytes, or the rest is not wanted: reading may go on. */
  onInputConsumed(): void
}

/** What the server's options say about what comes in. */
export interface RequestSettings {
  readonly maxParamsBytes: number
  readonly maxParamsCount: number
  readonly maxHeaderBytes: number
  readonly maxBodyBytes: number
  /** Finds the mount: cgi/mount.ts with the server's option. */
  findMount(params: Params, target: string): string
}

const EMPTY = Buffer.alloc(0)

/**
 * The request half of an exchange: its params, its inputs, and what apps ask about them, made when they ask.
 *
 * It is an async resource, and the connection calls the app only within its scope. Otherwise `AsyncLocalStorage.enterWith()`
 * in one request would reach the next one: until the socket's callback returns on Node 24 and 26, for as long as the socket
 * lives on Node 20 and 22. To extend AsyncResource costs less than to hold one: 0.3 % of a small request.
 */
export abstract class IncomingRequest<C extends RequestCarrier> extends AsyncResource implements InputOwner {
  readonly requestId: number
  readonly role: Role
  readonly keepConn: boolean

  /** All of STDIN has come in, or none will. Section 6.3: an authorizer has none; and some servers never end it. */
  stdinEnded: boolean
  /** PARAMS are over, or no more of them are wanted: the handler is called, or the request was refused. */
  begun = false
  /** Runs while a body is waited for behind the end of its stream. */
  missingBodyTimer: NodeJS.Timeout | undefined
  /** When the exchange began, and when input last came in, in ticks of the server's sweep. */
  beganTick = 0
  inputTick = 0

  protected abortReason: ExchangeError | undefined

  readonly #carrier: C
  readonly #stdin: InputQueue
  #data: InputQueue | undefined
  readonly #gathered = new GatheredParams()
  #params: Params | undefined
  #head: RequestHead | undefined
  #mount: string | undefined
  #request: Request | undefined
  #controller: AbortController | undefined

  constructor(carrier: C, requestId: number, role: Role, keepConn: boolean) {
    super('FCGI_EXCHANGE')
    this.#carrier = carrier
    this.requestId = requestId
    this.role = role
    this.keepConn = keepConn
    this.stdinEnded = role === 'authorizer'
    this.#stdin = new InputQueue(this, false)
    if (role === 'filter') this.#data = new InputQueue(this, true)
  }

  /** Answers with no more than a status. */
  abstract respond(status: number): void
  /** Answers a request that can not be understood, because of `error`. */
  protected abstract refuse(error: unknown): void
  /** What the app did has failed. */
  abstract fail(error: unknown): void
  /** Calls a hook of the app in this request's async context. What it throws is this request's failure. */
  protected abstract enter(hook: () => void): void

  // ---- what apps ask ----

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
      if (this.abortReason !== undefined) this.#controller.abort(this.abortReason)
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

  get aborted(): boolean {
    return this.abortReason !== undefined
  }

  // ---- the connection's side ----

  /** The length of its PARAMS so far, in bytes. */
  get paramsBytes(): number {
    return this.#gathered.length
  }

  /** What waits in its inputs, in bytes. */
  get queuedBytes(): number {
    return this.#stdin.queuedBytes + (this.#data?.queuedBytes ?? 0)
  }

  /** Bytes of its inputs that have come in. */
  get bytesIn(): number {
    return this.#stdin.received + (this.#data?.received ?? 0)
  }

  /** Params that have not come whole are none from now on. */
  settleParams(): void {
    this.#params ??= new Params(EMPTY)
  }

  /** All that belongs to the request has come in. */
  get inputComplete(): boolean {
    return this.begun && (this.stdinEnded || this.#stdin.complete) && (this.#data?.complete ?? true)
  }

  /** Takes a piece of PARAMS. False when they grow past the limit: it is answered with 431. */
  pushParams(chunk: Buffer, start: number, end: number): boolean {
    if (this.paramsBytes + end - start > this.#carrier.settings.maxParamsBytes) {
      this.respond(431)
      return false
    }
    this.#gathered.push(chunk, start, end)
    return true
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
      // `onError` gets this exchange, and may read its params.
      this.settleParams()
      this.refuse(error)
      return false
    }
  }

  onInputConsumed(): void {
    // A reader that was slow is no sender that was.
    this.inputTick = this.#carrier.tick
    this.#carrier.onInputConsumed()
  }

  callListener(listener: () => void): void {
    this.enter(listener)
  }

  // ---- the answer's side ----

  protected get carrier(): C {
    return this.#carrier
  }

  /** REQUEST_METHOD, if PARAMS have been read. */
  protected get knownMethod(): string | undefined {
    return this.#params?.get('REQUEST_METHOD')
  }

  /** Readers learn that the rest can not be had. */
  protected failInputs(reason: ExchangeError): void {
    this.#stdin.fail(reason)
    this.#data?.fail(reason)
  }

  /** The answer is over: what nobody has asked for by now is dropped. */
  protected abandonInputs(): void {
    this.#stdin.abandon()
    this.#data?.abandon()
  }

  protected abortSignal(): void {
    this.#controller?.abort(this.abortReason)
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
