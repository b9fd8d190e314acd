interface CommonListenOptions {
  /**
   * How many connections may wait until the program accepts them: 1 or more, default 511. Linux limits it to the sysctl
   * `net.core.somaxconn` (4096 since Linux 5.4). Front servers fail to connect beyond it.
   */
  backlog?: number | undefined
}

/** A TCP port to listen on. */
export interface TcpListenOptions extends CommonListenOptions {
  /** TCP port, 0 to 65535; 0 picks a free one. */
  port: number
  /** TCP address; default 127.0.0.1. Any peer that can connect is trusted to name the client. */
  host?: string | undefined
  /**
   * Lets several processes listen on the same port with a socket each (SO_REUSEPORT); default false. The operating system spreads
   * connections over them. Connections that wait for a process that exits are lost, so share one socket between processes where that
   * matters. Needs Node 22.12, 23.1 or later, and Linux, FreeBSD 12, DragonFly BSD, Solaris 11.4 or AIX 7.2.5; otherwise `listen`
   * rejects.
   */
  reusePort?: boolean | undefined
  path?: undefined
  mode?: undefined
  fd?: undefined
  shared?: undefined
}

/** A Unix socket to listen on. */
export interface UnixListenOptions extends CommonListenOptions {
  /** Path of the socket, at most 107 bytes (103 outside Linux). A stale socket is replaced, a live one never. */
  path: string
  /** Mode of the socket's file from the moment it exists, 0 to 0o777; default 0o660. */
  mode?: number | undefined
  port?: undefined
  host?: undefined
  reusePort?: undefined
  fd?: undefined
  shared?: undefined
}

/** An inherited descriptor to listen on. */
export interface FdListenOptions extends CommonListenOptions {
  /** Number of an open file descriptor that is a listening socket. */
  fd: number
  /**
   * Another process keeps the socket open and serves its queue: `close` stops accepting at once and leaves the queue to it. Default false:
   * `close` accepts what waits in the queue first. Sockets from systemd are shared.
   */
  shared?: boolean | undefined
  port?: undefined
  host?: undefined
  reusePort?: undefined
  path?: undefined
  mode?: undefined
}

/** One address to listen on: a TCP port, a Unix socket, or an open file descriptor. */
export type ListenOptions = TcpListenOptions | UnixListenOptions | FdListenOptions
