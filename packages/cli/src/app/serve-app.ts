import { existsSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { dirname, resolve } from 'node:path'
import {
  type FastCgiServer,
  type Handlers,
  reserveStandardOutput,
  type ServeOptions,
  setLauncher,
} from '@fcgi-bridge/core'
import { restartFilesIn } from '@fcgi-bridge/core/manager'
import { startedWith } from '@fcgi-bridge/core/started'
import { endProgram } from '../end-program.ts'
import { EXIT } from '../exit-codes.ts'
import type { ListenFlags } from '../listen-flags.ts'
import { ignoreOutputErrors } from '../output-errors.ts'
import { painter, printJson } from '../terminal.ts'
import { formatCombined, formatShort, type LogFormat } from './access-log.ts'
import { announce } from './announce.ts'
import { reportListening } from './detach.ts'
import { type LogEntry, logExchanges } from './exchange-log.ts'
import { serveFailure, serveRestart } from './failure-page.ts'
import { listenFailure } from './listen-failure.ts'
import { findModule, type Load } from './load-module.ts'
import { projectFolder } from './project-folder.ts'
import type { AppKind } from './recognize.ts'
import { RestartRequest, untilRestart } from './restart-while-loading.ts'
import { type Program, runModule } from './run-module.ts'
import { hasPlace, isStartedByFrontServer } from './started-by.ts'

/** The pool that a worker belongs to. */
interface WorkerOf {
  /** Whether a front server started the pool. */
  isChild: boolean
}

/** A program that contains its app: `fcgi-bridge bundle` writes such programs. */
interface Embedded {
  load: Load
  /** The folder of the app's project. It may be missing on this machine. */
  folder: string
  /** The path of the program. */
  file: string
  /** Whether the app may call `listen()` of an HTTP server. */
  mayListen: boolean
  /** Called when the app has loaded, before its server starts. */
  onServe: (kind: AppKind | 'program', what: string) => Promise<void>
}

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
  /** A folder. True: one in the folder of the app. */
  shared?: string | true
  restartFile?: string[]
  healthPath?: string
  drainDelay?: number
  logFile?: string
  /** False: leave the global `Request`, `Response` and `fetch` as they are. */
  overrideGlobalObjects: boolean
}

/**
 * Loads a module as {@link serveApp} does, prints what it would serve, and exits. Throws a Failure if it would serve nothing.
 */
export async function checkApp(file: string, flags: ServeFlags): Promise<never> {
  const { path } = prepare(file, false, undefined)
  await runModule({
    path,
    name: file,
    find: flags,
    overrideGlobalObjects: false,
    awaitsReady: false,
    listensOnce: false,
    onHttpListen: () => {},
    serve: async ({ what, app }) => {
      if (flags.json) printJson({ app: { kind: app?.kind ?? 'program', what } })
      else process.stdout.write(app === undefined ? `${file} is ${what}.\n` : `${file} exports ${what}.\n`)
      return await endProgram(EXIT.ok)
    },
  })
  return await endProgram(EXIT.ok)
}

/**
 * Serves a module as this program's FastCGI server: the app that it exports, its own HTTP server, or the app that it passes to `serve()`. The
 * server listens on the address in `listen`, else on the socket that the starting process provides. Throws a Failure if the module has
 * nothing to serve, or the server cannot listen.
 *
 * In a worker of a pool, `isWorkerOf` says whether a front server started the pool. The pool prints the addresses then. With `embedded`, this
 * program contains the app, and `file` is only its name.
 */
export async function serveApp(
  file: string,
  flags: ServeFlags,
  listen: ServeOptions,
  isWorkerOf?: WorkerOf,
  embedded?: Embedded,
): Promise<void> {
  const isChild = isWorkerOf?.isChild ?? isStartedByFrontServer(listen)
  ignoreOutputErrors()
  try {
    await runApp(file, flags, listen, isChild, isWorkerOf, embedded)
  } catch (error) {
    const isRestart = error instanceof RestartRequest
    if (!isChild || process.env.LISTEN_FDS !== undefined) {
      if (!isRestart) throw error
      // The process manager starts it again, as after a restart of an app that serves.
      process.stderr.write(`fcgi-bridge: ${error.message}\n`)
      return await endProgram(EXIT.ok)
    }
    setLauncher(undefined)
    if (isRestart) await serveRestart(error, listen)
    else await serveFailure(error, listen, flags.logFile)
    return
  }
  reportListening()
}

