import type { IncomingMessage, ServerResponse } from 'node:http'
import { findModule } from '../app/load-module.ts'
import { projectFolder } from '../app/project-folder.ts'
import type { AppKind } from '../app/recognize.ts'
import { ignoreOutputErrors } from '../output-errors.ts'
import { type Paint, painter, printable, printJson } from '../terminal.ts'
import { AppProcess, type AppState } from './app-process.ts'
import { listenForHttp } from './listen.ts'
import { type Watching, watchApp } from './watch.ts'

/** The flags of `fcgi-bridge dev`. */
export interface DevFlags {
  /** Port of the HTTP server. Default: 8080, or a free port if it is in use. */
  port?: number
  host: string
  /** `''` or a path such as /shop. */
  mount: string
  as?: AppKind
  export?: string
  /** More files and folders to watch. */
  watch: string[]
  log: boolean
  json?: boolean
  /** False: leave the global `Request`, `Response` and `fetch` as they are. */
  overrideGlobalObjects: boolean
}

/**
 * Runs an app behind an HTTP server and restarts it at each change, until a signal ends the program. Resolves when the server
 * listens. Throws a Failure if the module does not exist or the server cannot listen.
 */
export async function develop(name: string, flags: DevFlags): Promise<void> {
  const file = findModule(name)
  ignoreOutputErrors()
  const paint = painter(process.stderr)
  const app = new AppProcess({
    file,
    name,
    mount: flags.mount === '' ? 'none' : (flags.mount as `/${string}`),
    find: { as: flags.as, export: flags.export },
    overrideGlobalObjects: flags.overrideGlobalObjects,
  })
  app.on('stderr', (chunk) => process.stderr.write(chunk))
  report(app, name, paint)
  const closing: (() => unknown)[] = [() => app.stop()]
  // Handle signals before the process exists, so that a signal cannot leave it running.
  handleSignals(async () => {
    await Promise.all(closing.map((close) => close()))
  })
  // The modules below load while the app starts.
  void app.start()
  const watching: Promise<Watching> = watchApp(
    projectFolder(file),
    flags.watch,
    (changed) => {
      process.stderr.write(paint('dim', `${printable(changed)} has changed.\n`))
      void app.start()
    },
    (error) => {
      process.stderr.write(
        `${paint('yellow', 'Some changes may go unnoticed, because watching files failed:')} ${(error as Error).message}\n`,
      )
    },
  )
  closing.push(async () => (await watching).close())
  const { createDevServer } = await import('./dev-server.ts')
  const { DevTools } = await import('./dev-tools.ts')
  const tools = new DevTools(app, flags.mount)
  const server = createDevServer({
    app,
    mount: flags.mount,
    observer: tools.observer,
    onDevRequest: (request, response) => tools.handle(request, response),
    onStderr: (chunk) => process.stderr.write(chunk),
    onError: (error, request) => {
      process.stderr.write(`${request.method} ${printable(request.url!)}: ${error.message}\n`)
    },
    onResponse: (request, response, milliseconds) => {
      if (flags.log && !flags.json) logResponse(request, response, milliseconds)
    },
  })
  const { url, notice } = await listenForHttp(server, flags).catch(async (error: unknown) => {
    await Promise.all(closing.map((close) => close()))
    throw error
  })
  closing.push(() => {
    server.close()
    tools.close()
    server.closeAllConnections()
  })
  // Announce the URL only when the watcher is ready, so that no later change is missed.
  await watching
  if (notice !== undefined) process.stderr.write(`${paint('yellow', notice)}\n`)
  if (flags.json) {
    printJson({ listening: { url, inspector: `${url}__fcgi` } })
  } else {
    const link = (text: string): string => paint(['bold', 'cyan'], text)
    process.stderr.write(
      `\n  ${link(`${url.slice(0, -1)}${flags.mount}/`)}\n  inspector ${link(`${url}__fcgi`)}\n\n`,
    )
  }
}

function report(app: AppProcess, name: string, paint: Paint): void {
  let begin = 0
  app.on('state', (state: AppState) => {
    if (state.name === 'starting') begin = performance.now()
    if (state.name === 'ready') {
      const took = Math.round(performance.now() - begin)
      process.stderr.write(`${paint('green', 'ready')} ${name}, ${state.what}, in ${took} ms\n`)
    }
    if (state.name === 'failed' || state.name === 'crashed') {
      const what = state.name === 'failed' ? 'The app did not start' : 'The app has crashed'
      process.stderr.write(
        `${paint('red', `${what}.`)} ${state.how} It restarts at the next change of its code.\n`,
      )
    }
  })
}

function logResponse(request: IncomingMessage, response: ServerResponse, milliseconds: number): void {
  const { statusCode } = response
  const paint = painter(process.stdout)
  const color =
    statusCode >= 500 ? 'red' : statusCode >= 400 ? 'yellow' : statusCode >= 300 ? 'cyan' : 'green'
  const status = response.headersSent ? paint(color, String(statusCode)) : '-'
  const ending = response.writableFinished ? '' : ` ${paint('red', 'aborted')}`
  process.stdout.write(
    `${request.method} ${printable(request.url!)} ${status} ${milliseconds.toFixed(1)} ms${ending}\n`,
  )
}

function handleSignals(close: () => Promise<void>): void {
  let closing = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (closing) process.exit(130)
      closing = true
      void close().then(() => process.exit(0))
    })
  }
}
