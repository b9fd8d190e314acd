import type { Writable } from 'node:stream'
import { RequestError } from '../cgi/error.ts'
import { Params } from '../cgi/params.ts'
import { createRequest } from '../cgi/request.ts'
import { checkRequest, RequestHead } from '../cgi/request-head.ts'
import { bodyAllowed, encodeResponseHead } from '../cgi/response-head.ts'
import { FCGI_OVERLOADED, FCGI_REQUEST_COMPLETE } from '../protocol/constants.ts'
import { createBody } from './body.ts'
import { ExchangeError } from './error.ts'
import { type Input, type InputOwner, InputQueue } from './input.ts'
import type { WriteCallback } from './output.ts'
import { StderrStream } from './stderr.ts'

/** What the front server wants of the application (section 6). */
export type Role = 'responder' | 'authorizer' | 'filter'

/**
 * One request, from BEGIN_REQUEST to END_REQUEST: what a {@link Handler} is given. Everything that costs is
 * built on first use.
 */
export interface Exchange {
  /** The request's id on its connection (section 3.3). */
  readonly requestId: number
  readonly role: Role
  /** The front server asked that the connection stay open (FCGI_KEEP_CONN, section 5.1). */
  readonly keepConn: boolean

  /**
   * The params (RFC 3875 section 4.1), one character a byte (latin1), on an object without prototype. Of a repeated
   * name the last wins; repeated `HTTP_*` are joined as Node joins repeated headers.
   */
  readonly params: Readonly<Record<string, string>>
  /** The params as they came: name, value, name, value … */
  readonly rawParams: readonly string[]
  /** REQUEST_METHOD. */
  readonly method: string
  /** Path and query as the client sent them, never re-encoded: `/shop/cart?x=1`; `*` is possible. */
  readonly target: string
  /** The absolute URL: scheme, authority, target. */
  readonly url: string
  readonly scheme: 'http' | 'https'
  readonly authority: string
  /** The request headers: name, value, name, value …, names in lower case, repeats kept. */
  readonly headers: readonly string[]
  /** Where the app is mounted: `''`, or the beginning of `target` that belongs to the mount, as `/shop`. */
  readonly mount: string
  /** Bytes of the body, or undefined where it is what STDIN carries. */
  readonly contentLength: number | undefined
  /** REMOTE_ADDR. */
  readonly remoteAddress: string | undefined
  /** REMOTE_PORT. */
  readonly remotePort: number | undefined
  /** The standard Request. Throws a TypeError for the methods that Request refuses (CONNECT, TRACE, TRACK). */
  readonly request: Request
  /** Aborts when the front server gives the request up, or the server cuts it. Never after the answer's end. */
  readonly signal: AbortSignal

  /** The body. */
  readonly stdin: Input
  /** The file that a filter is to filter (section 6.4); empty in other roles. */
  readonly data: Input

  /** The exit status in END_REQUEST, 0 to 2³²−1; default 0. */
  appStatus: number
  /** `writeHead` was called, or the first write stood in for it. */
  readonly headSent: boolean
  /**
   * Sets the response head, which goes out with the first write, `flush` or `end`. `headers` is name, value,
   * name, value …; hop-by-hop headers are left out. Throws if called twice, for a status outside 200 to 999,
   * and for names and values that HTTP does not allow.
   */
  writeHead(status: number, headers?: readonly string[], reason?: string): void
  /**
   * Sends body bytes (strings as UTF-8); swallows them where the answer has no body (HEAD, 204, 205, 304). False asks to wait
   * for `onDrain`. `callback` runs once the bytes are with the operating system, or with an error.
   */
  write(chunk: Uint8Array | string, callback?: WriteCallback): boolean
  /** Sends the head now. */
  flush(): void
  /** Sends what remains and END_REQUEST. Later calls are ignored. */
  end(chunk?: Uint8Array | string, callback?: WriteCallback): void
  /** `write` returned false and `onDrain` has not run since. */
  readonly writableNeedDrain: boolean
  /**
   * The app failed. Before the head has gone out the answer is a 500 that says nothing of the error; after it the request is
   * cut, so that the front server sees that it failed. The error goes to FCGI_STDERR and to the server's `onError`.
   */
  fail(error: unknown): void
  /** FCGI_STDERR: the front server's error log. */
  readonly stderr: Writable

  /** Called when writing may go on. */
  onDrain: (() => void) | undefined
  /** Called once when the exchange is aborted; not if that was before it was set: see `aborted`. */
  onAbort: ((reason: ExchangeError) => void) | undefined
  readonly aborted: boolean
  /** Nothing more goes out: `end`, `fail` or an abort came first. */
  readonly ended: boolean
}

