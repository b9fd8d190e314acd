import { Dispatcher, errors } from 'undici'
import { type FastCgiAddress, formatAddress, parseAddress, type SocketAddress } from './address.ts'
import { BufferingRequests } from './buffering-requests.ts'
import { ClientExchange } from './connection/exchange.ts'
import type { ExchangeLimits } from './connection/exchange-state.ts'
import { TIMER_MAX } from './connection/timer.ts'
import type { ExchangeObserver } from './observer.ts'
import { checkNumbers, checkOptionNames } from './options.ts'
import { ConnectionPool } from './pool.ts'
import type { FastCgiRequestInfo, ParamsOptions } from './request/params.ts'
import { type FastCgiDispatchOptions, toRequest } from './request/request.ts'
import { createScriptMapping, type ScriptMapping } from './request/script.ts'
import { type ResponseHandler, toResponseHandler } from './response/handler.ts'
import { hasChannelSubscribers, publishRequest } from './undici-channels.ts'

/** Options of {@link FastCgiDispatcher}. Times are in milliseconds; 0 and Infinity are no limit. */
export interface FastCgiDispatcherOptions extends ParamsOptions {
  /** Connections open at once; requests beyond that wait. Default: no limit. */
  readonly maxConnections?: number
  /** Connections kept open between requests. Default: 256. */
  readonly maxIdleConnections?: number
  /**
   * Ask the application to keep connections open (FCGI_KEEP_CONN). `false`: each request has its own connection. Default:
   * true, unless `maxIdleConnections` is 0.
   */
  readonly keepConn?: boolean
  /**
   * The most concurrent requests on one connection, if the application reports with FCGI_MPXS_CONNS that it can multiplex (it is
   * asked with FCGI_GET_VALUES on a separate connection). `true` is 32. Default: `false`, one at a time.
   */
  readonly multiplex?: boolean | number
  /** How long an idle connection is kept open. Default: 4000, as in undici. */
  readonly idleTimeout?: number
  /** Time for a connection to open. Default: 10 000. */
  readonly connectTimeout?: number
  /** Time from sending the request to the complete response head. Default: 300 000. */
  readonly headersTimeout?: number
  /** The longest time between two pieces of the response body. Default: 300 000. */
  readonly bodyTimeout?: number
  /** The longest response head that is accepted, in bytes. Default: 65 536. */
  readonly maxHeaderSize?: number
  /**
   * The most bytes of a request body without a Content-Length that are buffered to learn its length, for applications that read
   * CONTENT_LENGTH only. PHP is one: it sees no body at all without it. A longer body fails with FCGI_ERR_LENGTH_REQUIRED (411 in
   * the gateway); 0 refuses every such body. `false`: the body is streamed without a length. Default: 8 388 608 (8 MiB, as
   * PHP's `post_max_size`) with `scriptFilename` or `splitPath`, else `false`.
   */
  readonly maxBufferedBody?: number | false
  /** Called with each piece that the application writes to FCGI_STDERR. Default: it is dropped. */
  readonly onStderr?: (chunk: Buffer, request: FastCgiRequestInfo) => void
  /** Watches requests on the wire: params, records, times. Default: none. */
  readonly observer?: ExchangeObserver
}

const PHP_POST_MAX_SIZE = 8 * 1024 * 1024

const NUMBERS = [
  'maxConnections',
  'maxIdleConnections',
  'idleTimeout',
  'connectTimeout',
  'headersTimeout',
  'bodyTimeout',
  'maxHeaderSize',
] satisfies (keyof FastCgiDispatcherOptions)[]

// A record, so that the compiler finds a name that is missing here.
const OPTION_NAMES: Readonly<Record<keyof FastCgiDispatcherOptions, true>> = {
  maxConnections: true,
  maxIdleConnections: true,
  idleTimeout: true,
  connectTimeout: true,
  headersTimeout: true,
  bodyTimeout: true,
  maxHeaderSize: true,
  keepConn: true,
  multiplex: true,
  maxBufferedBody: true,
  onStderr: true,
  observer: true,
  params: true,
  documentRoot: true,
  scriptName: true,
  scriptFilename: true,
  splitPath: true,
  index: true,
  tryFiles: true,
}

/** The names of {@link FastCgiDispatcherOptions}. */
export const DISPATCHER_OPTIONS: ReadonlySet<string> = new Set(Object.keys(OPTION_NAMES))

/**
 * An undici `Dispatcher` whose requests go to a FastCGI application: `fetch(url, { dispatcher })`, with undici's
 * fetch or Node's own, and undici's `request`, `stream` and `pipeline`. The URL's host is only sent to the application: the
 * dispatcher always connects to `address`.
 *
 * A request fails with one of undici's errors if undici has a suitable one (time-outs, aborts, wrong lengths, a closed
 * dispatcher), with Node's own error if the connection fails (ECONNREFUSED, ENOENT), and with FastCgiError otherwise.
 */
export class FastCgiDispatcher extends Dispatcher {
  readonly #options: FastCgiDispatcherOptions
  readonly #mapping: ScriptMapping
  readonly #limits: ExchangeLimits
  readonly #pool: ConnectionPool
  readonly #buffering = new BufferingRequests()
  readonly #maxBufferedBody: number | undefined
  #closed: Promise<void> | undefined
  #destroyed: Promise<void> | undefined

