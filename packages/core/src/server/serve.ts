import type { Handler } from '../exchange/exchange.ts'
import { serveCgi } from '../listen/cgi-process.ts'
import { checkOptions, LISTEN_OPTION_NAMES } from '../listen/check-options.ts'
import { checkMode } from '../listen/check-place.ts'
import { type HeldSockets, takeHeldSockets } from '../listen/held-sockets.ts'
import { findInherited, hasInheritedSocket, type Inherited } from '../listen/inherited.ts'
import type {
  FdListenOptions,
  ListenOptions,
  TcpListenOptions,
  UnixListenOptions,
} from '../listen/listen-options.ts'
import { handleEarlySignal } from './early-signals.ts'
import { type Handlers, toHandlers } from './handlers.ts'
import { type Launcher, takeLauncher } from './launcher.ts'
import { SERVER_OPTION_NAMES } from './option-names.ts'
import type { ServerOptions } from './options.ts'
import { endAtExceptions, endAtSignals, endWhenIdle, exitSoon, stop } from './program-end.ts'
import { checkProgramOptions, type ProgramOptions } from './program-options.ts'
import { defaultRestartFiles, rememberRestartFiles, watchRestartFiles } from './restart-file.ts'
import { FastCgiServer } from './server.ts'
import { surviveAborts } from './unhandled-aborts.ts'

// The program imports this module before it has loaded its app, and calls serve() later.
if (hasInheritedSocket()) rememberRestartFiles(defaultRestartFiles())

/**
 * Where {@link serve} listens: at most one address. Without `port`, `path` and `fd`, the process that started this one provides it.
 * `mode`, `backlog` and `reusePort` then apply to that address.
 */
type Place =
  | Optional<TcpListenOptions>
  | Optional<FdListenOptions>
  | Optional<UnixListenOptions>
  | SharedListenOptions

/** The address that the process that started this one provides, with an app that is shared with other processes. */
interface SharedListenOptions {
  /**
   * A folder. The first process that a front server starts serves the app for all others, which relay their requests to it. Under CGI it
   * runs in the background until no request has arrived for 5 minutes. The folder is created with mode 0700. The returned promise stays pending in a
   * process that relays. Such a process has loaded the app without using it. `fcgi-bridge serve --shared` avoids that.
   */
  shared: string
  port?: undefined
  host?: undefined
  path?: undefined
  mode?: undefined
  fd?: undefined
  backlog?: undefined
  reusePort?: undefined
}

type Optional<Options> = { [Name in keyof Options]?: Options[Name] | undefined }

/** Options of {@link serve}: where to listen, and all options of the server. Two addresses (`{ port, path }`) are a type error. */
export type ServeOptions = ServerOptions & ProgramOptions & Place

const NAMES = Object.keys({
  port: true,
  host: true,
  path: true,
  mode: true,
  fd: true,
  backlog: true,
  reusePort: true,
  shared: true,
  signal: true,
  onListen: true,
  handleSignals: true,
  drainDelay: true,
  handleExceptions: true,
  restartFiles: true,
} satisfies Record<Exclude<keyof ServeOptions, keyof ServerOptions>, true>).concat(SERVER_OPTION_NAMES)

/** Whether {@link serve} has an option of this name. */
export function isServeOption(name: string): boolean {
  return NAMES.includes(name)
}

/**
 * Runs a handler as this program's server. Without `path`, `port` or `fd`, it uses the first of these that exists:
 *
 * - a socket from a process manager or systemd
 * - a listening socket as descriptor 0
 * - a CGI environment: it serves that single request and exits
 * - the address in the variable FCGI_BRIDGE_LISTEN
 *
 * With descriptor 0 and CGI, a front server started the program. mod_fcgid passes no environment variable but PATH. So if
 * `process.env.NODE_ENV` is not set, it is set to `production` before this function returns.
 *
 * Returns the server when it listens. If the program does not handle a rejection of the returned promise, the program ends with status 1
 * and a message that says what to do.
 */
export function serve(handler: Handler | Handlers, options: ServeOptions = {}): Promise<FastCgiServer> {
  const launcher = takeLauncher()
  const starting =
    launcher === undefined ? start(handler, options) : startLaunched(launcher, handler, options)
  return starting.catch((error: unknown) => {
    endProgramIfUnhandled(error)
    throw error
  })
}

// An async function, so that all failures are rejections.
async function startLaunched(
  launcher: Launcher,
  handler: Handler | Handlers,
  options: ServeOptions,
): Promise<FastCgiServer> {
  return launcher.serve(toHandlers(handler), options, start)
}