/** Answers one request. It may return before the answer is ended; what it throws, or rejects with, is `exchange.fail(error)`. */
export type Handler = (exchange: Exchange) => void | Promise<void>

/** What an exchange asks of the connection that carries it. */
export interface ExchangeCarrier {
  readonly settings: ExchangeSettings
  /** The server's count of seconds. */
  readonly tick: number
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
  sendStderr(requestId: number, content: Uint8Array, callback?: WriteCallback): void
  /** Ends the exchange so that the front server sees it failed. */
  cut(exchange: ServerExchange): void
}

/** What the server's options say about each exchange. */
export interface ExchangeSettings {
  readonly maxParamsBytes: number
  readonly maxParamsCount: number
  readonly maxBodyBytes: number
  /** Finds the mount: cgi/mount.ts with the server's option. */
  findMount(params: Params, target: string): string
  onError(error: unknown, exchange: Exchange): void
}

const EMPTY = Buffer.alloc(0)
const TEXT_PLAIN: readonly string[] = ['Content-Type', 'text/plain; charset=utf-8']

/** The exchange as the server sees it; apps see {@link Exchange}. */
export class ServerExchange implements Exchange, InputOwner {
  readonly requestId: number
  readonly role: Role
  readonly keepConn: boolean
  appStatus = 0
  onDrain: (() => void) | undefined = undefined
  onAbort: ((reason: ExchangeError) => void) | undefined = undefined

  /** All of STDIN has come in, or none will. */
  stdinEnded = false
  /** The handler has been called (or the request refused): PARAMS are over. */
  begun = false
  /** When the exchange began, and when input last came in, in ticks of the server's sweep. */
  beganTick = 0
  inputTick = 0

  readonly #carrier: ExchangeCarrier
  readonly #stdin: InputQueue
  #data: InputQueue | undefined

  // One view while PARAMS came in one piece, which is nearly always.
  #paramsChunk: Buffer = EMPTY
  #paramsStart = 0
  #paramsEnd = 0
  #paramsPieces: Buffer[] | undefined
  #paramsBytes = 0

  #params: Params | undefined
  #head: RequestHead | undefined
  #mount: string | undefined
  #request: Request | undefined
  #stderr: StderrStream | undefined
  #controller: AbortController | undefined
  #abortReason: ExchangeError | undefined

