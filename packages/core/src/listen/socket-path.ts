import { once } from 'node:events'
import { chmodSync, existsSync, type Stats, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { codeOf, listenError, withCode } from './listen-error.ts'
import { lstatSocket } from './stat.ts'

/**
 * Calls `bind`, which binds a Unix socket at `path` before it returns, so that the file has `mode` from the moment when it exists. A stale
 * file is replaced, but a file on which a server listens never is. Rejects with an Error that has the system's `code` and a message that
 * says what to do; the socket may be bound then.
 */
export async function bindAtPath<T>(path: string, mode: number, bind: () => T): Promise<Awaited<T>> {
  let bound: Awaited<T>
  try {
    bound = await withMode(mode, bind)
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE') {
      // Node reports EACCES for a missing folder, too.
      throw listenError(existsSync(dirname(path)) ? error : withCode('ENOENT', 'no such folder'), path)
    }
    await removeStale(path)
    try {
      bound = await withMode(mode, bind)
    } catch (second) {
      throw listenError(second, path)
    }
  }
  if ((lstatSocket(path).mode & 0o777) !== mode) chmodSync(path, mode)
  return bound
}

/**
 * Whether the file at `path` is the one that `stats` describes. An inode number alone is not enough: a file system reuses it for the next
 * file. Undefined if this user may not look.
 */
export function isSameFile(path: string, { ino, birthtimeMs }: Stats): boolean | undefined {
  try {
    const now = lstatSocket(path)
    return now.ino === ino && now.birthtimeMs === birthtimeMs
  } catch (error) {
    return codeOf(error) === 'EACCES' ? undefined : false
  }
}

// bind() creates the file with the current umask. Setting the umask for that call ensures that the file never has more permissions than
// `mode`. This is not possible in a worker thread, nor in a cluster, where the primary binds. There, the mode is changed afterwards.
function withMode<T>(mode: number, bind: () => T): T {
  const before = setUmask(0o777 & ~mode)
  try {
    return bind()
  } finally {
    if (before !== undefined) process.umask(before)
  }
}

/** Returns the umask before. Undefined if this is a worker thread, which cannot set it. */
function setUmask(mask: number): number | undefined {
  try {
    return process.umask(mask)
  } catch (error) {
    // Do not ask node:worker_threads instead. It takes 0.8 MiB on Node 26, and most processes do not load it otherwise.
    if (codeOf(error) === 'ERR_WORKER_UNSUPPORTED_OPERATION') return undefined
    throw error
  }
}

/** Removes a socket file on which no server listens. Throws if a server does, or if it is not a socket. */
async function removeStale(path: string): Promise<void> {
  const found = lstatSocket(path)
  if (!found.isSocket()) throw inUse(path, 'exists and is not a socket. Remove it')
  const probe = connect({ path })
  try {
    await once(probe, 'connect')
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT') return
    if (code !== 'ECONNREFUSED') {
      throw inUse(path, `exists, and the check whether it is in use failed (${code}). Stop its server`)
    }
    // Another server may have replaced it meanwhile.
    if (isSameFile(path, found)) unlinkSync(path)
    return
  } finally {
    probe.destroy()
  }
  throw inUse(path, 'is in use by a live server. Stop it')
}

function inUse(path: string, what: string): Error {
  return withCode('EADDRINUSE', `EADDRINUSE: ${path} ${what}, or choose another path.`)
}
