import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { inspect } from 'node:util'
import { reserveStandardOutput, type ServeOptions, serve } from '@fcgi-bridge/core'
import { endProgram } from '../end-program.ts'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import type { ListenFlags } from '../listen-flags.ts'
import { painter, printJson } from '../terminal.ts'
import { formatCombined, formatShort, type LogEntry, type LogFormat, withLog } from './access-log.ts'
import { announce } from './announce.ts'
import { reportListening } from './detach.ts'
import { logExchanges } from './exchange-log.ts'
import { serveFailure } from './failure-page.ts'
import { findApp } from './find-app.ts'
import { type HandlersOptions, handlersOf } from './handlers.ts'
import { findModule, loadModule } from './load-module.ts'
import { watchOwnServers } from './own-servers.ts'
import { projectFolder } from './project-folder.ts'
import type { App, AppKind } from './recognize.ts'
import { isStartedByFrontServer } from './started-by.ts'

/** The flags of `fcgi-bridge serve`. */
export interface ServeFlags extends ListenFlags {
  as?: AppKind
  export?: string
  /** Bytes. */
  maxBody?: number
  log?: boolean
  logFormat: LogFormat
  json?: boolean
  check?: boolean
  detach?: boolean
  program?: string
  restartFile?: string[]
  logFile?: string
  /** False: leave the global `Request`, `Response` and `fetch` as they are. */
  overrideGlobalObjects: boolean
}

/**
 * Loads a module's app as {@link serveApp} does, prints its kind, and exits without serving it. Throws a Failure if there is no
 * app.
 */
export async function checkApp(file: string, flags: ServeFlags): Promise<never> {
  const { app } = await loadApp(file, flags, false, () => {})
  if (flags.json) printJson({ app: { kind: app.kind, what: app.what } })
  else process.stdout.write(`${file} exports ${app.what}.\n`)
  return endProgram(EXIT.ok)
}

/**
 * Serves a module's app as this program's FastCGI server, on the address in `listen`, else on the socket that the starting process
 * provides. Throws a Failure if there is no app or the server cannot listen.
 *
 * In a worker of a pool, `isWorkerOf` says whether a front server started the pool. The pool prints the addresses then.
 */
export async function serveApp(
  file: string,
  flags: ServeFlags,
  listen: ServeOptions,
  isWorkerOf?: { isChild: boolean },
): Promise<void> {
  const isChild = isWorkerOf?.isChild ?? isStartedByFrontServer(listen)
  const loaded = await loadApp(file, flags, isChild, (address) => {
    process.stderr.write(
      `${file} also listens on ${address} itself. Requests there reach the app without the front server: leave listen() out, or keep it in another file that imports the app.\n`,
    )
  }).catch((error: unknown) => {
    if (!isChild || process.env.LISTEN_FDS !== undefined) throw error
    return serveFailure(error, listen, flags.logFile)
  })
  if (loaded === undefined) return
  const { app, path } = loaded
  // Make the app's module the main script, as if Node had started it. If SCRIPT_FILENAME names the main script, the mount is certain.
  process.argv[1] = flags.program ?? path
  const isLogged = flags.log ?? !isChild
  // If a front server started this program, standard output is not connected, or carries the response (CGI).
  const output = isChild ? process.stderr : process.stdout
  if (isLogged && flags.json) logExchanges((entry) => printJson({ request: entry }, output))
  await listenFor(app, {
    ...listen,
    overrideGlobalObjects: flags.overrideGlobalObjects,
    // The pool watches them, and reloads.
    restartFiles: isWorkerOf === undefined ? restartFilesOf(flags, path, isChild) : [],
    ...(flags.mount !== undefined && { mount: flags.mount }),
    ...(flags.maxBody !== undefined && { maxBodyBytes: flags.maxBody }),
    wrap:
      isLogged && !flags.json ? (handler) => withLog(handler, logger(flags, output)) : (handler) => handler,
    // Without this, errors appear only in the front server's log.
    ...(isLogged && !isChild && { onError: (error: unknown) => console.error(error) }),
    ...(!isChild &&
      isWorkerOf === undefined && {
        onListen: (address: AddressInfo | string) => announce(`${file}, ${app.what},`, address, flags.json),
      }),
  })
  reportListening()
}

async function loadApp(
  file: string,
  flags: ServeFlags,
  isChild: boolean,
  onOwnListen: (address: string) => void,
): Promise<{ app: App; path: string }> {
  process.env.NODE_ENV ||= 'production'
  const path = findModule(file)
  // What the app prints while it loads must not be taken for its response.
  if (process.env.GATEWAY_INTERFACE !== undefined) reserveStandardOutput()
  // mod_fcgid sets the working directory to the folder of FcgidWrapper's program; lighttpd and systemd to the root or their own.
  if (isChild) process.chdir(projectFolder(path))
  const { listens } = watchOwnServers(onOwnListen)
  const namespace = await loadModule(path)
  const app = await findApp(namespace, file, { ...flags, listens })
  if (!flags.check) await untilReady(namespace.ready, file)
  return { app, path }
}

// Optional: what a module has to do before its first request, such as connecting to a database.
async function untilReady(ready: unknown, file: string): Promise<void> {
  try {
    await (typeof ready === 'function' ? ready() : ready)
  } catch (error) {
    throw new Failure(EXIT.app, `${file} is not ready: its export 'ready' failed.\n\n${inspect(error)}`, {
      cause: error,
    })
  }
}

function restartFilesOf({ restartFile = [] }: ServeFlags, path: string, isChild: boolean): string[] {
  return isChild ? [...restartFile, ...restartFiles(path, process.argv[1]!)] : restartFile
}

// As Passenger has it: in the folder of the app, and in that of the program that the front server runs.
function restartFiles(module: string, program: string): string[] {
  const folders = [projectFolder(module), dirname(program)]
  return folders.flatMap((folder) => [join(folder, 'tmp/restart.txt'), join(folder, 'restart.txt')])
}

async function listenFor(
  app: App,
  { overrideGlobalObjects, wrap, ...options }: ServeOptions & HandlersOptions,
): Promise<void> {
  try {
    await serve(handlersOf(app, { overrideGlobalObjects, wrap }), options)
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

function logger({ logFormat }: ServeFlags, output: NodeJS.WriteStream): (entry: LogEntry) => void {
  const paint = painter(output)
  const format = logFormat === 'combined' ? formatCombined : (entry: LogEntry) => formatShort(entry, paint)
  return (entry) => output.write(`${format(entry)}\n`)
}
