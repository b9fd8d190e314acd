import { AsyncResource } from 'node:async_hooks'
import { ipAddress, portNumber } from '../cgi/endpoint.ts'
import { Params } from '../cgi/params.ts'
import { RequestHead } from '../cgi/request-head.ts'
import { GatheredParams } from './gathered-params.ts'

/** What a request needs of the connection that it arrives on. */
export interface RequestCarrier {
  readonly settings: RequestSettings
  /** Seconds, as the server counts them. */
  readonly tick: number
  /** A reader took bytes, or wants no more: reading may resume. */
  onInputConsumed(): void
}

/** The server's options that concern requests; see `ServerOptions`. */
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
 * The params of a request, and what apps read from them. Each value is computed when it is first read.
 *
 * It is an async resource, and the connection calls the app only within its scope. Otherwise `AsyncLocalStorage.enterWith()`
 * in one request would reach the next one: until the socket's callback returns on Node 24 and 26, for as long as the socket
 * lives on Node 20 and 22. To extend AsyncResource costs less than to hold one: 0.3 % of a small request.
 */
export abstract class CgiRequest<C extends RequestCarrier> extends AsyncResource {
  readonly #carrier: C
  readonly #gathered = new GatheredParams()
  #params: Params | undefined
  #head: RequestHead | undefined
  #mount: string | undefined

  constructor(carrier: C) {
    super('FCGI_EXCHANGE')
    this.#carrier = carrier
  }

  // ---- for apps ----

  get params(): Readonly<Record<string, string | undefined>> {
    return this.cgi.toRecord()
  }

  get rawParams(): readonly string[] {
    return this.cgi.toList()
  }

  param(name: string): string | undefined {
    return this.cgi.get(name)
  }

  get method(): string {
    return this.http.method
  }

  get target(): string {
    return this.http.target
  }

  get url(): string {
    return this.http.url
  }

  get scheme(): 'http' | 'https' {
    return this.http.scheme
  }

  get authority(): string {
    return this.http.authority
  }

  get headers(): readonly string[] {
    return this.http.headers
  }

  get mount(): string {
    this.#mount ??= this.#carrier.settings.findMount(this.cgi, this.target)
    return this.#mount
  }

  get contentLength(): number | undefined {
    return this.http.contentLength
  }

  get remoteAddress(): string | undefined {
    return ipAddress(this.param('REMOTE_ADDR'))
  }

  get remotePort(): number | undefined {
    return portNumber(this.param('REMOTE_PORT'))
  }

  // ---- for the connection ----

  /** The connection that it arrives on. */
  protected get carrier(): C {
    return this.#carrier
  }

  /** Bytes of PARAMS that have arrived. */
  get paramsBytes(): number {
    return this.#gathered.length
  }

  /** From now on, PARAMS that have not arrived completely count as none. */
  settleParams(): void {
    this.#params ??= new Params(EMPTY)
  }

  /** REQUEST_METHOD, if PARAMS have been read. */
  get knownMethod(): string | undefined {
    return this.#params?.get('REQUEST_METHOD')
  }

  /** nginx sent it, as SERVER_SOFTWARE says. False if PARAMS have not been read. */
  get isFromNginx(): boolean {
    return this.#params?.get('SERVER_SOFTWARE')?.startsWith('nginx/') === true
  }

  /** Appends `chunk[start, end)` to the PARAMS. */
  protected gather(chunk: Buffer, start: number, end: number): void {
    this.#gathered.push(chunk, start, end)
  }

  /** The chunk that PARAMS arrived in is about to be reused. */
  protected keepGathered(): void {
    this.#gathered.keep()
  }

  /** Throws RequestError if the params cannot be read. */
  protected get cgi(): Params {
    if (this.#params === undefined) {
      const { maxParamsCount: maxCount, maxHeaderBytes } = this.#carrier.settings
      const limits = { maxCount, maxHeaderBytes }
      this.#params = this.#gathered.take((block, start, end) => new Params(block, start, end, limits))
    }
    return this.#params
  }

  protected get http(): RequestHead {
    this.#head ??= new RequestHead(this.cgi)
    return this.#head
  }
}
