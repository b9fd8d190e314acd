import { stringify } from 'node:querystring'
import { Dispatcher, errors } from 'undici'
import { type FastCgiAddress, formatAddress, parseAddress, type SocketAddress } from './address.ts'
import { type Body, toBody } from './body.ts'
import { ClientExchange, type ClientRequest, type ExchangeLimits } from './exchange.ts'
import { type ResponseHandler, toResponseHandler } from './handler.ts'
import { flattenHeaders } from './headers.ts'
import type { ExchangeObserver } from './observer.ts'
import { buildParams, type FastCgiParams, type FastCgiRequestInfo, type ParamsOptions } from './params.ts'
import { ConnectionPool } from './pool.ts'

/** Options of {@link FastCgiDispatcher}. Times are in milliseconds, 0 is no limit. */
export interface FastCgiDispatcherOptions extends ParamsOptions {
  /** Connections open at once; requests beyond that wait. Default: no limit. */
  readonly maxConnections?: number
  /** Connections kept open between requests. 0: each request has its own, without FCGI_KEEP_CONN. Default: 16. */
  readonly maxIdleConnections?: number
  /**
   * Requests at once on one connection, where the application says that it can (FCGI_MPXS_CONNS, asked with
   * FCGI_GET_VALUES on a connection of its own); `true` is 32. Default: `false`, one at a time.
   */
  readonly multiplex?: boolean | number
  /** How long a connection is kept while nobody uses it. Default: 4000, as undici has it. */
  readonly idleTimeout?: number
  /** Time for a connection to come up. Default: 10 000. */
  readonly connectTimeout?: number
  /** Time for the head of the response, from when the request has gone out. Default: 300 000. */
  readonly headersTimeout?: number
  /** Time between two pieces of the response body. Default: 300 000. */
  readonly bodyTimeout?: number
  /** The longest response head taken, in bytes. Default: 65 536. */
  readonly maxHeaderSize?: number
  /** What the application writes to FCGI_STDERR, piece by piece. Default: it is dropped. */
  readonly onStderr?: (chunk: Buffer, request: FastCgiRequestInfo) => void
  /** Watches requests on the wire: params, records, times. Default: nobody does. */
  readonly observer?: ExchangeObserver
}

/** What {@link FastCgiDispatcher.dispatch} (and so `request`, `stream`, `pipeline`) takes. */
export interface FastCgiDispatchOptions extends Omit<Dispatcher.DispatchOptions, 'body'> {
  /** A string, bytes, a Node or web stream, an iterable or async iterable of pieces, a Blob, or FormData. */
  body?: unknown
  /** Variables to add or replace for this request, after those of the dispatcher's options. */
  params?: FastCgiParams
}

/**
 * An undici `Dispatcher` whose requests go to a FastCGI application: `fetch(url, { dispatcher })`, with undici's
 * fetch or Node's own, and undici's `request`, `stream` and `pipeline`. Whatever host the URL names is only what the
 * application is told.
 *
 * A request fails with FastCgiError, with undici's errors where those say it (time-outs, aborts, wrong
 * lengths, a closed dispatcher), or with Node's own when no connection comes up (ECONNREFUSED, ENOENT).
 */
export class FastCgiDispatcher extends Dispatcher {
  readonly #options: FastCgiDispatcherOptions
  readonly #limits: ExchangeLimits
  readonly #pool: ConnectionPool
  #closed: Promise<void> | undefined
  #destroyed: Promise<void> | undefined

