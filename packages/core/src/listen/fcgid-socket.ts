import { unlinkSync } from 'node:fs'
import { basename, isAbsolute } from 'node:path'
import { unixPathOf } from './listening-socket.ts'

/**
 * Removes the file of the listening socket `fd` if mod_fcgid has created it for this process alone. Returns whether it did.
 *
 * mod_fcgid 2.3.9 then gets ENOENT, and gives the request to another process. If it connects to a socket that closes a moment later, the
 * client gets a 500.
 */
export function unlinkFcgidSocket(fd: number): boolean {
  try {
    const path = unixPathOf(fd)
    if (path === undefined || !isOfThisProcess(path)) return false
    unlinkSync(path)
    return true
  } catch {
    // With suEXEC, the folder belongs to Apache's user. Systems other than Linux have no /proc.
    return false
  }
}

// mod_fcgid names a socket PID.COUNT. PID is its process manager, the parent of the processes that it starts.
function isOfThisProcess(path: string): boolean {
  const [pid, count, ...more] = basename(path).split('.')
  return isAbsolute(path) && pid === String(process.ppid) && /^\d+$/.test(count ?? '') && more.length === 0
}
