import type { AddressInfo } from 'node:net'
import type { Handler } from '../exchange/exchange.ts'
import { answerCgi } from '../listen/cgi-process.ts'
import { checkOptions } from '../listen/check-options.ts'
import { findInherited, type Inherited } from '../listen/inherited.ts'
import { checkMode } from '../listen/listen.ts'
import type {
  FdListenOptions,
  ListenOptions,
  TcpListenOptions,
  UnixListenOptions,
} from '../listen/listen-options.ts'
import { type Handlers, toHandlers } from './handlers.ts'
import { type Launcher, takeLauncher } from './launcher.ts'
import { SERVER_OPTION_NAMES } from './option-names.ts'
import type { ServerOptions } from './options.ts'
import { endAtExceptions, endAtSignals } from './program-end.ts'
import { FastCgiServer } from './server.ts'
import { surviveAborts } from './unhandled-aborts.ts'

/** Where {@link serve} listens: at most one place. Without `port`, `path` and `fd` the process that started this one says where. */
type Place =
  | Optional<TcpListenOptions>
  | Optional<FdListenOptions>
  /** `mode` alone is for the path in FCGI_BRIDGE_LISTEN. */
  | Optional<UnixListenOptions>

type Optional<Options> = { [Name in keyof Options]?: Options[Name] | undefined }

interface ProgramOptions {
  /** Closes the server when it aborts. */
  signal?: AbortSignal
  /** Called for each address it listens on. */
  onListen?: (address: AddressInfo | string) => void
  /**
   * Default true: SIGTERM, SIGUSR1 (mod_fcgid, Apache) and SIGINT close the server, running requests finish, and the process
   * exits with 0. A second SIGINT exits at once; a second SIGTERM is no order to hurry, for mod_fcgid always sends two.
   * `'unless-handled'`: only those signals for which the program has no listener of its own.
   */
  handleSignals?: boolean | 'unless-handled'
  /**
   * Default true: an exception that nobody catches, where the program has no `uncaughtException` listener either, ends the
   * process with 1 once running requests have finished, so that it costs no request but its own. With either value an unhandled
   * rejection whose reason is the abort of a request goes to `onError`, and does not end the process.
   */
  handleExceptions?: boolean
}

/** Options of {@link serve}: where to listen, and all of the server's. Two places (`{ port, path }`) do not compile. */
export type ServeOptions = ServerOptions & ProgramOptions & Place

const NAMES = Object.keys({
  port: true,
  host: true,
  path: true,
  mode: true,
  fd: true,
  signal: true,
  onListen: true,
  handleSignals: true,
  handleExceptions: true,
} satisfies Record<Exclude<keyof ServeOptions, keyof ServerOptions>, true>).concat(SERVER_OPTION_NAMES)

/** Whether {@link serve} has an option of this name. */
export function isServeOption(name: string): boolean {
  return NAMES.includes(name)
}

/**
 * Runs a handler as this program's server. Without `path`, `port` or `fd` it listens where the one who started the process
 * says: a socket of systemd's, a listening fd 0, a CGI environment (then it answers that one request and exits), the variable
 * FCGI_BRIDGE_LISTEN; in this order. For fd 0 and CGI it sets `process.env.NODE_ENV` to `production` unless it is set, before it
 * returns: a front server started the program then, and mod_fcgid passes on no environment but PATH.
 *
 * Settles with the server when it listens. Where nobody waits for that, a failure ends the program with status 1
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
  checkOptions(options, NAMES)
  const { signal, onListen } = options
  const server = new FastCgiServer(toHandlers(handler), options)
  signal?.throwIfAborted()
  keepWithoutOutputs()
  if (onListen !== undefined) server.on('listening', onListen)
  try {
    const serving = await listen(server, options)
    if (serving === 'cgi') return server
  } catch (error) {
    // Of several addresses some may listen already.
    await server.close()
    throw error
  }
  const close = (): void => void server.close()
  if (signal?.aborted) close()
  signal?.addEventListener('abort', close, { once: true })
  server.once('close', () => signal?.removeEventListener('abort', close))
  const handleSignals = options.handleSignals ?? true
  if (handleSignals !== false)
    endAtSignals(server, handleSignals === 'unless-handled' ? handleSignals : 'always')
  // In front of endAtExceptions: the first listener decides.
  surviveAborts(server)
  if (options.handleExceptions ?? true) endAtExceptions(server)
  return server
}

async function listen(server: FastCgiServer, options: ServeOptions): Promise<'cgi' | 'listening'> {
  const { path, mode, port, host, fd } = options
  // A host alone is refused by listen(): it says where to listen, and only half of it.
  if (path !== undefined || port !== undefined || fd !== undefined || host !== undefined) {
    await server.listen({ path, mode, port, host, fd } as ListenOptions)
    return 'listening'
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
    await server.listen(address.path === undefined ? address : { ...address, mode })
  }
  return 'listening'
}

// mod_fcgid and CGI servers pass on no NODE_ENV, and frameworks show errors with their stacks to clients without it.
function isFrontServers(inherited: Inherited): boolean {
  return 'cgi' in inherited || inherited.listen.some(({ fd }) => fd === 0)
}

// Whoever started this process may have closed its outputs, or close them while it runs; and a log's disk may be full.
function keepWithoutOutputs(): void {
  for (const output of [process.stdout, process.stderr]) {
    if (!output.listeners('error').includes(ignore)) output.on('error', ignore)
  }
}

function ignore(): void {}

// A bare `serve(app)` has nobody to tell: say it as a program does, not with a stack.
function endProgramIfUnhandled(error: unknown): void {
  const end = (reason: unknown): void => {
    if (reason !== error) throw reason
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  }
  process.on('unhandledRejection', end)
  setImmediate(() => process.removeListener('unhandledRejection', end))
}