  /** Throws TypeError for an invalid address, unknown option names, and invalid values. */
  constructor(address: FastCgiAddress, options: FastCgiDispatcherOptions = {}) {
    super()
    checkOptionNames('FastCgiDispatcher', options, DISPATCHER_OPTIONS)
    checkNumbers(options, NUMBERS)
    const { maxConnections = Number.POSITIVE_INFINITY, maxIdleConnections = 256 } = options
    if (!(maxConnections >= 1)) throw new TypeError('maxConnections must be at least 1.')
    const multiplex = toNumber(options.multiplex)
    if (!(Number.isInteger(multiplex) && multiplex >= 1 && multiplex < 65_536)) {
      throw new TypeError('multiplex must be a boolean, or the most concurrent requests on one connection.')
    }
    this.#maxBufferedBody = maxBufferedBodyOf(options)
    this.#options = options
    this.#mapping = createScriptMapping(options)
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
        connectTimeout: Math.min(options.connectTimeout ?? 10_000, TIMER_MAX),
        maxConnections,
        maxIdleConnections,
        keepConn: options.keepConn ?? maxIdleConnections > 0,
        idleTimeout: Math.min(options.idleTimeout ?? 4000, TIMER_MAX),
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
    let responseHandler = toResponseHandler(handler)
    let exchange: ClientExchange
    try {
      if (this.#destroyed !== undefined) throw new errors.ClientDestroyedError()
      if (this.#closed !== undefined) throw new errors.ClientClosedError()
      let published = options
      if (hasChannelSubscribers())
        ({ options: published, handler: responseHandler } = publishRequest(options, responseHandler))
      exchange = this.#createExchange(published, responseHandler)
    } catch (error) {
      responseHandler.onError(undefined, error as Error)
      return false
    }
    if (!exchange.begin()) return true
    const { buffered } = exchange.request
    if (buffered === undefined) return this.#pool.dispatch(exchange)
    this.#buffering.add(exchange, buffered, (complete) => this.#pool.dispatch(complete))
    return true
  }

  /** Takes no more requests, finishes those that run or wait, then closes the connections. */
  override close(): Promise<void>
  override close(callback: () => void): void
  override close(callback?: () => void): Promise<void> | undefined {
    this.#closed ??= this.#buffering.whenEmpty()?.then(() => this.#pool.close()) ?? this.#pool.close()
    return notifyWhenDone(this.#closed, callback)
  }

  /** Fails running and waiting requests with `error`, by default a ClientDestroyedError, and closes the connections. */
  override destroy(): Promise<void>
  override destroy(error: Error | null): Promise<void>
  override destroy(callback: () => void): void
  override destroy(error: Error | null, callback: () => void): void
  override destroy(
    errorOrCallback?: Error | null | (() => void),
    callback?: () => void,
  ): Promise<void> | undefined {
    const error = typeof errorOrCallback === 'function' ? undefined : errorOrCallback
    this.#destroyed ??= this.#destroy(error ?? new errors.ClientDestroyedError())
    return notifyWhenDone(this.#destroyed, typeof errorOrCallback === 'function' ? errorOrCallback : callback)
  }

  /** Closes the idle connections. The next request opens a new one. */
  closeIdleConnections(): void {
    this.#pool.closeIdle()
  }

  #destroy(error: Error): Promise<void> {
    this.#buffering.fail(error)
    return this.#pool.destroy(error)
  }

  #createExchange(options: FastCgiDispatchOptions, handler: ResponseHandler): ClientExchange {
    const request = toRequest(options, this.#mapping, this.#options.params, this.#maxBufferedBody)
    const { onStderr } = this.#options
    return new ClientExchange(
      request,
      handler,
      this.#limitsFor(options),
      onStderr && ((chunk) => onStderr(chunk, request.info)),
    )
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

function maxBufferedBodyOf({
  maxBufferedBody,
  scriptFilename,
  splitPath,
}: FastCgiDispatcherOptions): number | undefined {
  if (maxBufferedBody === false) return undefined
  if (maxBufferedBody === undefined) {
    return scriptFilename === undefined && splitPath === undefined ? undefined : PHP_POST_MAX_SIZE
  }
  if (!(Number.isSafeInteger(maxBufferedBody) && maxBufferedBody >= 0)) {
    throw new TypeError('maxBufferedBody must be a number of bytes, or false.')
  }
  return maxBufferedBody
}

function toNumber(multiplex: unknown): number {
  if (multiplex === undefined || multiplex === false) return 1
  return multiplex === true ? 32 : typeof multiplex === 'number' ? multiplex : Number.NaN
}

// The origin in the events of undici: a URL made from the application's address.
function originOf(address: SocketAddress): URL {
  return new URL('path' in address ? `unix:${address.path}` : `fcgi://${formatAddress(address)}`)
}

function notifyWhenDone(
  promise: Promise<void>,
  callback: (() => void) | undefined,
): Promise<void> | undefined {
  if (callback === undefined) return promise
  promise.then(callback)
  return undefined
}
