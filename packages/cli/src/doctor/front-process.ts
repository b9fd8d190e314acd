import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { User } from '../examine/socket-access.ts'

const NAMES = /^(nginx|apache2|httpd|lighttpd|caddy|h2o|haproxy)$/

/** A front server that runs on this machine. */
interface FrontProcess {
  /** The name of its program. */
  name: string
  /** The user of one of its processes that does not run as root. Undefined: all of them run as root. */
  user: User | undefined
}

/**
 * Finds the server that listens on a port of this machine. If this process may not see the server's sockets, any process with the name of a
 * front server is returned. Reads /proc, so it returns undefined on systems other than Linux.
 */
export function findFrontProcess(port: number): FrontProcess | undefined {
  const inodes = listeningInodes(port)
  const all = processes()
  const listening = all.filter((pid) => holdsSocket(pid, inodes))
  // A user who is not root can read the names of all processes, but only the sockets of their own processes.
  const found = listening.length > 0 ? listening : all.filter((pid) => NAMES.test(nameOf(pid)))
  if (found.length === 0) return undefined
  const user = found.map(userOf).find((one) => one !== undefined && one.uid !== 0)
  return { name: nameOf(found[0]!), user }
}

function nameOf(pid: string): string {
  return read(`/proc/${pid}/comm`).trim()
}

function processes(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  } catch {
    return []
  }
}

// The inodes of the sockets that listen (state 0A) on this port. A line is `sl local_address rem_address st … inode`.
function listeningInodes(port: number): Set<string> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  const lines = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => read(file).split('\n'))
  const fields = lines.map((line) => line.trim().split(/\s+/))
  const listening = fields.filter((line) => line[1]?.endsWith(`:${hex}`) && line[3] === '0A')
  return new Set(listening.map((line) => line[9]!))
}

function holdsSocket(pid: string, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? []
      return inode !== undefined && inodes.has(inode)
    })
  } catch {
    return false
  }
}

function userOf(pid: string): User | undefined {
  const status = read(`/proc/${pid}/status`)
  // Both lines have four ids: real, effective, saved, file system.
  const [, uid] = /^Uid:\s+\d+\s+(\d+)/m.exec(status) ?? []
  const [, gid] = /^Gid:\s+\d+\s+(\d+)/m.exec(status) ?? []
  const [, groups = ''] = /^Groups:[ \t]*(.*)$/m.exec(status) ?? []
  if (uid === undefined || gid === undefined) return undefined
  return { uid: Number(uid), groups: [gid, ...groups.split(/\s+/).filter((one) => one !== '')].map(Number) }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}
