// The file of a Unix socket that the pool has bound.

import { existsSync, lstatSync, unlinkSync } from 'node:fs'
import { bindAtPath, isSameFile } from '@fcgi-bridge/core/manager'
import { type BoundHandle, bindUnix } from './bind.ts'

/** A bound Unix socket and its file. */
export interface SocketFile extends BoundHandle {
  /** Removes the file, unless another socket has taken the path. Connections that wait in the queue stay. */
  unlink(): void
  /** Whether the file still exists and still belongs to this socket. */
  exists(): boolean
}

/** Binds a Unix socket at `path`, with the rules of {@link bindAtPath}. */
export async function bindSocketFile(path: string, mode: number): Promise<SocketFile> {
  const handle = await bindAtPath(path, mode, () => bindUnix(path))
  const file = lstatSync(path)
  const exists = () => isSameFile(path, file) === true
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
