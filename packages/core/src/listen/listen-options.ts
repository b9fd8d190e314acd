interface CommonListenOptions {
  /**
   * How many connections the operating system queues until the program accepts them: 1 or more, default 511. Linux limits it to the sysctl
   * `net.core.somaxconn` (4096 since Linux 5.4). When the queue is full, front servers fail to connect.
   */
  backlog?: number | undefined
}

/** A TCP port to listen on. */
export interface TcpListenOptions extends CommonListenOptions {
  /** TCP port, 0 to 65535. 0 selects a free port. */
  port: number
  /** TCP address. Default 127.0.0.1. Every peer that can connect is trusted as a front server. */
  host?: string | undefined
  /**
   * Lets several processes listen on the same port with one socket each (SO_REUSEPORT). Default false. The operating system distributes
   * connections between them. When a process exits, the connections in its queue are lost. To avoid that, share one socket between
   * the processes. Needs Node 22.12, 23.1 or later, and Linux, FreeBSD 12, DragonFly BSD, Solaris 11.4 or AIX 7.2.5. Otherwise `listen`
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
  /** Path of the socket, up to 107 bytes (103 outside Linux). A stale socket is replaced, but a live one never is. */
  path: string
  /** Mode of the socket's file from the moment it exists, 0 to 0o777. Default 0o660. */
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
   * Another process keeps the socket open and serves its queue. If true, `close` stops accepting at once. If false (the default), `close`
   * first accepts the connections in the queue. Sockets from systemd are always shared.
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
