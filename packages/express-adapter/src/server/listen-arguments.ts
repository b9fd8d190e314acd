import { Server as NetServer } from 'node:net'
import type { ListenOptions } from '@fcgi-bridge/core'

/** The parsed arguments of `server.listen()`. */
interface ListenArguments {
  /** Where to listen. Undefined if the arguments contain no address. */
  place: ListenOptions | undefined
  /** A listener for the next 'listening'. */
  callback: (() => void) | undefined
  /** Closes the server when it aborts. */
  signal: AbortSignal | undefined
}

interface NodeListenOptions {
  port?: unknown
  host?: string | undefined
  path?: unknown
  fd?: unknown
  backlog?: unknown
  mode?: number
  readableAll?: boolean
  writableAll?: boolean
  signal?: AbortSignal
}

/**
 * Reads the arguments of `server.listen()` as net.Server does: `(port, host?, backlog?, callback?)`, `(path, …)`, `(options,
 * callback?)`, `(callback?)`. The options may have `mode`, the mode of a Unix socket. `exclusive` and `ipv6Only` are ignored, and so is a
 * backlog that is not a positive integer: then the backlog is 511, as it is by default.
 *
 * Throws the errors of net.Server for an invalid port and for options without an address. Throws a TypeError for the handle of another
 * server.
 */
export function parseListenArguments(args: readonly unknown[]): ListenArguments {
  const last = args.at(-1)
  const callback = typeof last === 'function' ? (last as () => void) : undefined
  const [first, second, third] = callback === undefined ? args : args.slice(0, -1)
  const options = optionsOf(first, second)
  const { signal } = options
  if (signal !== undefined && !(signal instanceof AbortSignal)) throwAsNode({ port: 0, signal })
  const place = placeOf(options)
  const backlog = [options.backlog, second, third].map(Number).find(isBacklog)
  return { place: place && backlog !== undefined ? { ...place, backlog } : place, callback, signal }
}

function optionsOf(first: unknown, second: unknown): NodeListenOptions {
  if (typeof first === 'object' && first !== null) return first
  if (typeof first === 'string' && !isPort(first)) return { path: first }
  return { port: first, ...(typeof second === 'string' && { host: second }) }
}

function placeOf(options: NodeListenOptions): ListenOptions | undefined {
  const { port, host, path, fd } = options
  if (typeof fd === 'number' && fd >= 0) return { fd }
  if (isHandle(options)) {
    throw new TypeError(
      'listen() cannot use the handle of another server for FastCGI. Pass { fd }, a port or a path.',
    )
  }
  if (port !== undefined && port !== null) {
    if (!isPort(port)) throwAsNode({ port, host })
    return { port: Number(port), host: host || undefined }
  }
  if (path !== undefined && path !== null) return { path: path as string, mode: modeOf(options) }
  // `{ port: undefined }` is the same as no argument. Node refuses options without any address.
  if (!('port' in options)) throwAsNode(options)
  return undefined
}

function isHandle(options: object): boolean {
  return '_handle' in options || options instanceof NetServer
}

function modeOf({ mode, readableAll, writableAll }: NodeListenOptions): number | undefined {
  if (mode !== undefined) return mode
  if (!readableAll && !writableAll) return undefined
  return 0o660 | (readableAll ? 0o444 : 0) | (writableAll ? 0o222 : 0)
}

// The argument of listen(2) is an int.
function isBacklog(value: number): boolean {
  return value > 0 && value === Math.trunc(value) && value < 2 ** 31
}

function isPort(value: unknown): boolean {
  if (typeof value !== 'number' && typeof value !== 'string') return false
  return String(value).trim() !== '' && Number(value) >>> 0 === Number(value) && Number(value) <= 65535
}

// Throws Node's own error for invalid options.
function throwAsNode(options: object): never {
  const server = new NetServer()
  server.on('error', () => {})
  server.listen(options).close()
  throw new TypeError(`listen() cannot use ${JSON.stringify(options)}. Pass a port, a path or { fd }.`)
}