  #headSent = false
  // The encoded head while it waits for the first write.
  #heldHead = ''
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
    return this.#cgi.get('REMOTE_ADDR') || undefined
  }

  get remotePort(): number | undefined {
    return Number(this.#cgi.get('REMOTE_PORT')) || undefined
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
    this.#stderr ??= new StderrStream((content, callback) => {
      if (this.#ended) callback()
      else this.#carrier.sendStderr(this.requestId, content, callback)
    })
    return this.#stderr
  }

  writeHead(status: number, headers: readonly string[] = [], reason?: string): void {
    if (this.#headSent) throw new Error('The response head was set already: writeHead is called once.')
    this.#heldHead = encodeResponseHead(status, headers, reason)
    this.#headSent = true
    this.#bodyless = !bodyAllowed(this.role === 'authorizer' ? 'GET' : this.method, status)
  }

  write(chunk: Uint8Array | string, callback?: WriteCallback): boolean {
    if (this.#ended) return this.#refuseWrite(callback)
    if (!this.#headSent) this.writeHead(200)
    if (this.role === 'authorizer') {
      this.#heldBody ??= []
      this.#heldBody.push(Buffer.from(chunk as string))
      if (callback !== undefined) process.nextTick(callback)
      return true
    }
    return this.#send(this.#bodyless ? EMPTY : chunk, callback)
  }

  flush(): void {
    if (this.#ended || !this.#headSent || this.role === 'authorizer') return
    if (!this.#flushed) this.#send(EMPTY, undefined)
  }

  end(chunk: Uint8Array | string = EMPTY, callback?: WriteCallback): void {
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
    if (!this.#ended) this.#carrier.sendStderr(this.requestId, Buffer.from(`${describe(error)}\n`))
    this.#carrier.settings.onError(error, this)
    if (this.#ended) return
    if (this.#flushed) {
      this.#ended = true
      this.#carrier.cut(this)
    } else {
      this.respond(500)
    }
  }

  // ---- the connection's side ----

  /** Takes a piece of PARAMS. Answers 431 and gives false when they grow past the limit. */
  pushParams(chunk: Buffer, start: number, end: number): boolean {
    this.#paramsBytes += end - start
    if (this.#paramsBytes > this.#carrier.settings.maxParamsBytes) {
      this.respond(431)
      return false
    }
    if (this.#paramsEnd === 0) {
      this.#paramsChunk = chunk
      this.#paramsStart = start
      this.#paramsEnd = end
    } else {
      this.#paramsPieces ??= [this.#paramsChunk.subarray(this.#paramsStart, this.#paramsEnd)]
      this.#paramsPieces.push(chunk.subarray(start, end))
    }
    return true
  }

  /** PARAMS are over: reads and checks them. False when the request was refused, and with that answered. */
  begin(): boolean {
    this.begun = true
    if (this.#paramsPieces !== undefined) {
      this.#paramsChunk = Buffer.concat(this.#paramsPieces)
      this.#paramsPieces = undefined
      this.#paramsStart = 0
      this.#paramsEnd = this.#paramsChunk.length
    }
    try {
      checkRequest(this.#http)
      const { maxBodyBytes } = this.#carrier.settings
      if (this.role === 'authorizer') {
        // Section 6.3: no body; and some servers never end an authorizer's STDIN.
        this.#stdin.expect(0, 0)
        this.stdinEnded = true
      } else {
        const { contentLength } = this.#http
        if (contentLength !== undefined && contentLength > maxBodyBytes) {
          this.respond(413)
          return false
        }
        this.#stdin.expect(contentLength, maxBodyBytes)
      }
      if (this.role === 'filter') {
        const length = Number(this.#cgi.get('FCGI_DATA_LENGTH') || Number.NaN)
        this.data.expect(Number.isSafeInteger(length) ? length : undefined, Number.POSITIVE_INFINITY)
      }
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
    this.#heldHead = encodeResponseHead(status, headers)
    this.#headSent = true
    const text = `${this.#heldHead.slice('Status: '.length, this.#heldHead.indexOf('\r'))}\n`
    this.#finish(this.#params?.get('REQUEST_METHOD') === 'HEAD' ? EMPTY : text, protocolStatus)
  }

  /**
   * The front server gave up, or the server does: one event everywhere. With `status` the front server still
   * waits: it is answered with that, or, where the answer has begun, shown that it failed.
   */
  abort(reason: ExchangeError, status?: number): void {
    if (this.#ended) return
    this.#ended = true
    this.#abortReason = reason
    if (status !== undefined) {
      if (this.#flushed) this.#carrier.cut(this)
      else this.respond(status)
    }
    this.#stdin.fail(reason)
    this.#data?.fail(reason)
    this.#guard(() => this.onAbort?.(reason))
    this.#guard(() => this.#controller?.abort(reason))
    if (this.#needDrain) this.drained()
  }

  onInputConsumed(): void {
    // A reader that was slow is no sender that was.
    this.inputTick = this.#carrier.tick
    this.#carrier.onInputConsumed()
  }

  onListenerError(error: unknown): void {
    this.fail(error)
  }

  /** The socket takes bytes again. */
  drained(): void {
    if (!this.#needDrain) return
    this.#needDrain = false
    this.#guard(() => this.onDrain?.())
  }

  // A hook of the app that throws must not take the connection's other requests with it.
  #guard(hook: () => void): void {
    try {
      hook()
    } catch (error) {
      this.#carrier.settings.onError(error, this)
    }
  }

  #send(chunk: Uint8Array | string, callback: WriteCallback | undefined): boolean {
    const head = this.#heldHead
    this.#heldHead = ''
    this.#flushed = true
    if (head === '' && chunk.length === 0) {
      if (callback !== undefined) process.nextTick(callback)
      return !this.#needDrain
    }
    const more = this.#carrier.sendStdout(this, head, chunk, callback)
    if (!more) this.#needDrain = true
    return more
  }

  #finish(body: Uint8Array | string, protocolStatus: number, callback?: WriteCallback): void {
    const head = this.#heldHead
    this.#heldHead = ''
    this.#flushed = true
    this.#ended = true
    this.#carrier.sendEnd(this, head, body, protocolStatus, callback)
  }

  #refuseWrite(callback: WriteCallback | undefined): boolean {
    if (callback !== undefined) {
      const error =
        this.#abortReason ?? new ExchangeError('FCGI_ERR_ENDED', 'Written after the end of the answer.')
      process.nextTick(callback, error)
    }
    return false
  }

  get #cgi(): Params {
    if (this.#params === undefined) {
      this.#params = new Params(this.#paramsChunk, this.#paramsStart, this.#paramsEnd, {
        maxCount: this.#carrier.settings.maxParamsCount,
      })
      this.#paramsChunk = EMPTY
    }
    return this.#params
  }

  get #http(): RequestHead {
    this.#head ??= new RequestHead(this.#cgi)
    return this.#head
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? String(error)) : String(error)
}
