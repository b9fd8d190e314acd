import { withCode } from './listen-error.ts'
import type { ListenOptions } from './listen-options.ts'

// sizeof(sockaddr_un.sun_path) without the NUL that ends it: unix(7); 104 bytes on macOS and the BSDs.
const PATH_BYTES_MAX = process.platform === 'linux' ? 107 : 103

// The largest argument of listen(2): an int.
const BACKLOG_MAX = 2 ** 31 - 1

/**
 * Checks that options name one address, with values in range. Throws a TypeError, a RangeError, or an Error with the system's
 * `code`. TypeScript refuses most of this, but JavaScript programs and values of type any get here.
 */
export function checkPlace(options: ListenOptions): void {
  const { path, port, host, mode, fd, backlog, reusePort } = options
  if ([path, port, fd].filter((given) => given !== undefined).length !== 1) {
    throw new TypeError('Say one place to listen: { path }, { port } or { fd }.')
  }
  if (host !== undefined && port === undefined) throw new TypeError('The option host needs the option port.')
  if (mode !== undefined && path === undefined) {
    throw new TypeError('The option mode is the mode of a Unix socket; it needs the option path.')
  }
  if (options.shared !== undefined && fd === undefined) {
    throw new TypeError('The option shared is about an inherited socket; it needs the option fd.')
  }
  if (mode !== undefined) checkMode(mode)
  if (path !== undefined) checkPath(path)
  // Node takes null for a free port.
  if (port === null) throw new TypeError('The option port is null; it takes a number from 0 to 65535.')
  if (backlog !== undefined) checkBacklog(backlog)
  if (reusePort) checkReusePort(port)
}

/** Throws a RangeError for a mode that no socket file can have, such as 660 instead of 0o660. */
export function checkMode(mode: unknown): void {
  if (typeof mode === 'number' && Number.isInteger(mode) && mode >= 0 && mode <= 0o777) return
  const octal = /^(?:0o?)?([0-7]{1,3})$/.exec(String(mode))?.[1]
  const hint = octal === undefined ? '' : ` Write 0o${octal}.`
  throw new RangeError(
    `The option mode is ${JSON.stringify(mode)}; it takes an integer from 0 to 0o777.${hint}`,
  )
}

function checkPath(path: string): void {
  if (typeof path !== 'string' || path === '') {
    throw new TypeError(`The option path is ${JSON.stringify(path)}; it takes the path of a Unix socket.`)
  }
  // An abstract socket (unix(7)) has no file, so no mode could keep other users of the machine out.
  if (path.includes('\0')) {
    throw new TypeError(
      `The option path is ${JSON.stringify(path)}; it takes a path without NUL. Abstract sockets are not supported: every user of the machine could connect.`,
    )
  }
  const bytes = Buffer.byteLength(path)
  // Node 20 truncates a longer path, and listens there.
  if (bytes > PATH_BYTES_MAX) {
    throw withCode(
      'ENAMETOOLONG',
      `ENAMETOOLONG: cannot listen on ${path}: the path has ${bytes} bytes, and that of a Unix socket has at most ${PATH_BYTES_MAX}. Choose a shorter path.`,
    )
  }
}

function checkBacklog(backlog: unknown): void {
  if (typeof backlog === 'number' && Number.isInteger(backlog) && backlog >= 1 && backlog <= BACKLOG_MAX)
    return
  throw new RangeError(
    `The option backlog is ${JSON.stringify(backlog)}; it takes an integer from 1 to ${BACKLOG_MAX}.`,
  )
}

function checkReusePort(port: number | undefined): void {
  if (port === undefined) throw new TypeError('The option reusePort is for TCP; it needs the option port.')
  if (supportsReusePort(process.versions.node)) return
  // Node ignores options that it does not know: a second process would fail with EADDRINUSE.
  throw withCode(
    'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM',
    `The option reusePort needs Node 22.12, 23.1 or later; this is ${process.versions.node}. Update Node, or share one socket between the processes.`,
  )
}

/** Whether this version of Node has the option `reusePort` of net.Server. */
export function supportsReusePort(version: string): boolean {
  const [major, minor] = version.split('.').map(Number) as [number, number]
  if (major === 22) return minor >= 12
  if (major === 23) return minor >= 1
  return major > 23
}
