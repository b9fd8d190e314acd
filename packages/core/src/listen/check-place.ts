import { withCode } from './listen-error.ts'
import type { ListenOptions } from './listen-options.ts'

// The size of sockaddr_un.sun_path (108 bytes on Linux, unix(7); 104 bytes on macOS and the BSDs) without the terminating NUL.
const PATH_BYTES_MAX = process.platform === 'linux' ? 107 : 103

// The largest argument of listen(2): an int.
const BACKLOG_MAX = 2 ** 31 - 1

/**
 * Checks that the options specify one address, with values in range. Throws a TypeError, a RangeError, or an Error with the system's
 * `code`. TypeScript reports most of these errors, but not in JavaScript programs or for values of type any.
 */
export function checkPlace(options: ListenOptions): void {
  const { path, port, host, mode, fd, backlog, reusePort } = options
  if ([path, port, fd].filter((given) => given !== undefined).length !== 1) {
    throw new TypeError('Specify one address to listen on: { path }, { port } or { fd }.')
  }
  if (host !== undefined && port === undefined) throw new TypeError('The option host needs the option port.')
  if (host !== undefined) checkHost(host)
  if (mode !== undefined && path === undefined) {
    throw new TypeError('The option mode is the mode of a Unix socket. It needs the option path.')
  }
  if (options.shared !== undefined && fd === undefined) {
    throw new TypeError('The option shared is for an inherited socket. It needs the option fd.')
  }
  if (mode !== undefined) checkMode(mode)
  if (path !== undefined) checkPath(path)
  // Node treats null as 0.
  if (port === null) throw new TypeError('The option port must be a number from 0 to 65535, not null.')
  if (backlog !== undefined) checkBacklog(backlog)
  if (reusePort) checkReusePort(port)
}

/** Throws a RangeError for an invalid mode, such as 660 instead of 0o660. */
export function checkMode(mode: unknown): void {
  if (typeof mode === 'number' && Number.isInteger(mode) && mode >= 0 && mode <= 0o777) return
  const octal = /^(?:0o?)?([0-7]{1,3})$/.exec(String(mode))?.[1]
  const hint = octal === undefined ? '' : ` Write 0o${octal}.`
  throw new RangeError(
    `The option mode must be an integer from 0 to 0o777, not ${JSON.stringify(mode)}.${hint}`,
  )
}

// Node listens on all addresses if the host is empty, and every peer that can connect is trusted. A variable that is not set must not do that.
function checkHost(host: unknown): void {
  if (typeof host === 'string' && host !== '') return
  throw new TypeError(
    `The option host must be an IP address or a host name, not ${JSON.stringify(host)}. Write '::' for all addresses, or leave it out for 127.0.0.1.`,
  )
}

function checkPath(path: string): void {
  if (typeof path !== 'string' || path === '') {
    throw new TypeError(`The option path must be the path of a Unix socket, not ${JSON.stringify(path)}.`)
  }
  // An abstract socket (unix(7)) has no file, so no mode can prevent other users of the machine from connecting.
  if (path.includes('\0')) {
    throw new TypeError(
      `The option path must not contain NUL: ${JSON.stringify(path)}. Abstract sockets are not supported, because every user of the machine could connect.`,
    )
  }
  const bytes = Buffer.byteLength(path)
  // Node 20 truncates a longer path, and listens there.
  if (bytes > PATH_BYTES_MAX) {
    throw withCode(
      'ENAMETOOLONG',
      `ENAMETOOLONG: cannot listen on ${path}: the path has ${bytes} bytes, but the path of a Unix socket can have only ${PATH_BYTES_MAX}. Choose a shorter path.`,
    )
  }
}

function checkBacklog(backlog: unknown): void {
  if (typeof backlog === 'number' && Number.isInteger(backlog) && backlog >= 1 && backlog <= BACKLOG_MAX)
    return
  throw new RangeError(
    `The option backlog must be an integer from 1 to ${BACKLOG_MAX}, not ${JSON.stringify(backlog)}.`,
  )
}

function checkReusePort(port: number | undefined): void {
  if (port === undefined) throw new TypeError('The option reusePort is for TCP. It needs the option port.')
  if (supportsReusePort(process.versions.node)) return
  // An older Node ignores this option, and a second process would then fail with EADDRINUSE.
  throw withCode(
    'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM',
    `The option reusePort needs Node 22.12, 23.1 or later, but this is Node ${process.versions.node}. Update Node, or share one socket between the processes.`,
  )
}

/** Whether this version of Node has the option `reusePort` of net.Server. */
export function supportsReusePort(version: string): boolean {
  const [major, minor] = version.split('.').map(Number) as [number, number]
  if (major === 22) return minor >= 12
  if (major === 23) return minor >= 1
  return major > 23
}
