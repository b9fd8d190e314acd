// The file of a Unix socket: its mode, a stale one that is in the way, and its removal.

import { once } from 'node:events'
import { chmodSync, existsSync, lstatSync, type Stats, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { type BoundHandle, bindUnix } from './bind.ts'
import { bindError, codeOf } from './bind-error.ts'

/** A bound Unix socket and its file. */
export interface SocketFile extends BoundHandle {
  /** Removes the file, unless another socket has taken the path. Connections that wait in the queue stay. */
  unlink(): void
  /** Whether the file is still there, and still this socket's. */
  exists(): boolean
}

/**
 * Binds a Unix socket at `path`. Replaces a file that no server listens on; never one that a live server listens on. The file has
 * `mode` from the moment it exists. Rejects with an Error that has the system's `code`, and says what to do.
 */
export async function bindSocketFile(path: string, mode: number): Promise<SocketFile> {
  const handle = await bindAt(path, mode, () => bindUnix(path))
  const file = lstatSync(path)
  const exists = () => isSame(path, file)
  const unlink = () => {
    if (exists()) unlinkSync(path)
  }
  const close = () => {
    unlink()
    // libuv removes whatever is at the path when it closes a socket that it has bound.
    if (!existsSync(path)) handle.close()
  }
  return { fd: handle.fd, address: undefined, exists, unlink, close }
}

/**
 * Calls `bind`, which binds a Unix socket at `path` before it returns, with the rules of {@link bindSocketFile} for the mode and for
 * a stale file.
 */
export async function bindAt<T>(path: string, mode: number, bind: () => T): Promise<Awaited<T>> {
  let bound: Awaited<T>
  try {
    bound = await withMode(mode, bind)
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE') {
      throw bindError(existsSync(dirname(path)) ? error : { code: 'ENOENT' }, path)
    }
    await removeStale(path)
    try {
      bound = await withMode(mode, bind)
    } catch (second) {
      throw bindError(second, path)
    }
  }
  if ((lstatSync(path).mode & 0o777) !== mode) chmodSync(path, mode)
  return bound
}

// bind() creates the file with the umask in force. Only the main thread can change the umask; elsewhere the mode is set afterwards.
function withMode<T>(mode: number, bind: () => T): T {
  if (!isMainThread) return bind()
  const before = process.umask(0o777 & ~mode)
  try {
    return bind()
  } finally {
    process.umask(before)
  }
}

async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path)
  if (!found.isSocket()) throw inUse(path, 'exists and is not a socket. Remove it')
  const probe = connect({ path })
  try {
    await once(probe, 'connect')
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT') return
    if (code !== 'ECONNREFUSED') {
      throw inUse(path, `exists, and a connection to it failed with ${code}. Stop its server`)
    }
    // Another program may have replaced the file since.
    if (isSame(path, found)) unlinkSync(path)
    return
  } finally {
    probe.destroy()
  }
  throw inUse(path, 'is in use by a live server. Stop it')
}

function inUse(path: string, what: string): Error {
  return Object.assign(new Error(`EADDRINUSE: ${path} ${what}, or choose another path.`), {
    code: 'EADDRINUSE',
  })
}

// A file system may give the same inode number to the next file.
function isSame(path: string, { ino, birthtimeMs }: Stats): boolean {
  try {
    const now = lstatSync(path)
    return now.ino === ino && now.birthtimeMs === birthtimeMs
  } catch {
    return false
  }
}
