import { AsyncResource } from 'node:async_hooks'
import { clientAddress, clientPort } from '../cgi/client-address.ts'
import { Params } from '../cgi/params.ts'
import { RequestHead } from '../cgi/request-head.ts'
import { GatheredParams } from './gathered-params.ts'

/** What a request needs from its connection. */
export interface RequestConnection {
  readonly settings: RequestSettings
  /** The server's clock, in seconds. */
  readonly tick: number
  /** Called when a reader took bytes or discarded the rest: the connection may resume reading. */
  onInputConsumed(): void
}

/** The server's options that concern requests; see `ServerOptions`. */
export interface RequestSettings {
  readonly maxParamsBytes: number
  readonly maxParamsCount: number
  readonly maxHeaderBytes: number
  readonly maxBodyBytes: number
  /** Finds the mount, as the server's option `mount` says. See cgi/mount.ts. */
  findMount(params: Params, target: string): string
}

const EMPTY = Buffer.alloc(0)

/**
 * The params of a request, and the values that apps read from them. Each value is computed when it is first read.
 *
 * The connection calls the app within the scope of this async resource. Otherwise `AsyncLocalStorage.enterWith()` in one request
 * would affect the next one: until the socket's callback returns on Node 24 and 26, and for the life of the socket on Node 20 and 22.
 * The class extends AsyncResource because a separate object would cost another 0.3 % of a small request.
 */
export abstract class CgiRequest<C extends RequestConnection> extends AsyncResource {
  readonly #connection: C
  readonly #gathered = new GatheredParams()
  #params: Params | undefined
  #head: RequestHead | undefined
  #mount: string | undefined

  constructor(connection: C) {
    super('FCGI_EXCHANGE')
    this.#connection = connection
  }

  // ---- for apps; see Exchange ----

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
    this.#mount ??= this.#connection.settings.findMount(this.cgi, this.target)
    return this.#mount
  }

  get contentLength(): number | undefined {
    return this.http.contentLength
  }

  get remoteAddress(): string | undefined {
    return clientAddress(this.cgi)
  }

  get remotePort(): number | undefined {
    return clientPort(this.cgi)
  }

  // ---- for the connection ----

  /** The request's connection. */
  protected get connection(): C {
    return this.#connection
  }

  /** Bytes of PARAMS that have arrived. */
  get paramsBytes(): number {
    return this.#gathered.length
  }

  /** Makes the params empty if they have not been read yet. PARAMS may be incomplete or invalid when a request ends early. */
  ignoreIncompleteParams(): void {
    this.#params ??= new Params(EMPTY)
  }

  /** REQUEST_METHOD; undefined before the params have been read. */
  get knownMethod(): string | undefined {
    return this.#params?.get('REQUEST_METHOD')
  }

  /** Whether nginx sent the request, according to SERVER_SOFTWARE. False before the params have been read. */
  get isFromNginx(): boolean {
    return this.#params?.get('SERVER_SOFTWARE')?.startsWith('nginx/') === true
  }

  /** Appends `chunk[start, end)` to the PARAMS. */
  protected gather(chunk: Buffer, start: number, end: number): void {
    this.#gathered.push(chunk, start, end)
  }

  /** Copies the PARAMS out of their chunk, whose memory is about to be reused. */
  protected keepGathered(): void {
    this.#gathered.keep()
  }

  /** The params. Throws RequestError if they cannot be read. */
  protected get cgi(): Params {
    if (this.#params === undefined) {
      this.#params = this.#gathered.decode(this.#connection.settings)
    }
    return this.#params
  }

  /** The HTTP request that the params describe. Throws RequestError if they cannot be read. */
  protected get http(): RequestHead {
    this.#head ??= new RequestHead(this.cgi)
    return this.#head
  }
}