async function start(handler: Handler | Handlers, options: ServeOptions): Promise<FastCgiServer> {
  checkOptions(options, NAMES, 'Write { onListen: callback }, or await the returned promise.')
  checkProgramOptions(options)
  const { signal, onListen, drainDelay = 0 } = options
  const server = new FastCgiServer(toHandlers(handler), options)
  signal?.throwIfAborted()
  ignoreOutputErrors()
  if (onListen !== undefined) server.on('listening', onListen)
  let serving: Serving
  try {
    serving = await listen(server, options)
    if (serving === 'cgi') return server
  } catch (error) {
    // If there are several addresses, the server may already listen on some of them.
    await server.close()
    throw error
  }
  const close = (): void => void server.close()
  if (signal?.aborted) close()
  signal?.addEventListener('abort', close, { once: true })
  server.once('close', () => signal?.removeEventListener('abort', close))
  const handleSignals = options.handleSignals ?? true
  if (handleSignals) endAtSignals(server, handleSignals === true ? 'always' : handleSignals, drainDelay)
  handleEarlySignal(handleSignals ? stop : (signal) => process.kill(process.pid, signal))
  // Before endAtExceptions, because the first listener decides.
  surviveAborts(server)
  if (options.handleExceptions ?? true) endAtExceptions(server)
  const restartFiles = options.restartFiles ?? (serving === 'front server' ? defaultRestartFiles() : [])
  const stopWatching = watchRestartFiles(restartFiles, () => {
    stopWatching()
    if (!handleSignals) close()
    // The program ends itself.
    else if (!stop('SIGTERM')) process.kill(process.pid, 'SIGTERM')
  })
  server.once('close', stopWatching)
  return server
}

/** How the program serves: one CGI request, a socket from the front server that started it, or an address. */
type Serving = 'cgi' | 'front server' | 'address'

async function listen(server: FastCgiServer, options: ServeOptions): Promise<Serving> {
  const { path, mode, port, host, fd, backlog, reusePort } = options
  // With a descriptor, `shared` is not a folder: it says whether another process holds the socket.
  const isFolder = typeof options.shared === 'string' && fd === undefined
  if (isFolder) {
    // Loaded on use: it loads node:crypto and node:child_process.
    const { share } = await import('../shared/share.ts')
    await share({ folder: options.shared })
  }
  // listen() refuses an incomplete address, such as a host alone.
  if ([path, port, fd, host, isFolder ? undefined : options.shared].some((given) => given !== undefined)) {
    const entries = LISTEN_OPTION_NAMES.map((name) => [name, options[name]])
    await server.listen(Object.fromEntries(entries) as ListenOptions)
    return 'address'
  }
  if (mode !== undefined) checkMode(mode)
  const held = takeHeldSockets()
  if (held !== undefined) return serveHeld(server, held)
  const inherited = findInherited()
  if (isFromFrontServer(inherited)) process.env.NODE_ENV ||= 'production'
  if ('cgi' in inherited) {
    serveCgi((stream) => server.acceptStream(stream)).then(async (status) => {
      await server.close()
      exitSoon(status & 0xff)
    })
    return 'cgi'
  }
  for (const address of inherited.listen) {
    const details = { backlog, ...(address.path !== undefined && { mode }), ...(reusePort && { reusePort }) }
    await server.listen({ ...address, ...details } as ListenOptions)
  }
  return isFromFrontServer(inherited) ? 'front server' : 'address'
}

function serveHeld(server: FastCgiServer, { sockets, idleTimeout, onServed }: HeldSockets): Serving {
  process.env.NODE_ENV ||= 'production'
  for (const socket of sockets) server.adopt(socket)
  onServed()
  if (idleTimeout !== undefined) endWhenIdle(server, idleTimeout)
  return 'front server'
}

// Whether a front server started this program. mod_fcgid and CGI servers do not pass NODE_ENV, and without it frameworks send the stacks of
// errors to clients.
function isFromFrontServer(inherited: Inherited): boolean {
  return 'cgi' in inherited || inherited.listen.some(({ fd }) => fd === 0)
}

// Prevents errors of standard output and standard error from ending the program. The process that started this one may have closed them, or
// close them later, and the disk of a log may be full.
function ignoreOutputErrors(): void {
  for (const output of [process.stdout, process.stderr]) {
    if (!output.listeners('error').includes(ignore)) output.on('error', ignore)
  }
}

function ignore(): void {}

// If the program does not handle the promise, as in a bare `serve(app)`, prints the message without a stack.
function endProgramIfUnhandled(error: unknown): void {
  const end = (reason: unknown): void => {
    if (reason !== error) throw reason
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  }
  process.on('unhandledRejection', end)
  setImmediate(() => process.removeListener('unhandledRejection', end))
}
