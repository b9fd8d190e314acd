import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ListenOptions, ServeOptions } from '@fcgi-bridge/core'
import { findInherited, restartFilesIn } from '@fcgi-bridge/core/manager'
import { type Pool, PoolError, type RunPoolOptions, runPool } from '@fcgi-bridge/pool'
import { announce } from '../app/announce.ts'
import { reportListening } from '../app/detach.ts'
import { listenFailure } from '../app/listen-failure.ts'
import { findModule } from '../app/load-module.ts'
import { projectFolder } from '../app/project-folder.ts'
import type { ServeFlags } from '../app/serve-app.ts'
import { hasPlace, isStartedByFrontServer } from '../app/started-by.ts'
import { endProgram } from '../end-program.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import { ignoreOutputErrors } from '../output-errors.ts'
import type { PoolFlags } from '../pool-flags.ts'
import { shellWord } from '../shell-word.ts'
import { controlPath } from './control-path.ts'
import { logPool } from './pool-log.ts'
import type { WorkerOptions } from './worker.ts'

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url))

/** Serves a module's app as `serveApp` does, in `workers` processes. This process never loads the app. */
export async function servePool(
  file: string,
  flags: ServeFlags & PoolFlags,
  listen: ServeOptions,
  workers: number | 'auto',
): Promise<void> {
  const path = findModule(file)
  process.env.NODE_ENV ||= 'production'
  const isChild = isStartedByFrontServer(listen)
  const { logFile } = flags
  const forWorkers = {
    ...flags,
    log: flags.log ?? !isChild,
    // The workers may have another working directory.
    ...(logFile !== undefined && { logFile: resolve(logFile) }),
  }
  const { backlog } = listen
  const options: WorkerOptions = { file, path, flags: forWorkers, isChild, backlog }
  await runWorkers(
    { script: WORKER, args: [JSON.stringify(options)], ...(isChild && { cwd: projectFolder(path) }) },
    { file, path, flags, listen, workers },
  )
}

/** Runs a program that calls `serve(app)` itself in `workers` processes. */
export async function runProgram(
  file: string,
  args: readonly string[],
  flags: PoolFlags & { json?: boolean },
  listen: ServeOptions,
  workers: number | 'auto',
): Promise<void> {
  const path = findModule(file)
  await runWorkers({ script: path, args }, { file, path, flags, listen, workers })
}

interface Run {
  file: string
  path: string
  flags: PoolFlags & { json?: boolean }
  listen: ServeOptions
  workers: number | 'auto'
}

async function runWorkers(
  program: Pick<RunPoolOptions, 'script' | 'args' | 'cwd'>,
  { file, path, flags, listen, workers }: Run,
): Promise<void> {
  const { perWorkerSockets, maxRequests, maxMemory, maxAge } = flags
  const { startTimeout, stopTimeout, stuckTimeout, drainDelay, slow: slowAfter, status, statusHttp } = flags
  const json = flags.json === true
  const isAddressKnown = !isStartedByFrontServer(listen)
  const control = controlPath(flags)
  if (perWorkerSockets && !hasPlace(listen)) {
    throw new Failure(
      EXIT.usage,
      '--per-worker-sockets needs an address. Add --path /run/app.%i.sock, or --port 9000 for the first port.',
    )
  }
  ignoreOutputErrors()
  try {
    const pool = await runPool({
      ...program,
      workers,
      ...given({ listen: listenOf(listen) }),
      ...given({ perWorkerSockets, maxRequests, maxMemory, maxAge }),
      ...given({ startTimeout, stopTimeout, stuckTimeout, drainDelay }),
      ...given({ slowAfter, control, status, statusHttp }),
      app: { name: file, path },
      restartFiles: restartFilesOf(flags, path),
      onCreate: (pool) => logPool(pool, json),
    })
    if (isAddressKnown) announceAll(pool, file, json)
    endWhenClosed(pool)
    reportListening()
  } catch (error) {
    // A signal came while the app was loading: no failure.
    if (error instanceof PoolError && error.code === 'FCGI_ERR_POOL_CLOSED') await endProgram(EXIT.ok)
    throw asFailure(error as Error, path === program.script ? exportAdvice(error, file) : '')
  }
}

// `fcgi-bridge run` does not serve what a program exports. Such a program ends at once.
function exportAdvice(error: unknown, file: string): string {
  const { code, exit } = error as Partial<PoolError>
  return code === 'FCGI_ERR_POOL_START' && exit?.code === 0
    ? ` If it exports its app instead, run: fcgi-bridge serve ${shellWord(file)} --workers NUMBER`
    : ''
}

// The pool's option `listen`. Undefined if the starting process provides the sockets, and no flag concerns them.
function listenOf(listen: ServeOptions): ListenOptions | ListenOptions[] | undefined {
  const { path, port, fd, mode, backlog } = listen
  if (path !== undefined || port !== undefined || fd !== undefined) return listen as ListenOptions
  if (mode === undefined && backlog === undefined) return undefined
  const inherited = findInherited()
  if ('cgi' in inherited) return undefined
  return inherited.listen.map((address) => ({
    ...address,
    ...given({ backlog, mode: address.path === undefined ? undefined : mode }),
  })) as ListenOptions[]
}

function announceAll(pool: Pool, file: string, json: boolean): void {
  const { addresses, wanted } = pool.status()
  const workers = wanted === 1 ? '1 worker' : `${wanted} workers`
  for (const address of addresses) announce(`${file} with ${workers}`, address, json)
}

// A log's reader or another open handle must not keep a stopped program alive.
function endWhenClosed(pool: Pool): void {
  pool.once('close', () => void endProgram(EXIT.ok))
}

function asFailure(error: Error, advice: string): Error {
  if (error instanceof PoolError) {
    // The worker has printed the reason.
    const status = error.exit?.code ?? EXIT.app
    const isOurs = (Object.values(EXIT) as number[]).includes(status) && status > EXIT.failed
    return new Failure(isOurs ? (status as ExitCode) : EXIT.app, error.message + advice, { cause: error })
  }
  return listenFailure(error)
}

function restartFilesOf({ restartFile = [] }: PoolFlags, path: string): string[] {
  return [...restartFile, ...restartFilesIn(projectFolder(path))]
}

// Returns `options` without the properties that are undefined.
function given<T extends object>(options: T): { [Name in keyof T]: Exclude<T[Name], undefined> } {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [Name in keyof T]: Exclude<T[Name], undefined> }
}
