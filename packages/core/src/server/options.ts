import { RequestError } from '../cgi/error.ts'
import type { MountOption } from '../cgi/mount.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { AllowedServers } from '../listen/allowed-servers.ts'
import { parseAllowedServers } from '../listen/allowed-servers.ts'

/** What a server may be told. Each limit holds for every connection; times are milliseconds, sizes bytes. */
export interface ServerOptions {
  /**
   * Where the app is mounted below the site's root. `'auto'` (the default) takes SCRIPT_NAME as the mount only where
   * that is certain: SCRIPT_FILENAME is this very program, and SCRIPT_NAME + PATH_INFO is the path of REQUEST_URI.
   * `'script-name'` trusts SCRIPT_NAME wherever the path begins with it, `'/prefix'` says it outright, `'none'` never.
   */
  mount?: MountOption
  /** Several requests on one connection at a time; default true. What is refused gets a 503 with FCGI_CANT_MPX_CONN. */
  multiplex?: boolean
  /** Connections at a time; default 4096. One more is closed at once. FCGI_MAX_CONNS tells it. */
  maxConnections?: number
  /** Requests at a time; default 4096. One more is answered 503 with FCGI_OVERLOADED. FCGI_MAX_REQS tells it. */
  maxRequests?: number
  /** All params of a request together, in bytes; default 1 MiB. More is answered 431. */
  maxParamsBytes?: number
  /** Params of a request; default 2000. More is answered 431. */
  maxParamsCount?: number
  /** Name and value of one `HTTP_*` param, in bytes; default 128 KiB. More is answered 431. */
  maxHeaderBytes?: number
  /** Body, in bytes; default no limit, for front servers have one. A longer CONTENT_LENGTH is answered 413; a body without it fails for its reader. */
  maxBodyBytes?: number
  /** Requests at a time on one connection, where `multiplex` allows more than one; default 256. One more is answered 503 with FCGI_OVERLOADED. */
  maxRequestsPerConnection?: number
  /**
   * Body that has come in and that the app has not read, of one request, in bytes; default 1 MiB, of which a request that is alone on its
   * connection uses an eighth. Then nothing is read from the connection, and the front server has to wait.
   */
  maxBufferedPerRequest?: number
  /**
   * The same of all requests on one connection; default 8 MiB. So much, too, may be the params of those that have not ended: beyond
   * it one that has others beside it is answered 503 with FCGI_OVERLOADED.
   */
  maxBufferedPerConnection?: number
  /** What one request may write to FCGI_STDERR, in bytes; default 1 MiB. The rest is dropped. */
  maxStderrBytes?: number
  /** From BEGIN_REQUEST to the end of PARAMS; default 30 s. Then 408. 0 turns it off. */
  paramsTimeout?: number
  /** Between two pieces of a body that somebody waits for; default 60 s. Then the exchange is aborted, with 408 where no answer has begun. 0 turns it off. */
  bodyTimeout?: number
  /** For the whole request; default 0, none. Then the exchange is aborted, with 504 where no answer has begun. */
  requestTimeout?: number
  /** A connection without a request; default 5 minutes, longer than front servers keep one (nginx: 60 s). Then it is closed. 0 turns it off. */
  idleTimeout?: number
  /** While output waits for the front server, how long it may take nothing of it; default 5 minutes. Then the connection is closed, and what runs on it aborted. 0 turns it off. */
  writeTimeout?: number
  /** After an answer, how long input that nobody wants is still read and dropped; default 30 s. */
  lingerTimeout?: number
  /** The same in bytes; default 1 GiB. */
  lingerBytes?: number
  /** What `close()` gives running requests; default 7 s, for mod_fcgid kills 8 s after it asked. */
  drainTimeout?: number
  /**
   * Addresses that may connect over TCP; default: the variable FCGI_WEB_SERVER_ADDRS (section 3.2), else all. Others are closed
   * at once. IPv4-mapped IPv6 addresses count as IPv4. A Unix socket is guarded by its mode instead.
   */
  allowedServers?: readonly string[]
  /**
   * Called with each error of the app, and with a RequestError for each request that was refused (400, 413, 431). Both are also written to
   * FCGI_STDERR, the front server's error log. Default: errors of the app that come when its request has ended are
   * printed to this process's standard error.
   */
  onError?: (error: unknown, exchange: Exchange) => void
}

