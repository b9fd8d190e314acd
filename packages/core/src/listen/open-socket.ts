import type { AddressInfo, Server, Socket } from 'node:net'
import { withListenErrors } from './listen-error.ts'
import { Listener } from './listener.ts'
import { createFrontServer, listening } from './net-server.ts'
import { StandardDescriptor } from './standard-descriptor.ts'

/**
 * A socket that listens before there is a server for it. Its connections wait, unread, until {@link deliverTo} names their receiver. The
 * receiver can change: a process that has relayed its connections can begin to serve them.
 */
export class OpenSocket {
  readonly listener: Listener
  /** Where the socket listens. `fd 0` means an inherited Unix socket. */
  readonly address: AddressInfo | string
  readonly #waiting: Socket[] = []
  #receiver: ((socket: Socket) => void) | undefined

  private constructor(listener: Listener, address: AddressInfo | string) {
    this.listener = listener
    this.address = address
  }

  /** Opens the socket that a front server has passed as descriptor 0. Rejects if it does not listen. */
  static async standardInput(): Promise<OpenSocket> {
    return OpenSocket.open(
      (server) =>
        withListenErrors(
          listening(server, () => server.listen({ fd: 0 })),
          'file descriptor 0',
        ),
      (server) => new Listener(server, { standard: new StandardDescriptor(0) }),
    )
  }

  /** Opens a socket: `bind` makes a server listen, and `listenerOf` says how it closes. Rejects as `bind` does. */
  static async open(
    bind: (server: Server) => Promise<unknown>,
    listenerOf: (server: Server) => Listener,
  ): Promise<OpenSocket> {
    const early: Socket[] = []
    // A connection that waits must not be read: the receiver brings its own buffer.
    const server = createFrontServer((socket) => early.push(socket), { pauseOnConnect: true })
    await bind(server)
    const open = new OpenSocket(listenerOf(server), server.address() ?? 'fd 0')
    server.removeAllListeners('connection')
    server.on('connection', (socket) => open.accept(socket))
    for (const socket of early) open.accept(socket)
    return open
  }

  /** Gives `receiver` the connections that wait, and all later ones. They are paused: the receiver must resume them. */
  deliverTo(receiver: (socket: Socket) => void): void {
    this.#receiver = receiver
    for (const socket of this.#waiting.splice(0)) receiver(socket)
  }

  /** Lets all later connections wait for the next receiver. */
  hold(): void {
    this.#receiver = undefined
  }

  /** Takes a connection that an earlier receiver has not read, as if it arrived now. */
  accept(socket: Socket): void {
    if (this.#receiver === undefined) this.#waiting.push(socket)
    else this.#receiver(socket)
  }
}
