import { setTimeout } from 'node:timers/promises'
import { inspect } from 'node:util'
import {
  type FastCgiServer,
  type Handlers,
  type Launcher,
  type ServeOptions,
  serve,
  setLauncher,
} from '@fcgi-bridge/core'
import { endProgram } from '../end-program.ts'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import { isClusterPrimary } from './cluster-workers.ts'
import { type FindOptions, findApp, NoAppFailure } from './find-app.ts'
import { loadHandlers } from './handlers.ts'
import { type Load, loadModule } from './load-module.ts'
import type { App } from './recognize.ts'

/** What a module serves, before its server starts. */
export interface Program {
  /** A description for messages: `an Express app`. */
  what: string
  /** The app that it exports; undefined if it calls `listen()` or `serve()` itself. */
  app: App | undefined
  handlers: Handlers
  /** The options of its own `serve()`. */
  options: ServeOptions
  /** Starts the server. */
  start: (handlers: Handlers, options: ServeOptions) => Promise<FastCgiServer>
}

/** How {@link runModule} runs a module. */
interface ModuleRun {
  /** The real path of the module. */
  path: string
  /** The module as the user named it. */
  name: string
  /** How to load the module. Default: import it. */
  load?: Load | undefined
  /** False: the module does not call `listen()` of an HTTP server. Default: true. */
  mayListen?: boolean
  find: FindOptions
  /** Replace the global `Request`, `Response` and `fetch` if the module exports a fetch handler. */
  overrideGlobalObjects: boolean
  /** Wait for the module's export `ready`, a promise or a function, before its app is served. */
  awaitsReady: boolean
  /** Listening works only once, because this process inherited the socket, or serves a CGI request. */
  listensOnce: boolean
  /** Serves the program. If it rejects, the process is about to end. */
  serve: (program: Program) => Promise<FastCgiServer>
  /** Called with the address of each HTTP server that the module starts in addition. */
  onHttpListen: (address: string) => void
}

/**
 * Loads a module and serves its HTTP server, the app that it passes to `serve()` of an adapter, or else the app that it exports. If
 * there is none of them when the module has loaded, waits until the module listens. Programs that first connect to a database listen late.
 *
 * Resolves when the server listens. Throws a Failure if the module cannot be loaded, or ends without a server.
 */
export async function runModule({
  path,
  name,
  load,
  mayListen = true,
  find,
  ...run
}: ModuleRun): Promise<void> {
  let app: App | undefined
  // The module has called listen() of its HTTP server, or serve().
  let hasServer = false
  let onServing: (serving: Promise<FastCgiServer>) => void
  const served = new Promise<FastCgiServer>((resolve) => {
    onServing = resolve
  })
  const launcher: Launcher = {
    serve(handlers, options, start) {
      const what = app?.what ?? (hasServer ? 'an HTTP server' : 'a program that calls serve()')
      hasServer = true
      const serving = run.serve({ what, app, handlers, options, start })
      onServing(serving)
      // The process ends, and the program must not report the failure as well.
      return serving.catch(() => new Promise(() => {}))
    },
  }
  setLauncher(launcher)
  if (mayListen) {
    const { serveProgramServer } = await import('@fcgi-bridge/express-adapter/program')
    serveProgramServer({
      launcher,
      listensOnce: run.listensOnce,
      // If the user names an export, serve that export.
      isEnabled: find.as === undefined && find.export === undefined,
      onServe: () => {
        hasServer = true
      },
      onHttpListen: run.onHttpListen,
    })
  }
  // The module may never finish loading: it may await its server.
  const namespace = await Promise.race([loadModule(path, load), served.then(() => undefined)])
  if (namespace !== undefined && !hasServer) {
    try {
      app = await findApp(namespace, name, find)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      if (!hasServer) await waitForServer(name, served, error, run.listensOnce)
    }
    if (app !== undefined && run.awaitsReady) await untilReady(namespace.ready, name)
    // The module may have begun to listen while the app was started.
    if (app !== undefined && !hasServer) {
      const handlers = await loadHandlers(app, run.overrideGlobalObjects)
      if (!hasServer) void serve(handlers)
    }
  }
  await served
}

// Waits for the module's export `ready`, which is optional. The module can connect to a database there, for example.
async function untilReady(ready: unknown, name: string): Promise<void> {
  try {
    await (typeof ready === 'function' ? ready() : ready)
  } catch (error) {
    const message = `${name} is not ready: its export 'ready' failed.\n\n${inspect(error)}`
    throw new Failure(EXIT.app, message, { cause: error })
  }
}

// A program without an app may listen later. Waits for that. Rejects with `failure` if the event loop becomes empty first. If the module has
// an export that was probably meant as an app, rejects after MISTAKE_TIMEOUT. If `isAwaited`, a front server has a request for this process,
// so rejects after REQUEST_TIMEOUT: the client then gets a page that names the log.
async function waitForServer(
  name: string,
  served: Promise<unknown>,
  failure: Failure,
  isAwaited: boolean,
): Promise<void> {
  const isLikelyMistake = !(failure instanceof NoAppFailure)
  const timer = new AbortController()
  // Under `fcgi-bridge dev` the channel to the parent would keep this process from ending.
  process.channel?.unref()
  const ended = new Promise<never>((_, reject) => {
    process.once('beforeExit', () => (isClusterPrimary() ? endProgram(EXIT.ok) : reject(failure)))
    const onTimeout = (): void => {
      if (isClusterPrimary()) return
      if (isLikelyMistake) {
        reject(failure)
        return
      }
      process.stderr.write(`${name} exports no app, and has started no server so far. Waiting for it.\n`)
      if (!isAwaited) return
      setTimeout(REQUEST_TIMEOUT - NOTICE_TIMEOUT, undefined, { signal: timer.signal, ref: false })
        .then(() => reject(failure))
        .catch(() => {})
    }
    setTimeout(isLikelyMistake ? MISTAKE_TIMEOUT : NOTICE_TIMEOUT, undefined, {
      signal: timer.signal,
      ref: false,
    })
      .then(onTimeout)
      .catch(() => {})
  })
  try {
    await Promise.race([served, ended])
  } finally {
    timer.abort()
    process.channel?.ref()
  }
}

// Milliseconds.
const MISTAKE_TIMEOUT = 3000
const NOTICE_TIMEOUT = 10_000
// mod_fcgid waits 40 seconds for a response.
const REQUEST_TIMEOUT = 30_000
