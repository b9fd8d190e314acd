import { parseAddress } from './address.ts'
import { isClusterWorker } from './cluster-worker.ts'
import { hasHeldSockets } from './held-sockets.ts'
import { noAddressError } from './listen-error.ts'
import type { ListenOptions } from './listen-options.ts'
import { isListeningSocket } from './listening-socket.ts'

/** Where this program serves, as determined by the process that started it. */
export type Inherited = { listen: ListenOptions[] } | { cgi: true }

// sd_listen_fds(3): the first descriptor that systemd passes. A process manager of this project does the same.
const LISTEN_FDS_START = 3

/**
 * Detects how this process was started, in this order:
 *
 * 1. with sockets from a process manager that cannot know the LISTEN_PID of a program before it starts it: FCGI_BRIDGE_LISTEN_FDS is their
 *    number, from descriptor 3 on. The workers of @fcgi-bridge/pool set LISTEN_PID themselves, for programs without this package.
 * 2. with sockets from systemd (LISTEN_PID and LISTEN_FDS), also as a node:cluster worker of the process that systemd started
 * 3. with a listening socket as descriptor 0 (mod_fcgid, spawn-fcgi, lighttpd, H2O: FastCGI 1.0 section 2.2)
 * 4. as a plain CGI program (RFC 3875)
 * 5. with an address in FCGI_BRIDGE_LISTEN
 *
 * Throws an Error that lists these ways if it finds none of them. Removes the variables of 1 and 2 from `env`, because they are for this
 * process only, and not for the processes that it starts.
 */
export function findInherited(env: NodeJS.ProcessEnv = process.env): Inherited {
  const shared = takeSharedSockets(env)
  if (shared > 0) {
    return {
      listen: Array.from({ length: shared }, (_, i) => ({ fd: LISTEN_FDS_START + i, shared: true })),
    }
  }
  if (isListeningSocket(0, env)) return { listen: [{ fd: 0 }] }
  if (env.GATEWAY_INTERFACE !== undefined) return { cgi: true }
  if (env.FCGI_BRIDGE_LISTEN) return { listen: [parseAddress(env.FCGI_BRIDGE_LISTEN)] }
  throw noAddressError(
    [
      'There is no address to listen on. The options specify none, and none of these was found:',
      `  a socket from systemd (LISTEN_PID and LISTEN_FDS)${systemdHint(env)}`,
      '  a listening socket as standard input (mod_fcgid, spawn-fcgi, lighttpd bin-path, H2O)',
      '  a CGI environment (GATEWAY_INTERFACE)',
      '  the variable FCGI_BRIDGE_LISTEN',
    ].join('\n'),
    "Call serve(app, { port: 9000 }) or serve(app, { path: '/run/app.sock' }), or set FCGI_BRIDGE_LISTEN=127.0.0.1:9000.",
  )
}

/**
 * Whether this process received a socket that already listens. Front servers can connect to such a socket before the program has loaded.
 */
export function hasInheritedSocket(env: NodeJS.ProcessEnv = process.env): boolean {
  return countManagerSockets(env) > 0 || countSystemdSockets(env) > 0 || isListeningSocket(0, env)
}

/**
 * How a process was started for FastCGI: with sockets from systemd or a process manager, with a listening socket as standard input, as
 * a CGI program, or with an address in FCGI_BRIDGE_LISTEN.
 */
export type StartedWith = 'sockets' | 'stdin' | 'cgi' | 'address'

/** Finds out how this process was started, as {@link findInherited} does, and changes nothing. Undefined: not for FastCGI. */
export function startedWith(env: NodeJS.ProcessEnv = process.env): StartedWith | undefined {
  if (hasHeldSockets()) return 'sockets'
  if (countManagerSockets(env) > 0 || countSystemdSockets(env) > 0) return 'sockets'
  if (isListeningSocket(0, env)) return 'stdin'
  if (env.GATEWAY_INTERFACE !== undefined) return 'cgi'
  return env.FCGI_BRIDGE_LISTEN ? 'address' : undefined
}

function takeSharedSockets(env: NodeJS.ProcessEnv): number {
  const fromManager = countManagerSockets(env)
  delete env.FCGI_BRIDGE_LISTEN_FDS
  if (fromManager > 0) return fromManager
  const fromSystemd = countSystemdSockets(env)
  if (fromSystemd === 0) return 0
  delete env.LISTEN_PID
  delete env.LISTEN_FDS
  delete env.LISTEN_FDNAMES
  return fromSystemd
}

function countManagerSockets(env: NodeJS.ProcessEnv): number {
  return countOf(env.FCGI_BRIDGE_LISTEN_FDS)
}

// In a cluster, systemd started the primary, and a worker listens on the primary's descriptors.
function countSystemdSockets(env: NodeJS.ProcessEnv): number {
  const receiver = Number(env.LISTEN_PID)
  const isReceiver = receiver === process.pid || (receiver === process.ppid && isClusterWorker())
  return isReceiver ? countOf(env.LISTEN_FDS) : 0
}

function countOf(text: string | undefined): number {
  return /^\d{1,4}$/.test(text ?? '') ? Number(text) : 0
}

function systemdHint(env: NodeJS.ProcessEnv): string {
  if (env.LISTEN_PID === undefined) return ''
  return `: LISTEN_PID is ${env.LISTEN_PID}, but this is process ${process.pid} (start it with exec)`
}
