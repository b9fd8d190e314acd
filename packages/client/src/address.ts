/**
 * The address of a FastCGI application: `{ path }`, `{ host, port }`, a port as a number, or text:
 * `'unix:/run/app.sock'`, `'/run/app.sock'`, `'127.0.0.1:9000'`, `'[::1]:9000'`, `'9000'`. The default host is
 * 127.0.0.1. A `path` that begins with a NUL is that of an abstract socket (Linux).
 */
export type FastCgiAddress =
  | string
  | number
  | { readonly path: string }
  | { readonly host?: string; readonly port: number }

/** A {@link FastCgiAddress} in the form that `net.connect` takes. */
export type SocketAddress = { readonly path: string } | { readonly host: string; readonly port: number }

const LOOPBACK = '127.0.0.1'

// The size of sun_path (sys/un.h) without the NUL at its end. Node 20 truncates a longer path and connects to another socket.
const PATH_MAX = process.platform === 'linux' ? 107 : 103

/** Parses an address in any of its forms. Throws TypeError for anything else, and for a path that is too long for a Unix socket. */
export function parseAddress(address: FastCgiAddress): SocketAddress {
  if (typeof address === 'string') return parseText(address)
  if (typeof address === 'number') return { host: LOOPBACK, port: checkPort(address, address) }
  if (typeof address !== 'object' || address === null) throw notAnAddress(address)
  const { path, host, port, ...others } = address as {
    [name: string]: unknown
    path?: unknown
    host?: unknown
    port?: unknown
  }
  const [unknown] = Object.keys(others)
  if (unknown !== undefined)
    throw notAnAddress(address, `An address has no member ${JSON.stringify(unknown)}.`)
  if (path !== undefined) {
    if (port !== undefined || host !== undefined) {
      throw notAnAddress(address, 'An address has a path or a port, not both.')
    }
    if (typeof path !== 'string' || path === '') throw notAnAddress(address)
    return { path: checkPath(path, address) }
  }
  if (host !== undefined && (typeof host !== 'string' || host === '')) {
    throw notAnAddress(address, 'The host must be a string that is not empty.')
  }
  return { host: host ?? LOOPBACK, port: checkPort(port, address) }
}

/** The address as a person would write it, for messages. */
export function formatAddress(address: SocketAddress): string {
  if ('path' in address) return address.path.replace(/^\0/, '@')
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
}

function parseText(text: string): SocketAddress {
  const path = text.startsWith('unix:')
    ? text.slice(5).replace(/^\/\//, '')
    : text.startsWith('/')
      ? text
      : ''
  if (path !== '') return { path: checkPath(path, text) }
  const match = /^(?:(?:\[([^\]]+)\]|([^:[\]/]+))?:)?(\d{1,5})$/.exec(text)
  if (match === null) throw notAnAddress(text)
  return { host: match[1] ?? match[2] ?? LOOPBACK, port: checkPort(Number(match[3]), text) }
}

function checkPort(port: unknown, address: unknown): number {
  if (Number.isInteger(port) && (port as number) > 0 && (port as number) < 65536) return port as number
  throw notAnAddress(address, port === undefined ? '' : 'The port must be an integer from 1 to 65535.')
}

function checkPath(path: string, address: unknown): string {
  if (path.includes('\0', 1)) throw notAnAddress(address, 'A path cannot contain a NUL byte.')
  const length = Buffer.byteLength(path)
  if (length > PATH_MAX) {
    throw new TypeError(
      `The path of a Unix socket can have up to ${PATH_MAX} bytes, but ${JSON.stringify(path)} has ${length}. Use a shorter path.`,
    )
  }
  return path
}

function notAnAddress(address: unknown, why = ''): TypeError {
  const shown = address === undefined ? 'undefined' : JSON.stringify(address)
  const forms = "{ path }, { host, port }, 9000, 'unix:/run/app.sock' or '127.0.0.1:9000'"
  return new TypeError(`${shown} is not a FastCGI address. Use ${forms}.${why && ` ${why}`}`)
}
