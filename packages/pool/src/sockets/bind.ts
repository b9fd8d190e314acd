// Binds sockets without accepting on them. A net.Server would accept, and the master must not: its workers do.

import * as net from 'node:net'
import { getSystemErrorName } from 'node:util'

/** A socket that is bound, and that a child process can inherit. No process listens on it yet. */
export interface BoundHandle {
  /** The file descriptor, at least 3. It stays open until {@link close}. */
  readonly fd: number
  /** The TCP address with the port that the system chose. Undefined for a Unix socket. */
  readonly address: net.AddressInfo | undefined
  close(): void
}

// net.BoundSocket: Node 24.19 and 26. Older types and older versions of Node do not have it.
interface BoundSocket {
  fd(): number
  address(): net.AddressInfo | string
  close(): void
}
type BoundSocketConstructor = new (options: { port: number; host: string } | { path: string }) => BoundSocket

// net._createServerHandle is what node:cluster binds with on every version of Node. It returns a negative errno after a failure.
interface ServerHandle {
  readonly fd: number
  getsockname?(address: object): number
  close(): void
}
type CreateServerHandle = (address: string, port: number, type: 4 | 6 | -1) => ServerHandle | number

const { BoundSocket, _createServerHandle: createServerHandle } = net as unknown as {
  BoundSocket?: BoundSocketConstructor
  _createServerHandle?: CreateServerHandle
}

/** Binds a TCP port; 0 picks a free one. `host` is an IP address. Throws an Error with the system's `code`, such as `EADDRINUSE`. */
export function bindTcp(port: number, host: string): BoundHandle {
  if (BoundSocket !== undefined) return fromBoundSocket(new BoundSocket({ port, host }))
  const handle = create(host, port, net.isIPv6(host) ? 6 : 4)
  const address = {}
  // libuv reports EADDRINUSE here, not when it binds.
  const error = handle.getsockname!(address)
  if (error !== 0) {
    handle.close()
    throw systemError(error)
  }
  return { fd: handle.fd, address: address as net.AddressInfo, close: () => handle.close() }
}

/** Binds a Unix socket, which creates its file. Throws an Error with the system's `code`, such as `EADDRINUSE`. */
export function bindUnix(path: string): BoundHandle {
  if (BoundSocket !== undefined) return fromBoundSocket(new BoundSocket({ path }))
  const handle = create(path, -1, -1)
  return { fd: handle.fd, address: undefined, close: () => handle.close() }
}

function fromBoundSocket(socket: BoundSocket): BoundHandle {
  const address = socket.address()
  return {
    fd: socket.fd(),
    address: typeof address === 'string' ? undefined : address,
    close: () => socket.close(),
  }
}

function create(address: string, port: number, type: 4 | 6 | -1): ServerHandle {
  if (createServerHandle === undefined) {
    throw new Error(
      `This runtime (${process.version}) cannot bind a socket without accepting on it. Use Node.js 20.19 or later.`,
    )
  }
  const handle = createServerHandle(address, port, type)
  if (typeof handle === 'number') throw systemError(handle)
  return handle
}

function systemError(errno: number): Error {
  const code = getSystemErrorName(errno)
  return Object.assign(new Error(`bind ${code}`), { code, errno, syscall: 'bind' })
}
