import { readFileSync, readlinkSync } from 'node:fs'
import { fstatSocket } from './stat.ts'

/**
 * Whether descriptor `fd` is a listening socket, and not a connection, pipe, file or terminal. Node has no getpeername(2) for a
 * descriptor without a net.Socket, and a net.Socket would take the descriptor over. On Linux, /proc has the same information.
 */
export function isListeningSocket(fd: number, env: NodeJS.ProcessEnv): boolean {
  try {
    if (!fstatSocket(fd).isSocket()) return false
  } catch {
    return false
  }
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1]
    return (
      inode !== undefined && (listensUnix(inode) || listensTcp(inode, 'tcp') || listensTcp(inode, 'tcp6'))
    )
  } catch {
    // There is no /proc. A socket as standard input of a program that is not a CGI program is assumed to listen; listen(2) fails
    // otherwise.
    return env.GATEWAY_INTERFACE === undefined
  }
}

// Num RefCount Protocol Flags Type St Inode Path; __SO_ACCEPTCON is 0x10000.
function listensUnix(inode: string): boolean {
  return rows('unix').some((row) => row[6] === inode && (Number.parseInt(row[3]!, 16) & 0x10000) !== 0)
}

// sl local_address rem_address st … inode; TCP_LISTEN is 0A.
function listensTcp(inode: string, table: 'tcp' | 'tcp6'): boolean {
  return rows(table).some((row) => row[9] === inode && row[3] === '0A')
}

function rows(table: string): string[][] {
  let text: string
  try {
    text = readFileSync(`/proc/self/net/${table}`, 'latin1')
  } catch (error) {
    // A kernel without IPv6 has no tcp6.
    if (table === 'tcp6') return []
    throw error
  }
  return text.split('\n').map((line) => line.trim().split(/\s+/))
}
