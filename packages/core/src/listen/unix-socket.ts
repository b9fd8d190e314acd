import { renameSync, type Stats, unlinkSync } from 'node:fs'
import type { Server } from 'node:net'
import { isClusterWorker } from './cluster-worker.ts'
import type { ListeningFile } from './listener.ts'
import { closeServer, listening } from './net-server.ts'
import { bindAtPath, isSameFile } from './socket-path.ts'
import { lstatSocket } from './stat.ts'

/** Milliseconds between two checks whether the file of a Unix socket still exists. */
const CHECK_INTERVAL = 5000

/**
 * Makes `server` listen on a Unix socket whose file has `mode`, with the rules of {@link bindAtPath}, and returns its file. After a
 * rejection, nothing is listening.
 */
export async function listenOnPath(
  server: Server,
  path: string,
  mode: number,
  backlog: number | undefined,
): Promise<SocketFile> {
  try {
    await bindAtPath(path, mode, () => listening(server, () => server.listen({ path, backlog })))
    return new SocketFile(path)
  } catch (error) {
    // The file may have disappeared since bind(), or belong to another server. The caller cannot close the server, so close it here.
    if (server.listening) await closeServer(server)
    throw error
  }
}

/**
 * The file of a Unix socket on which this process listens. It is removed when the server drains, and when the process exits without
 * closing the server, but never if another server has taken the path. If it disappears, a warning is emitted, because nothing else would
 * show why requests no longer arrive.
 */
export class SocketFile implements ListeningFile {
  readonly #path: string
  readonly #stats: Stats
  // In a cluster the file belongs to the primary, which removes it with the last worker.
  readonly #isOfPrimary: boolean = isClusterWorker()
  readonly #remove = (): void => this.remove()
  readonly #check: NodeJS.Timeout

  constructor(path: string) {
    this.#path = path
    this.#stats = lstatSocket(path)
    process.once('exit', this.#remove)
    this.#check = setInterval(() => this.#warnIfLost(), CHECK_INTERVAL).unref()
  }

  /** Removes the file. Connections in the queue are still accepted, but no others can arrive. */
  remove(): void {
    clearInterval(this.#check)
    if (this.#isOfPrimary || isSameFile(this.#path, this.#stats) !== true) return
    try {
      unlinkSync(this.#path)
    } catch {
      // A program that has dropped its privileges cannot remove the file. The next server detects that it is stale.
    }
  }

  /** Closes `server`, which listens on this file. Settles when its connections are closed. */
  close(server: Server): Promise<void> {
    clearInterval(this.#check)
    process.removeListener('exit', this.#remove)
    return isSameFile(this.#path, this.#stats) ? closeServer(server) : closeKeepingFile(server, this.#path)
  }

  #warnIfLost(): void {
    if (isSameFile(this.#path, this.#stats) !== false) return
    clearInterval(this.#check)
    const message = `${this.#path} was removed or replaced by another file. No new connections can arrive. Restart this program.`
    process.emitWarning(message, { code: 'FCGI_WARN_SOCKET_LOST' })
  }
}

// When Node closes the server, it removes any file at the path. So move the file of another server away for that time.
function closeKeepingFile(server: Server, path: string): Promise<void> {
  const temporary = `${path}.${process.pid}`
  try {
    renameSync(path, temporary)
  } catch {
    // There is no file.
    return closeServer(server)
  }
  try {
    return closeServer(server)
  } finally {
    renameSync(temporary, path)
  }
}
