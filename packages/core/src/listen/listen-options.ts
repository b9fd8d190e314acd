/** A TCP port to listen on. */
export interface TcpListenOptions {
  /** TCP port, 0 to 65535; 0 picks a free one. */
  port: number
  /** TCP address; default 127.0.0.1. Any peer that can connect is trusted to name the client. */
  host?: string | undefined
  path?: undefined
  mode?: undefined
  fd?: undefined
}

/** A Unix socket to listen on. */
export interface UnixListenOptions {
  /** Path of the socket, at most 107 bytes (103 outside Linux). A stale socket is replaced, a live one never. */
  path: string
  /** Mode of the socket's file from the moment it exists, 0 to 0o777; default 0o660. */
  mode?: number | undefined
  port?: undefined
  host?: undefined
  fd?: undefined
}

/** An inherited descriptor to listen on. */
export interface FdListenOptions {
  /** Number of an open file descriptor that is a listening socket. */
  fd: number
  port?: undefined
  host?: undefined
  path?: undefined
  mode?: undefined
}

/** One address to listen on: a TCP port, a Unix socket, or an open file descriptor. */
export type ListenOptions = TcpListenOptions | UnixListenOptions | FdListenOptions