/** {@link ServerOptions} with every default filled in. */
export interface Settings extends Required<Omit<ServerOptions, 'allowedServers'>> {
  readonly allowedServers: AllowedServers | undefined
}

// Milliseconds, 24 days.
const TIMER_MAX = 2 ** 31 - 1

/** The options that are limits. */
export const LIMITS = [
  'maxConnections',
  'maxRequests',
  'maxParamsBytes',
  'maxParamsCount',
  'maxHeaderBytes',
  'maxBodyBytes',
  'maxRequestsPerConnection',
  'maxBufferedPerRequest',
  'maxBufferedPerConnection',
  'maxStderrBytes',
  'paramsTimeout',
  'bodyTimeout',
  'requestTimeout',
  'idleTimeout',
  'writeTimeout',
  'lingerTimeout',
  'lingerBytes',
  'drainTimeout',
] as const

/** Fills in the defaults. Throws a RangeError for a limit that is out of range or no number, a mount or an address that is none. */
export function resolveOptions(options: ServerOptions): Settings {
  const allowed = options.allowedServers ?? process.env.FCGI_WEB_SERVER_ADDRS?.split(',')
  if (allowed !== undefined && !Array.isArray(allowed)) {
    throw new TypeError(`The option allowedServers is ${allowed}; it takes an array of addresses.`)
  }
  const settings: Settings = {
    mount: options.mount ?? 'auto',
    multiplex: options.multiplex ?? true,
    maxConnections: options.maxConnections ?? 4096,
    maxRequests: options.maxRequests ?? 4096,
    maxParamsBytes: options.maxParamsBytes ?? 1024 * 1024,
    maxParamsCount: options.maxParamsCount ?? 2000,
    maxHeaderBytes: options.maxHeaderBytes ?? 128 * 1024,
    maxBodyBytes: options.maxBodyBytes ?? Number.POSITIVE_INFINITY,
    maxRequestsPerConnection: options.maxRequestsPerConnection ?? 256,
    maxBufferedPerRequest: options.maxBufferedPerRequest ?? 1024 * 1024,
    maxBufferedPerConnection: options.maxBufferedPerConnection ?? 8 * 1024 * 1024,
    maxStderrBytes: options.maxStderrBytes ?? 1024 * 1024,
    paramsTimeout: options.paramsTimeout ?? 30_000,
    bodyTimeout: options.bodyTimeout ?? 60_000,
    requestTimeout: options.requestTimeout ?? 0,
    idleTimeout: options.idleTimeout ?? 300_000,
    writeTimeout: options.writeTimeout ?? 300_000,
    lingerTimeout: options.lingerTimeout ?? 30_000,
    lingerBytes: options.lingerBytes ?? 1024 * 1024 * 1024,
    drainTimeout: options.drainTimeout ?? 7000,
    allowedServers: allowed && parseAllowedServers(allowed),
    onError: options.onError ?? printLateError,
  }
  for (const name of LIMITS) {
    const least = name.startsWith('max') ? 1 : 0
    const value: unknown = settings[name]
    if (typeof value !== 'number' || !(value >= least))
      throw new RangeError(`The option ${name} is ${value}; it takes a number from ${least} up.`)
    // setTimeout() takes a longer delay for 1 ms.
    if (name.endsWith('Timeout')) settings[name] = Math.min(value, TIMER_MAX)
  }
  const { mount, onError } = settings
  if (!/^(?:auto|script-name|none|\/.*)$/s.test(mount)) {
    throw new RangeError(
      `The option mount is '${mount}'; it takes 'auto', 'script-name', 'none', or a path as '/shop'.`,
    )
  }
  if (typeof onError !== 'function')
    throw new TypeError(`The option onError is ${onError}; it takes a function.`)
  return settings
}

// FCGI_STDERR is closed to it.
function printLateError(error: unknown, exchange: Exchange): void {
  if (exchange.ended && !(error instanceof RequestError)) console.error(error)
}
