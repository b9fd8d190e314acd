import { RequestError } from '../cgi/error.ts'
import type { MountOption } from '../cgi/mount.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { AllowedServers } from '../listen/allowed-servers.ts'
import { parseAllowedServers } from '../listen/allowed-servers.ts'
import { isHealthPath } from './health.ts'
import { addDefaultTimeouts, TIMEOUT_NAMES, TIMER_MAX, type TimeoutOptions } from './timeouts.ts'

/** The options of a server. Limits apply to all of its connections. Times are in milliseconds, sizes in bytes. */
export interface ServerOptions extends TimeoutOptions {
  /**
   * How to find the path at which the app is mounted.
   *
   * - `'auto'` (the default): use SCRIPT_NAME only if SCRIPT_FILENAME is the running program, and SCRIPT_NAME + PATH_INFO is the path of
   *   REQUEST_URI.
   * - `'script-name'`: use SCRIPT_NAME whenever the path begins with it.
   * - `'/prefix'`: use this prefix.
   * - `'none'`: never use a mount.
   */
  mount?: MountOption
  /** Accept several requests at a time on one connection. Default true. If false, the others get a 503 with FCGI_CANT_MPX_CONN. */
  multiplex?: boolean
  /** Maximum number of connections. Default 4096. More connections are closed at once. It is the value of FCGI_MAX_CONNS. */
  maxConnections?: number
  /** Maximum number of running requests. Default 4096. More requests get a 503 with FCGI_OVERLOADED. It is the value of FCGI_MAX_REQS. */
  maxRequests?: number
  /** Maximum size of all params of a request, in bytes. Default 1 MiB. A request with more gets a 431. */
  maxParamsBytes?: number
  /** Maximum number of params of a request. Default 2000. A request with more gets a 431. */
  maxParamsCount?: number
  /** Maximum size of one `HTTP_*` param, name and value, in bytes. Default 128 KiB. A request with a larger one gets a 431. */
  maxHeaderBytes?: number
  /**
   * Maximum size of a request body, in bytes. No limit by default, because front servers have one. A request with a larger CONTENT_LENGTH
   * gets a 413. If there is no CONTENT_LENGTH, reading a larger body fails.
   */
  maxBodyBytes?: number
  /** Maximum number of running requests of one connection. Default 256. More requests get a 503 with FCGI_OVERLOADED. */
  maxRequestsPerConnection?: number
  /**
   * How many bytes of an unread request body are buffered. Default 1 MiB. The only request of a connection uses an eighth of it. When the
   * buffer is full, the server stops reading from the connection, and the front server has to wait.
   */
  maxBufferedPerRequest?: number
  /**
   * How many bytes of unread request bodies are buffered for all requests of a connection. Default 8 MiB. It is also the maximum size of
   * the params of all running requests of a connection. A request that exceeds it gets a 503 with FCGI_OVERLOADED, unless it is the only one.
   */
  maxBufferedPerConnection?: number
  /** Maximum output of one request to FCGI_STDERR, in bytes. Default 1 MiB. The rest is dropped. */
  maxStderrBytes?: number
  /** How many bytes of input are read and dropped after a response. Default 1 GiB. */
  lingerBytes?: number
  /**
   * A path such as `/healthz`. The server responds to it without calling the app: with 200, and with 503 after the call of
   * `announceClose()` or `close()`. It needs a responder handler. Default: none.
   */
  healthPath?: string
  /**
   * Addresses that can connect over TCP. The default is the variable FCGI_WEB_SERVER_ADDRS (section 3.2) or, if that is not set, all
   * addresses. Other connections are closed at once. IPv4-mapped IPv6 addresses match IPv4. A Unix socket is protected by its mode instead.
   */
  allowedServers?: readonly string[]
  /**
   * Called with each error of the app, and with a RequestError for each refused request (400, 413, 431). Both are also written to
   * FCGI_STDERR, the front server's error log. By default, errors of the app after its request has ended are printed to the standard error
   * of this process.
   */
  onError?: (error: unknown, exchange: Exchange) => void
}

/** {@link ServerOptions} with all defaults. */
export interface Settings extends Required<Omit<ServerOptions, 'allowedServers' | 'healthPath'>> {
  readonly healthPath: string | undefined
  readonly allowedServers: AllowedServers | undefined
}

const SIZES_AND_COUNTS = [
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
  'lingerBytes',
] as const

/** The options that are limits. */
export const LIMITS: readonly ((typeof SIZES_AND_COUNTS)[number] | keyof TimeoutOptions)[] = [
  ...SIZES_AND_COUNTS,
  ...TIMEOUT_NAMES,
]

/**
 * Adds the defaults. Throws a RangeError for a limit that is out of range or not a number, and for an invalid mount or address. Throws a
 * TypeError if `allowedServers` or `onError` has the wrong type.
 */
export function resolveOptions(options: ServerOptions): Settings {
  const allowed = options.allowedServers ?? process.env.FCGI_WEB_SERVER_ADDRS?.split(',')
  if (allowed !== undefined && !Array.isArray(allowed)) {
    throw new TypeError(`The option allowedServers must be an array of addresses, not ${allowed}.`)
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
    lingerBytes: options.lingerBytes ?? 1024 * 1024 * 1024,
    ...addDefaultTimeouts(options),
    healthPath: options.healthPath,
    allowedServers: allowed && parseAllowedServers(allowed),
    onError: options.onError ?? printLateError,
  }
  for (const name of LIMITS) {
    const least = name.startsWith('max') ? 1 : 0
    const value: unknown = settings[name]
    if (typeof value !== 'number' || !(value >= least))
      throw new RangeError(`The option ${name} must be a number of at least ${least}, not ${value}.`)
    if (name.endsWith('Timeout')) settings[name] = Math.min(value, TIMER_MAX)
  }
  const { mount, healthPath, onError } = settings
  if (healthPath !== undefined && !(typeof healthPath === 'string' && isHealthPath(healthPath))) {
    throw new RangeError(`The option healthPath must be a path like '/healthz', not '${healthPath}'.`)
  }
  if (typeof mount !== 'string' || !/^(?:auto|script-name|none|\/.*)$/s.test(mount)) {
    throw new RangeError(
      `The option mount must be 'auto', 'script-name', 'none' or a path like '/shop', not '${mount}'.`,
    )
  }
  if (typeof onError !== 'function')
    throw new TypeError(`The option onError must be a function, not ${onError}.`)
  return settings
}

// FCGI_STDERR can no longer be used when the request has ended.
function printLateError(error: unknown, exchange: Exchange): void {
  if (exchange.ended && !(error instanceof RequestError)) console.error(error)
}
