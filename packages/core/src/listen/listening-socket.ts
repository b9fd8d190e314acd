import { readFileSync, readlinkSync } from 'node:fs'
import { fstatSocket } from './stat.ts'

// The results by inode. They are kept, because the tables of a busy host are long, and a program checks more than once while it starts.
const results = new Map<string, boolean>()

/**
 * Whether descriptor `fd` is a listening socket, and not a connection, pipe, file or terminal. FastCGI 1.0 section 2.2 detects it with
 * getpeername(2). Node offers that only on a net.Socket, which would take over the descriptor. So this function reads /proc on Linux.
 */
export function isListeningSocket(fd: number, env: NodeJS.ProcessEnv): boolean {
  try {
    if (!fstatSocket(fd).isSocket()) return false
  } catch {
    return false
  }
  try {
    const inode = inodeOf(fd)
    if (inode === undefined) return false
    let isListening = results.get(inode)
    if (isListening === undefined) {
      isListening = isListeningUnix(inode) || isListeningTcp(inode, 'tcp') || isListeningTcp(inode, 'tcp6')
      results.set(inode, isListening)
    }
    return isListening
  } catch {
    // Without a readable /proc, assume that the socket listens, unless this is a CGI program. If it does not listen, listen(2) fails later.
    return env.GATEWAY_INTERFACE === undefined
  }
}

/** Returns the path at which the Unix socket `fd` was bound. Undefined if it has none. Throws without a readable /proc. */
export function unixPathOf(fd: number): string | undefined {
  const inode = inodeOf(fd)
  return inode === undefined ? undefined : rows('unix', inode).find((row) => row[6] === inode)?.[7]
}

function inodeOf(fd: number): string | undefined {
  return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1]
}

// The columns are Num RefCount Protocol Flags Type St Inode Path. The flags of a listening socket include 0x10000 (__SO_ACCEPTCON).
function isListeningUnix(inode: string): boolean {
  return rows('unix', inode).some((row) => row[6] === inode && (Number.parseInt(row[3]!, 16) & 0x10000) !== 0)
}

// The columns begin with sl local_address rem_address st, and column 9 is the inode. The state of a listening socket is 0A (TCP_LISTEN).
function isListeningTcp(inode: string, table: 'tcp' | 'tcp6'): boolean {
  return rows(table, inode).some((row) => row[9] === inode && row[3] === '0A')
}

// The rows that contain the number of the inode, perhaps in another column. A busy host has thousands of rows.
function rows(table: string, inode: string): string[][] {
  let text: string
  try {
    text = readFileSync(`/proc/self/net/${table}`, 'latin1')
  } catch (error) {
    // A kernel without IPv6 has no tcp6.
    if (table === 'tcp6') return []
    throw error
  }
  const lines = text.split('\n').filter((line) => line.includes(inode))
  return lines.map((line) => line.trim().split(/\s+/))
}
