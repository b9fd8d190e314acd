import cluster from 'node:cluster'
import { once } from 'node:events'
import { chmodSync, existsSync, renameSync, type Stats, unlinkSync } from 'node:fs'
import { connect, type Server } from 'node:net'
import { dirname } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { codeOf, explain, withCode } from './listen-error.ts'
import { closeServer, listening } from './net-server.ts'
import { lstatSocket } from './stat.ts'

/** Milliseconds between two checks whether the file of a Unix socket still exists. */
const CHECK_INTERVAL = 5000

/**
 * Makes `server` listen on a Unix socket whose file has `mode`, and returns its file. A stale file is replaced, but a file on which a server
 * listens never is. After a rejection, nothing is listening.
 */
export async function listenOnPath(
  server: Server,
  path: string,
  mode: number,
  backlog: number | undefined,
): Promise<SocketFile> {
  const bind = (): Promise<void> => listening(server, () => bindWithMode(server, path, mode, backlog))
  try {
    await bind()
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE') {
      // Node reports EACCES for a missing folder, too.
      const reason = existsSync(dirname(path)) ? error : withCode('ENOENT', 'no such folder')
      await explain(Promise.reject(reason), path)
    }
    await removeStale(path)
    await explain(bind(), path)
  }
  try {
    if ((lstatSocket(path).mode & 0o777) !== mode) chmodSync(path, mode)
    return new SocketFile(path)
  } catch (error) {
    // The file may have disappeared since bind(), or belong to another server. The caller cannot close the server, so close it here.
    await closeServer(server)
    throw error
  }
}

// bind() creates the file with the current umask. Setting the umask for that call ensures that the file never has more permissions than
// `mode`. This is not possible in a worker thread, nor in a cluster, where the primary binds. There, the mode is changed afterwards.
function bindWithMode(server: Server, path: string, mode: number, backlog: number | undefined): void {
  if (!isMainThread) {
    server.listen({ path, backlog })
    return
  }
  const before = process.umask(0o777 & ~mode)
  try {
    server.listen({ path, backlog })
  } finally {
    process.umask(before)
  }
}

/** Removes a socket file on which no server listens. Throws if a server does, or if it is not a socket. */
async function removeStale(path: string): Promise<void> {
  const found = lstatSocket(path)
  if (!found.isSocket()) {
    throw withCode(
      'EADDRINUSE',
      `EADDRINUSE: ${path} exists and is not a socket. Remove it, or choose another path.`,
    )
  }
  const probe = connect({ path })
  try {
    await once(probe, 'connect')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    if (codeOf(error) === 'ECONNREFUSED') {
      // Another server may have replaced it meanwhile.
      if (isSame(path, found)) unlinkSync(path)
      return
    }
    throw withCode(
      'EADDRINUSE',
      `EADDRINUSE: ${path} exists, and the check whether it is in use failed (${codeOf(error)}). Stop its server, or choose another path.`,
    )
  } finally {
    probe.destroy()
  }
  throw withCode(
    'EADDRINUSE',
    `EADDRINUSE: ${path} is in use by a live server. Stop it, or choose another path.`,
  )
}

/**
 * The file of a Unix socket on which this process listens. It is removed when the server drains, and when the process exits without
 * closing the server, but never if another server has taken the path. If it disappears, a warning is emitted, because nothing else would
 * show why requests no longer arrive.
 */
export class SocketFile {
  readonly #path: string
  readonly #ours: Stats
  readonly #remove = (): void => this.remove()
  readonly #check: NodeJS.Timeout

  constructor(path: string) {
    this.#path = path
    this.#ours = lstatSocket(path)
    process.once('exit', this.#remove)
    this.#check = setInterval(() => this.#warnIfLost(), CHECK_INTERVAL).unref()
  }

  /** Removes the file. Connections in the queue are still accepted, but no others can arrive. */
  remove(): void {
    // In a cluster the file belongs to the primary, which removes it with the last worker.
    if (cluster.isWorker || isSame(this.#path, this.#ours) !== true) return
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
    return isSame(this.#path, this.#ours) ? closeServer(server) : closeBeside(server, this.#path)
  }

  #warnIfLost(): void {
    if (isSame(this.#path, this.#ours) !== false) return
    clearInterval(this.#check)
    const message = `${this.#path} was removed or replaced by another file. No new connections can arrive. Restart this program.`
    process.emitWarning(message, { code: 'FCGI_WARN_SOCKET_LOST' })
  }
}

// When Node closes the server, it removes any file at the path. So move the file of another server away for that time.
function closeBeside(server: Server, path: string): Promise<void> {
  const aside = `${path}.${process.pid}`
  try {
    renameSync(path, aside)
  } catch {
    // There is no file.
    return closeServer(server)
  }
  try {
    return closeServer(server)
  } finally {
    renameSync(aside, path)
  }
}

// An inode number alone is not enough: a file system reuses it for the next file. Undefined if this user may not look.
function isSame(path: string, { ino, birthtimeMs }: Stats): boolean | undefined {
  try {
    const now = lstatSocket(path)
    return now.ino === ino && now.birthtimeMs === birthtimeMs
  } catch (error) {
    return codeOf(error) === 'EACCES' ? undefined : false
  }
}