async function runApp(
  file: string,
  flags: ServeFlags,
  listen: ServeOptions,
  isChild: boolean,
  isWorkerOf: WorkerOf | undefined,
  embedded: Embedded | undefined,
): Promise<void> {
  const isPlaced = hasPlace(listen)
  const started = isPlaced ? undefined : startedWith()
  const { path, folder } = prepare(file, isChild, embedded)
  const isLogged = flags.log ?? !isChild
  // If a front server started this program, standard output is not connected, or carries the response (CGI).
  const output = isChild ? process.stderr : process.stdout
  if (isLogged) logExchanges(logger(flags, output))
  // The pool watches them, and reloads.
  const restartFiles = isWorkerOf === undefined ? restartFilesOf(flags, folder, path, isChild) : []
  const run = (): Promise<void> =>
    runModule({
      path,
      name: file,
      load: embedded?.load,
      ...(embedded !== undefined && { mayListen: embedded.mayListen }),
      find: flags,
      overrideGlobalObjects: flags.overrideGlobalObjects,
      awaitsReady: true,
      listensOnce: listen.fd !== undefined || (started !== undefined && started !== 'address'),
      onHttpListen: (address) => {
        process.stderr.write(
          `${file} also listens on ${address} itself. Requests there reach the app without the front server.\n`,
        )
      },
      serve: async ({ what, app, handlers, options, start }) => {
        await embedded?.onServe(app?.kind ?? 'program', what)
        const { port, host, path: _, mode, fd, backlog, reusePort, shared, onListen, ...own } = options
        if (flags.program !== undefined) process.argv[1] = flags.program
        const isReplaced = isPlaced || started !== undefined
        return startServer(start, handlers, {
          // Without this, errors appear only in the front server's log.
          ...(isLogged && !isChild && { onError: (error: unknown) => console.error(error) }),
          ...(isReplaced ? own : options),
          // The program may ask for a queue of another length. In a pool, the master's socket has one already.
          ...(isWorkerOf === undefined && backlog !== undefined && { backlog }),
          ...listen,
          restartFiles,
          ...(flags.mount !== undefined && { mount: flags.mount }),
          ...(flags.healthPath !== undefined && { healthPath: flags.healthPath }),
          // In a pool, the master waits, and only before its own end.
          ...(isWorkerOf !== undefined
            ? { drainDelay: 0 }
            : flags.drainDelay !== undefined && { drainDelay: flags.drainDelay }),
          ...(flags.maxBody !== undefined && { maxBodyBytes: flags.maxBody }),
          onListen: (address: AddressInfo | string) => {
            if (!isChild && isWorkerOf === undefined) announce(`${file}, ${what},`, address, flags.json)
            onListen?.(address)
          },
        } as ServeOptions)
      },
    })
  await untilRestart(restartFiles, run)
}

// Returns the path of the module and the folder of its project.
function prepare(
  file: string,
  isChild: boolean,
  embedded: Embedded | undefined,
): { path: string; folder: string } {
  process.env.NODE_ENV ||= 'production'
  const path = embedded?.file ?? findModule(file)
  const folder = embedded !== undefined && existsSync(embedded.folder) ? embedded.folder : projectFolder(path)
  // What the app prints while it loads must not be taken for its response.
  if (process.env.GATEWAY_INTERFACE !== undefined) reserveStandardOutput()
  // mod_fcgid sets the working directory to the folder of FcgidWrapper's program; lighttpd and systemd to the root or their own.
  if (isChild) process.chdir(folder)
  // Make the app's module the main script, as if Node had started it. If SCRIPT_FILENAME names the main script, the mount is certain.
  process.argv[1] = path
  process.argv.length = 2
  return { path, folder }
}

// As Passenger does, looks in the folder of the app. Also looks in the folder of the program that the front server runs.
function restartFilesOf(
  { restartFile = [], program }: ServeFlags,
  folder: string,
  module: string,
  isChild: boolean,
): string[] {
  const own = program === undefined ? [] : [program]
  const standard = [folder, dirname(program ?? module)].flatMap(restartFilesIn)
  // In full, because the app may change its working directory while it loads.
  return [...restartFile, ...(isChild ? [...own, ...standard] : [])].map((file) => resolve(file))
}

async function startServer(
  start: Program['start'],
  handlers: Handlers,
  options: ServeOptions,
): Promise<FastCgiServer> {
  try {
    return await start(handlers, options)
  } catch (error) {
    throw listenFailure(error)
  }
}

function logger(
  { logFormat, json, healthPath }: ServeFlags,
  output: NodeJS.WriteStream,
): (entry: LogEntry) => void {
  if (json) return (entry) => printJson({ request: entry }, output)
  const paint = painter(output)
  const format = logFormat === 'combined' ? formatCombined : (entry: LogEntry) => formatShort(entry, paint)
  return (entry) => {
    if (!isHealthCheck(entry, healthPath)) output.write(`${format(entry)}\n`)
  }
}

// Load balancers check the health every few seconds.
function isHealthCheck({ target }: LogEntry, healthPath: string | undefined): boolean {
  return healthPath !== undefined && target?.split('?', 1)[0] === healthPath
}
