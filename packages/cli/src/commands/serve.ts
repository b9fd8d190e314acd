import type { AddressInfo } from 'node:net'
import { type FastCgiServer, type Handler, type ServeOptions, serve } from '@fcgi-bridge/core'
import { type Command, Option } from 'commander'
import {
  formatCombined,
  formatShort,
  LOG_FORMATS,
  type LogEntry,
  type LogFormat,
  withLog,
} from '../app/access-log.ts'
import { type App, type AppKind, findApp } from '../app/find-app.ts'
import { handlersOf } from '../app/handlers.ts'
import { findModule, loadModule } from '../app/load-module.ts'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import { addListenFlags, type ListenFlags, listenOptionsOf } from '../listen-flags.ts'
import { painter, printJson } from '../terminal.ts'

interface ServeFlags extends ListenFlags {
  as?: AppKind
  export?: string
  log?: boolean
  logFormat: LogFormat
  json?: boolean
}

const HELP = `
Without --port, --path or --fd it listens where the one who started it says, the first of these that is there:
a socket of systemd's, a listening socket as standard input (mod_fcgid, lighttpd's bin-path, spawn-fcgi, H2O), a
CGI environment (it answers that one request), the variable FCGI_BRIDGE_LISTEN.

NODE_ENV is production, unless it is set.

Examples:
  fcgi-bridge serve ./app.js --port 9000
  fcgi-bridge serve ./app.js --path /run/app.sock --mode 660
  Apache:    FcgidWrapper "/usr/bin/env fcgi-bridge serve /srv/app.js --mount script-name" .web
  lighttpd:  "bin-path" => "/usr/local/bin/fcgi-bridge serve /srv/app.js"`

/** Adds `fcgi-bridge serve`: an app as a FastCGI server. */
export function addServe(program: Command): void {
  const command = program.command('serve')
  command
    .description("serve an app's module over FastCGI")
    .argument('<app>', 'the module that exports the app: an Express app, a listener, { fetch }, a function')
  addListenFlags(command)
    .addOption(
      new Option('--as <kind>', 'what a function is, where it does not say so itself').choices([
        'listener',
        'fetch',
      ]),
    )
    .option('--export <name>', 'the export that is the app (default: the default export)')
    .option('--log', 'a line for each request (default: where you say where to listen)')
    .option('--no-log', 'no lines')
    .addOption(
      new Option('--log-format <format>', 'how the lines look').choices(LOG_FORMATS).default('short'),
    )
    .option('--json', 'print the address and the lines as JSON')
    .addHelpText('after', HELP)
    .action(async (file: string, flags: ServeFlags) => {
      await serveApp(file, flags, listenOptionsOf(command, flags))
    })
}

async function serveApp(
  file: string,
  flags: ServeFlags,
  listen: ReturnType<typeof listenOptionsOf>,
): Promise<void> {
  process.env.NODE_ENV ??= 'production'
  const path = findModule(file)
  const app = await findApp(await loadModule(path), file, flags)
  // The program is the app, as if it had been started itself: where a front server names it in SCRIPT_FILENAME, its
  // mount is certain.
  process.argv[1] = path
  const isChild = isStartedByFrontServer(listen)
  const isLogged = flags.log ?? !isChild
  await listenFor(app, {
    ...listen,
    ...(flags.mount !== undefined && { mount: flags.mount }),
    wrap: isLogged ? (handler) => withLog(handler, logger(flags, isChild)) : (handler) => handler,
    // Else errors are in the front server's log alone.
    ...(isLogged && !isChild && { onError: (error: unknown) => console.error(error) }),
    ...(!isChild && { onListen: (address: AddressInfo | string) => announce(file, app, address, flags) }),
  })
}

async function listenFor(
  app: App,
  { wrap, ...options }: ServeOptions & { wrap: (handler: Handler) => Handler },
): Promise<FastCgiServer> {
  try {
    return await serve(handlersOf(app, wrap), options)
  } catch (error) {
    const { message } = error as Error
    throw new Failure(
      EXIT.listen,
      message.replace(
        /^Say serve\(app.*$/m,
        'Say --port 9000, --path /run/app.sock, or set FCGI_BRIDGE_LISTEN=127.0.0.1:9000.',
      ),
      { cause: error },
    )
  }
}

// Standard output is then nobody's, or under CGI the answer's.
function isStartedByFrontServer(listen: object): boolean {
  const { GATEWAY_INTERFACE, LISTEN_FDS, FCGI_BRIDGE_LISTEN } = process.env
  if (Object.keys(listen).some((name) => name !== 'mode')) return false
  return GATEWAY_INTERFACE !== undefined || LISTEN_FDS !== undefined || !FCGI_BRIDGE_LISTEN
}

function logger({ json, logFormat }: ServeFlags, isChild: boolean): (entry: LogEntry) => void {
  const output = isChild ? process.stderr : process.stdout
  const paint = painter(output)
  if (json) return (entry) => printJson({ request: entry }, output)
  const format = logFormat === 'combined' ? formatCombined : (entry: LogEntry) => formatShort(entry, paint)
  return (entry) => output.write(`${format(entry)}\n`)
}

function announce(file: string, app: App, address: AddressInfo | string, { json }: ServeFlags): void {
  if (json) {
    printJson({ listening: typeof address === 'string' ? { path: address } : hostAndPort(address) })
    return
  }
  const where = typeof address === 'string' ? address : shortAddress(address)
  process.stderr.write(
    `Serving ${file}, ${app.what}, over FastCGI on ${painter(process.stderr)('bold', where)}\n`,
  )
}

function hostAndPort({ address, port }: AddressInfo): { host: string; port: number } {
  return { host: address, port }
}

function shortAddress({ address, port, family }: AddressInfo): string {
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`
}