  /** Throws TypeError for an address that is none, and for options that can not be. */
  constructor(address: FastCgiAddress, options: FastCgiDispatcherOptions = {}) {
    super()
    const { scriptName = '' } = options
    if (scriptName !== '' && !/^\/.*[^/]$/.test(scriptName)) {
      throw new TypeError(
        `scriptName ${JSON.stringify(scriptName)} must begin with a slash and not end with one.`,
      )
    }
    const { maxConnections = Number.POSITIVE_INFINITY } = options
    if (!(maxConnections >= 1)) throw new TypeError('maxConnections must be at least 1.')
    const multiplex = toNumber(options.multiplex)
    if (!(Number.isInteger(multiplex) && multiplex >= 1 && multiplex < 65_536)) {
      throw new TypeError('multiplex must be a boolean, or the requests at once on one connection.')
    }
    this.#options = options
    this.#limits = {
      headersTimeout: options.headersTimeout ?? 300_000,
      bodyTimeout: options.bodyTimeout ?? 300_000,
      maxHeaderSize: options.maxHeaderSize ?? 65_536,
    }
    const socketAddress = parseAddress(address)
    const origin = originOf(socketAddress)
    this.#pool = new ConnectionPool(
      socketAddress,
      {
        connectTimeout: options.connectTimeout ?? 10_000,
        maxConnections,
        maxIdleConnections: options.maxIdleConnections ?? 16,
        idleTimeout: options.idleTimeout ?? 4000,
        multiplex,
        observer: options.observer,
      },
      {
        onConnect: () => this.emit('connect', origin, [this]),
        onDisconnect: (error) => this.emit('disconnect', origin, [this], error as errors.UndiciError),
        onConnectionError: (error) =>
          this.emit('connectionError', origin, [this], error as errors.UndiciError),
        onDrain: () => this.emit('drain', origin),
      },
    )
  }

  /** Sends one request. False: `maxConnections` are busy, and 'drain' is emitted when one is free again. */
  override dispatch(options: FastCgiDispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const responseHandler = toResponseHandler(handler)
    let exchange: ClientExchange
    try {
      if (this.#destroyed !== undefined) throw new errors.ClientDestroyedError()
      if (this.#closed !== undefined) throw new errors.ClientClosedError()
      exchange = this.#createExchange(options, responseHandler)
    } catch (error) {
      responseHandler.onError(undefined, error as Error)
      return false
    }
    return exchange.begin() ? this.#pool.dispatch(exchange) : true
  }

  /** Takes no more requests, lets those that run end, then closes the connections. */
  override close(): Promise<void>
  override close(callback: () => void): void
  override close(callback?: () => void): Promise<void> | undefined {
    this.#closed ??= this.#pool.close()
    return settle(this.#closed, callback)
  }

  /** Fails the requests that run and wait with `error`, by default a ClientDestroyedError, and closes the connections. */
  override destroy(): Promise<void>
  override destroy(error: Error | null): Promise<void>
  override destroy(callback: () => void): void
  override destroy(error: Error | null, callback: () => void): void
  override destroy(
    errorOrCallback?: Error | null | (() => void),
    callback?: () => void,
  ): Promise<void> | undefined {
    const error = typeof errorOrCallback === 'function' ? undefined : errorOrCallback
    this.#destroyed ??= this.#pool.destroy(error ?? new errors.ClientDestroyedError())
    return settle(this.#destroyed, typeof errorOrCallback === 'function' ? errorOrCallback : callback)
  }

  /** Closes the connections that are kept and not in use; the next request opens a new one. */
  closeIdleConnections(): void {
    this.#pool.closeIdle()
  }

  #createExchange(options: FastCgiDispatchOptions, handler: ResponseHandler): ClientExchange {
    const info = toRequestInfo(options)
    const body = toBody(options.body)
    try {
      const idempotent = options.idempotent ?? IDEMPOTENT.has(info.method)
      const request = this.#createRequest(info, body, options.params, idempotent)
      const { onStderr } = this.#options
      return new ClientExchange(
        request,
        handler,
        this.#limitsFor(options),
        onStderr && ((chunk) => onStderr(chunk, info)),
      )
    } catch (error) {
      body?.source?.stop(error as Error)
      throw error
    }
  }

  #createRequest(
    info: FastCgiRequestInfo,
    body: Body | null,
    params: FastCgiParams | undefined,
    idempotent: boolean,
  ): ClientRequest {
    if (body?.contentType !== undefined && !hasHeader(info.headers, 'content-type')) {
      info = { ...info, headers: [...info.headers, 'content-type', body.contentType] }
    }
    const contentLength = contentLengthOf(info, body)
    const bodyLength = contentLength ?? (body === null ? 'none' : 'unknown')
    return {
      method: info.method,
      idempotent,
      target: info.path,
      params: buildParams(info, bodyLength, this.#options, params),
      body,
      contentLength,
    }
  }

  #limitsFor({ headersTimeout, bodyTimeout }: FastCgiDispatchOptions): ExchangeLimits {
    if (headersTimeout == null && bodyTimeout == null) return this.#limits
    return {
      ...this.#limits,
      headersTimeout: headersTimeout ?? this.#limits.headersTimeout,
      bodyTimeout: bodyTimeout ?? this.#limits.bodyTimeout,
    }
  }
}

// RFC 9110 section 9.2.2.
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

function toRequestInfo(options: FastCgiDispatchOptions): FastCgiRequestInfo {
  if (typeof options !== 'object' || options === null)
    throw new errors.InvalidArgumentError('opts must be an object.')
  const { method, query, origin, upgrade } = options
  if (typeof method !== 'string' || !/^[!#$%&'*+\-.^_`|~\w]+$/.test(method)) {
    throw new errors.InvalidArgumentError('invalid request method')
  }
  if (method === 'CONNECT' || upgrade) {
    throw new errors.NotSupportedError('FastCGI has no way to upgrade a connection, nor to tunnel')
  }
  let { path } = options
  // As it stands is how it goes out, so it must be something that an HTTP request line could hold.
  if (typeof path !== 'string' || !/^(?:\/[!-\xff]*|\*)$/.test(path)) {
    throw new errors.InvalidArgumentError('path must start with a slash and hold no blanks')
  }
  if (query) {
    if (/[?#]/.test(path)) {
      throw new errors.InvalidArgumentError('query can not be passed when the path holds "?" or "#" already')
    }
    const text = stringify(query)
    if (text !== '') path += `?${text}`
  }
  return { method, path, origin: origin?.toString(), headers: flattenHeaders(options.headers) }
}

/** What the headers say, or the body itself. Throws where both speak and differ. */
function contentLengthOf(info: FastCgiRequestInfo, body: Body | null): number | undefined {
  let said: number | undefined
  for (let i = 0; i < info.headers.length; i += 2) {
    if (info.headers[i]!.toLowerCase() !== 'content-length') continue
    const value = info.headers[i + 1]!
    if (!/^\d{1,15}$/.test(value) || said !== undefined) {
      throw new errors.InvalidArgumentError('invalid content-length header')
    }
    said = Number(value)
  }
  const known = body === null ? undefined : body.length
  if (said !== undefined && ((known ?? said) !== said || (body === null && said > 0))) {
    throw new errors.RequestContentLengthMismatchError()
  }
  return known ?? said
}

function hasHeader(headers: readonly string[], name: string): boolean {
  return headers.some((text, i) => i % 2 === 0 && text.toLowerCase() === name)
}

function toNumber(multiplex: unknown): number {
  if (multiplex === undefined || multiplex === false) return 1
  return multiplex === true ? 32 : typeof multiplex === 'number' ? multiplex : Number.NaN
}

// undici's events name an origin; this is what stands for one here.
function originOf(address: SocketAddress): URL {
  return new URL('path' in address ? `unix:${address.path}` : `fcgi://${formatAddress(address)}`)
}

function settle(promise: Promise<void>, callback: (() => void) | undefined): Promise<void> | undefined {
  if (callback === undefined) return promise
  promise.then(callback)
  return undefined
}
