import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import { unlinkFcgidSocket } from './fcgid-socket.ts'

/**
 * A listening socket that a front server passed as descriptor 0 (FastCGI 1.0 section 2.2), 1 or 2.
 *
 * - libuv never closes these descriptors. After `server.close()` the socket would listen until the process has exited, and would reset
 *   every connection that arrives.
 * - When a process exits, Node restores the flags that these descriptors had at its start. O_NONBLOCK belongs to the socket, not to the
 *   descriptor: other processes that share the socket (`spawn-fcgi -F 4`) would then block in accept(2), and ignore SIGTERM. Node
 *   skips a descriptor that is no longer the same file.
 *
 * Moving the socket to a higher descriptor would avoid both, but Node has no dup(2): /proc/self/fd cannot open a socket, and only
 * a child process can receive a copy.
 */
export class StandardDescriptor {
  readonly #fd: number
  readonly #release = (): void => this.release()

  constructor(fd: number) {
    this.#fd = fd
    process.once('exit', this.#release)
  }

  /** Makes sure that no connections arrive any more, if the front server lets this process do that. Returns whether it did. */
  removeFile(): boolean {
    return unlinkFcgidSocket(this.#fd)
  }

  /** Closes the descriptor and opens the null device instead. */
  release(): void {
    process.removeListener('exit', this.#release)
    try {
      closeSync(this.#fd)
      // The lowest free descriptor is used: another socket must not get this number.
      openSync(devNull, 'r+')
    } catch {
      // Other code has closed it.
    }
  }
}
