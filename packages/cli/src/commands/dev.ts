import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { AppKind } from '../app/find-app.ts'
import { findModule } from '../app/load-module.ts'
import { AppProcess, type AppState } from '../dev/app-process.ts'
import { createDevServer, DEV_PATH } from '../dev/dev-server.ts'
import { DevTools } from '../dev/dev-tools.ts'
import { projectFolder, type Watching, watchApp } from '../dev/watch.ts'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import { parsePort } from '../listen-flags.ts'
import { type Paint, painter, printable, printJson } from '../terminal.ts'

interface DevFlags {
  port?: number
  host: string
  mount: string
  as?: AppKind
  export?: string
  watch: string[]
  log: boolean
  json?: boolean
}

const DEFAULT_PORT = 8080

const HELP = `
The app runs in a process of its own, behind FastCGI and an HTTP server, as it will behind a front server. It is started
again when code below the folder of its package.json changes; requests wait meanwhile. The inspector, at
/__fcgi, shows the requests as they come. NODE_ENV is development, unless it is set.

Examples:
  fcgi-bridge dev app.js
  fcgi-bridge dev src/app.js --port 3000 --mount /shop --watch views`

/** Adds `fcgi-bridge dev`: an app behind an HTTP server of its own, started again at each change. */
export function addDev(program: Command): void {
  program
    .command('dev')
    .description('serve an app over FastCGI and HTTP on this machine, and start it again at each change')
    .argument('<app>', 'the module that exports the app: an Express app, a listener, { fetch }, a function')
    .addOption(
      new Option('-p, --port <port>', `TCP port (default: ${DEFAULT_PORT}, or a free one)`).argParser(
        parsePort,
      ),
    )
    .option(
      '--host <address>',
      'another address to listen on; the inspector answers on this machine alone',
      '127.0.0.1',
    )
    .addOption(
      new Option('--mount <path>', "where the app is below the site's root, such as /shop")
        .argParser(parseMountPath)
        .default('', 'the root'),
    )
    .addOption(
      new Option('--as <kind>', 'what a function is, where it does not say so itself').choices([
        'listener',
        'fetch',
      ]),
    )
    .option('--export <name>', 'the export that is the app (default: the default export)')
    .option('--watch <paths...>', 'more files and folders, any change of which starts the app again', [])
    .option('--no-log', 'no line for each request')
    .option('--json', 'print the URL as JSON')
    .addHelpText('after', HELP)
    .action(develop)
}

async function develop(name: string, flags: DevFlags): Promise<void> {
  const file = findModule(name)
  const paint = painter(process.stderr)
  const app = new AppProcess({
    file,
    name,
    mount: flags.mount === '' ? 'none' : (flags.mount as `/${string}`),
    find: { as: flags.as, export: flags.export },
  })
  const tools = new DevTools(app)
  const server = createDevServer({
    app,
    mount: flags.mount,
    observer: tools.observer,
    onDevRequest: (request, response) => tools.handle(request, response),
    onStderr: (chunk) => process.stderr.write(chunk),
    onError: (error, request) => {
      process.stderr.write(`${request.method} ${printable(request.url!)}: ${error.message}\n`)
    },
    onAnswer: (request, response, milliseconds) => {
      if (flags.log && !flags.json) logAnswer(request, response, milliseconds)
    },
  })
  app.on('stderr', (chunk) => process.stderr.write(chunk))
  report(app, name, paint)
  const url = await listen(server, flags)
  if (flags.json) {
    printJson({ listening: { url, inspector: `${url.slice(0, -1)}${DEV_PATH}` } })
  } else {
    const link = (text: string): string => paint(['bold', 'cyan'], text)
    process.stderr.write(
      `\n  ${link(`${url.slice(0, -1)}${flags.mount}/`)}\n  inspector ${link(`${url.slice(0, -1)}${DEV_PATH}`)}\n\n`,
    )
  }
  // Before there is a process that would be left behind.
  let watching: Promise<Watching> | undefined
  handleSignals(async () => {
    server.close()
    tools.close()
    server.closeAllConnections()
    await Promise.all([watching?.then((it) => it.close()), app.stop()])
  })
  void app.start()
  watching = watchApp(
    projectFolder(file),
    flags.watch,
    (changed) => {
      process.stderr.write(paint('dim', `${printable(changed)} has changed.\n`))
      void app.start()
    },
    (error) => {
      process.stderr.write(
        `${paint('yellow', 'Not all changes will be seen:')} ${(error as Error).message}\n`,
      )
    },
  )
  await watching
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
        `${paint('red', `${what}.`)} ${state.how} It is started again at the next change.\n`,
      )
    }
  })
}

async function listen(server: Server, { port, host }: DevFlags): Promise<string> {
  try {
    await listenOn(server, port ?? DEFAULT_PORT, host)
  } catch (error) {
    if (port !== undefined || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') {
      throw new Failure(EXIT.listen, `Can not listen on ${host}: ${(error as Error).message}.`, {
        cause: error,
      })
    }
    await listenOn(server, 0, host)
  }
  const address = server.address() as { port: number }
  const shown = host === '127.0.0.1' ? 'localhost' : host.includes(':') ? `[${host}]` : host
  return `http://${shown}:${address.port}/`
}

async function listenOn(server: Server, port: number, host: string): Promise<void> {
  server.listen(port, host)
  await once(server, 'listening')
}

function logAnswer(request: IncomingMessage, response: ServerResponse, milliseconds: number): void {
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

function parseMountPath(text: string): string {
  if (!/^\/[^?#\s]*$/.test(text)) throw new InvalidArgumentError('It takes a path such as /shop.')
  return text.replace(/\/+$/, '')
}
