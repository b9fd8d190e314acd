import type { AddressInfo } from 'node:net'
import { answerCgi } from './cgi-process.ts'
import type { Handler } from './exchange.ts'
import { findInherited } from './inherited.ts'
import type { ListenOptions } from './listen.ts'
import type { ServerOptions } from './options.ts'
import { endAtExceptions, endAtSignals } from './program-end.ts'
import { createServer, type FastCgiServer, type Handlers } from './server.ts'
import { surviveAborts } from './unhandled-aborts.ts'

/** Options of {@link serve}: where to listen, and all of the server's. */
export interface ServeOptions extends ServerOptions, ListenOptions {
  /** Closes the server when it aborts. */
  signal?: AbortSignal
  /** Called for each address it listens on. */
  onListen?: (address: AddressInfo | string) => void
  /**
   * Default true: SIGTERM, SIGUSR1 (mod_fcgid, Apache) and SIGINT close the server, running requests finish, and the process
   * exits with 0. A second SIGINT exits at once; a second SIGTERM is no order to hurry, for mod_fcgid always sends two.
   */
  handleSignals?: boolean
  /**
   * Default true: an exception that nobody catches, where the program has no `uncaughtException` listener either, ends the
   * process with 1 once running requests have finished, so that it costs no request but its own. With either value an unhandled
   * rejection whose reason is the abort of a request goes to `onError`, and does not end the process.
   */
  handleExceptions?: boolean
}

/**
 * Runs a handler as this program's server. Without `path`, `port` or `fd` it listens where the one who started the process
 * says: a socket of systemd's, a listening fd 0, a CGI environment (then it answers that one request and exits), the variable
 * FCGI_BRIDGE_LISTEN; in this order.
 *
 * Settles with the server when it listens. Where nobody waits for that, a failure ends the program with status 1
 * and a message that says what to do.
 */
export function serve(handler: Handler | Handlers, options: ServeOptions = {}): Promise<FastCgiServer> {
  return start(handler, options).catch((error: unknown) => {
    endProgramIfUnhandled(error)
    throw error
  })
}

async function start(handler: Handler | Handlers, options: ServeOptions): Promise<FastCgiServer> {
  const { signal, onListen } = options
  const server = createServer(handler, options)
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
  if (options.handleSignals ?? true) endAtSignals(server)
  // In front of endAtExceptions: the first listener decides.
  surviveAborts(server)
  if (options.handleExceptions ?? true) endAtExceptions(server)
  return server
}

async function listen(server: FastCgiServer, options: ServeOptions): Promise<'cgi' | 'listening'> {
  const { path, mode, port, host, fd } = options
  if (path !== undefined || port !== undefined || fd !== undefined) {
    await server.listen(defined({ path, mode, port, host, fd }))
    return 'listening'
  }
  const inherited = findInherited()
  if ('cgi' in inherited) {
    answerCgi((stream) => server.acceptStream(stream)).then(async (status) => {
      await server.close()
      process.exit(status & 0xff)
    })
    return 'cgi'
  }
  for (const address of inherited.listen) await server.listen(defined({ ...address, mode }))
  return 'listening'
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

function defined(options: { [Name in keyof ListenOptions]: ListenOptions[Name] | undefined }): ListenOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
