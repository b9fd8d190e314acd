import type { AddressInfo } from 'node:net'
import type { Handler } from '../exchange/exchange.ts'
import { answerCgi } from '../listen/cgi-process.ts'
import { checkOptions, LISTEN_OPTION_NAMES } from '../listen/check-options.ts'
import { checkMode } from '../listen/check-place.ts'
import { findInherited, type Inherited } from '../listen/inherited.ts'
import type {
  FdListenOptions,
  ListenOptions,
  TcpListenOptions,
  UnixListenOptions,
} from '../listen/listen-options.ts'
import { obeyEarlySignal } from './early-signals.ts'
import { type Handlers, toHandlers } from './handlers.ts'
import { type Launcher, takeLauncher } from './launcher.ts'
import { SERVER_OPTION_NAMES } from './option-names.ts'
import type { ServerOptions } from './options.ts'
import { endAtExceptions, endAtSignals, stop } from './program-end.ts'
import { defaultRestartFiles, watchRestartFiles } from './restart-file.ts'
import { FastCgiServer } from './server.ts'
import { surviveAborts } from './unhandled-aborts.ts'

/**
 * Where {@link serve} listens: at most one address. Without `port`, `path` and `fd` the process that started this one provides it;
 * `mode`, `backlog` and `reusePort` then apply to what it provides.
 */
type Place = Optional<TcpListenOptions> | Optional<FdListenOptions> | Optional<UnixListenOptions>

type Optional<Options> = { [Name in keyof Options]?: Options[Name] | undefined }

interface ProgramOptions {
  /** Closes the server when it aborts. */
  signal?: AbortSignal
  /** Called for each address it listens on. */
  onListen?: (address: AddressInfo | string) => void
  /**
   * Default true: on SIGTERM, SIGUSR1 (mod_fcgid, Apache) and SIGINT the server drains, and then the process exits with status 0. A
   * second SIGINT exits at once. A second SIGTERM does nothing, because mod_fcgid always sends two. A SIGTERM that arrived while the
   * program was loading has the same effect, if the process was started with a listening socket.
   * `'unless-handled'`: only the signals for which the program has no listener.
   */
  handleSignals?: boolean | 'unless-handled'
  /**
   * Default true: after an uncaught exception, if the program has no `uncaughtException` listener, the server drains and the process
   * exits with status 1, so that no other request is lost. With either value, an unhandled rejection whose reason is the abort of a
   * request goes to `onError` and does not end the process.
   */
  handleExceptions?: boolean
  /**
   * Files whose change ends the program as SIGTERM does: one that is written, touched or created. The front server or the process
   * manager then starts the new version. Each process checks them twice a second. Default: `tmp/restart.txt` and `restart.txt` in the
   * folder of the program (`process.argv[1]`) if a front server started it with descriptor 0, otherwise none. `[]` watches none.
   */
  restartFiles?: readonly string[]
}

/** Options of {@link serve}: where to listen, and all options of the server. Two addresses (`{ port, path }`) do not compile. */
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
  handleExceptions: true,
  restartFiles: true,
} satisfies Record<Exclude<keyof ServeOptions, keyof ServerOptions>, true>).concat(SERVER_OPTION_NAMES)

/** Whether {@link serve} has an option of this name. */
export function isServeOption(name: string): boolean {
  return NAMES.includes(name)
}

/**
 * Runs a handler as this program's server. Without `path`, `port` or `fd` it uses the first of these that exists: a socket from
 * systemd, a listening socket as descriptor 0, a CGI environment (it responds to that one request and exits), the address in the
 * variable FCGI_BRIDGE_LISTEN. With descriptor 0 and CGI, a front server has started the program, and mod_fcgid passes no environment
 * variable but PATH: `process.env.NODE_ENV` is then set to `production`, unless it is set, before this function returns.
 *
 * Settles with the server when it listens. If nothing handles the returned promise, a failure ends the program with status 1 and a
 * message that says what to do.
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
  checkOptions(options, NAMES)
  const { signal, onListen } = options
  const server = new FastCgiServer(toHandlers(handler), options)
  signal?.throwIfAborted()
  keepWithoutOutputs()
  if (onListen !== undefined) server.on('listening', onListen)
  let serving: Serving
  try {
    serving = await listen(server, options)
    if (serving === 'cgi') return server
  } catch (error) {
    // Some of several addresses may listen already.
    await server.close()
    throw error
  }
  const close = (): void => void server.close()
  if (signal?.aborted) close()
  signal?.addEventListener('abort', close, { once: true })
  server.once('close', () => signal?.removeEventListener('abort', close))
  const handleSignals = options.handleSignals ?? true
  if (handleSignals) endAtSignals(server, handleSignals === true ? 'always' : handleSignals)
  obeyEarlySignal(handleSignals ? stop : (signal) => process.kill(process.pid, signal))
  // Before endAtExceptions, because the first listener decides.
  surviveAborts(server)
  if (options.handleExceptions ?? true) endAtExceptions(server)
  const restartFiles = options.restartFiles ?? (serving === 'front server' ? defaultRestartFiles() : [])
  watchRestartFiles(server, restartFiles, () => {
    if (!handleSignals) close()
    // The program ends itself.
    else if (!stop('SIGTERM')) process.kill(process.pid, 'SIGTERM')
  })
  return server
}

/** How the program serves: one CGI request, a socket from the front server that started it, or an address. */
type Serving = 'cgi' | 'front server' | 'address'

async function listen(server: FastCgiServer, options: ServeOptions): Promise<Serving> {
  const { path, mode, port, host, fd, backlog, reusePort, shared } = options
  // listen() refuses half an address, such as a host alone.
  if ([path, port, fd, host, shared].some((given) => given !== undefined)) {
    const place = LISTEN_OPTION_NAMES.map((name) => [name, options[name]])
    await server.listen(Object.fromEntries(place) as ListenOptions)
    return 'address'
  }
  if (mode !== undefined) checkMode(mode)
  const inherited = findInherited()
  if (isFrontServers(inherited)) process.env.NODE_ENV ||= 'production'
  if ('cgi' in inherited) {
    answerCgi((stream) => server.acceptStream(stream)).then(async (status) => {
      await server.close()
      process.exit(status & 0xff)
    })
    return 'cgi'
  }
  for (const address of inherited.listen) {
    const ways = { backlog, ...(address.path !== undefined && { mode }), ...(reusePort && { reusePort }) }
    await server.listen({ ...address, ...ways } as ListenOptions)
  }
  return isFrontServers(inherited) ? 'front server' : 'address'
}

// mod_fcgid and CGI servers do not pass NODE_ENV, and without it frameworks send the stacks of errors to clients.
function isFrontServers(inherited: Inherited): boolean {
  return 'cgi' in inherited || inherited.listen.some(({ fd }) => fd === 0)
}

// The process that started this one may have closed its outputs, or close them later, and the disk of a log may be full.
function keepWithoutOutputs(): void {
  for (const output of [process.stdout, process.stderr]) {
    if (!output.listeners('error').includes(ignore)) output.on('error', ignore)
  }
}

function ignore(): void {}

// Nothing handles the promise of a bare `serve(app)`: print the message without a stack, as a program does.
function endProgramIfUnhandled(error: unknown): void {
  const end = (reason: unknown): void => {
    if (reason !== error) throw reason
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  }
  process.on('unhandledRejection', end)
  setImmediate(() => process.removeListener('unhandledRejection', end))
}
