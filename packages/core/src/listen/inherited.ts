import { readFileSync, readlinkSync } from 'node:fs'
import { parseAddress } from './address.ts'
import type { ListenOptions } from './listen-options.ts'
import { fstatSocket } from './stat.ts'

/** Where a program was told to serve by whoever started it. */
export type Inherited = { listen: ListenOptions[] } | { cgi: true }

// sd_listen_fds(3): the first descriptor that systemd passes.
const SD_LISTEN_FDS_START = 3

/**
 * Finds out how this process was started: with sockets from systemd, with a listening socket as fd 0 (mod_fcgid,
 * spawn-fcgi, lighttpd, H2O: FastCGI 1.0 section 2.2), as a plain CGI program (RFC 3875), or with
 * FCGI_BRIDGE_LISTEN. Throws an Error that says what was looked for when it was none of them.
 */
export function findInherited(env: NodeJS.ProcessEnv = process.env): Inherited {
  const systemd = systemdDescriptors(env)
  if (systemd.length > 0) return { listen: systemd.map((fd) => ({ fd })) }
  if (isListeningSocket(0, env)) return { listen: [{ fd: 0 }] }
  if (env.GATEWAY_INTERFACE !== undefined) return { cgi: true }
  if (env.FCGI_BRIDGE_LISTEN) return { listen: [parseAddress(env.FCGI_BRIDGE_LISTEN)] }
  throw new Error(
    [
      'Where to listen? Nothing was said, and none of these was found:',
      `  a socket from systemd (LISTEN_PID and LISTEN_FDS)${systemdHint(env)}`,
      '  a listening socket as standard input (mod_fcgid, spawn-fcgi, lighttpd bin-path, H2O)',
      '  a CGI environment (GATEWAY_INTERFACE)',
      '  the variable FCGI_BRIDGE_LISTEN',
      "Say serve(app, { port: 9000 }), serve(app, { path: '/run/app.sock' }), or set FCGI_BRIDGE_LISTEN=127.0.0.1:9000.",
    ].join('\n'),
  )
}

/**
 * How a process was started for FastCGI: with sockets from systemd, with a listening socket as standard input, as a CGI program,
 * or with an address in FCGI_BRIDGE_LISTEN.
 */
export type StartedWith = 'systemd' | 'stdin' | 'cgi' | 'address'

/**
 * Finds out how this process was started, as {@link findInherited} does, and changes nothing. Undefined if it was not started for
 * FastCGI.
 */
export function startedWith(env: NodeJS.ProcessEnv = process.env): StartedWith | undefined {
  if (countSystemdSockets(env) > 0) return 'systemd'
  if (isListeningSocket(0, env)) return 'stdin'
  if (env.GATEWAY_INTERFACE !== undefined) return 'cgi'
  return env.FCGI_BRIDGE_LISTEN ? 'address' : undefined
}

// In a cluster the sockets are those of the primary, which listens for its workers.
function countSystemdSockets(env: NodeJS.ProcessEnv): number {
  const count = Number(env.LISTEN_FDS)
  const owner = Number(env.LISTEN_PID)
  if (!(count > 0)) return 0
  return owner === process.pid || (owner === process.ppid && isClusterWorker()) ? count : 0
}

// Loading node:cluster takes longer than all the rest here, so it is loaded only for a process that can be a worker.
function isClusterWorker(): boolean {
  return (
    process.connected &&
    (process.getBuiltinModule('node:cluster') as unknown as { isWorker: boolean }).isWorker
  )
}

function systemdDescriptors(env: NodeJS.ProcessEnv): number[] {
  const count = countSystemdSockets(env)
  if (count === 0) return []
  // They are for this process: what it starts must not take them for its own.
  delete env.LISTEN_PID
  delete env.LISTEN_FDS
  delete env.LISTEN_FDNAMES
  return Array.from({ length: count }, (_, i) => SD_LISTEN_FDS_START + i)
}

function systemdHint(env: NodeJS.ProcessEnv): string {
  if (env.LISTEN_PID === undefined) return ''
  return `: LISTEN_PID is ${env.LISTEN_PID}, this is process ${process.pid} (start it with exec)`
}

/**
 * True for a socket that listens: neither connected nor a pipe, file or terminal. Node has no getpeername for what
 * is not a net.Socket yet, and making one would take the descriptor over; Linux tells the same in /proc.
 */
function isListeningSocket(fd: number, env: NodeJS.ProcessEnv): boolean {
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
    // No /proc: a socket on fd 0 that is not a CGI program's is one to listen on; listen(2) will tell.
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
