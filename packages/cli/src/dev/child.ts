// The app's process under `fcgi-bridge dev`, which starts a new one at each change.
import { type Exchange, ExchangeError, type Handler, type ServeOptions } from '@fcgi-bridge/core'
import { wrapHandlers } from '../app/handlers.ts'
import { SyntaxErrorWithoutLocation } from '../app/load-module.ts'
import { runModule } from '../app/run-module.ts'
import { reportError } from '../failure.ts'
import { describeError } from './describe-error.ts'
import { errorPage } from './error-page.ts'
import { type ChildMessage, type ChildOptions, TRACE_PARAM } from './messages.ts'

// How long running requests may take to finish at a restart, in milliseconds.
const DRAIN = 1000

const { file, name, path, mount, start, find, overrideGlobalObjects }: ChildOptions = JSON.parse(
  process.argv[2]!,
)
process.argv = [process.argv[0]!, file, ...process.argv.slice(3)]
process.env.NODE_ENV ??= 'development'
// Exit with the parent, which may have ended before this module ran.
process.on('disconnect', () => process.exit())
if (!process.connected) process.exit()
// Report the exception that ends the process. An unhandled rejection of an aborted request does not end it.
process.on('uncaughtExceptionMonitor', (error, origin) => {
  const isAbort = error instanceof ExchangeError && error.name === 'AbortError'
  if (!isAbort || origin !== 'unhandledRejection') send({ fcgiBridge: 'crash', error: describeError(error) })
})

try {
  await runModule({
    path: file,
    name,
    find,
    overrideGlobalObjects,
    awaitsReady: true,
    listensOnce: false,
    onHttpListen: (address) => process.stderr.write(`${name} also listens on ${address} itself.\n`),
    serve: async ({ what, handlers, options, start }) => {
      const { port, host, fd, ...own } = options
      const server = await start(wrapHandlers(handlers, withReports), {
        ...own,
        // Let an uncaught exception end the process at once, so that running requests get the page that explains the crash.
        ...{ path, mode: 0o600, mount, drainTimeout: DRAIN, handleExceptions: false },
      } as ServeOptions)
      send({ fcgiBridge: 'listening', what })
      return server
    },
  })
} catch (error) {
  const { text, exitCode } = reportError(error)
  process.stderr.write(`${text}\n`)
  if (error instanceof SyntaxErrorWithoutLocation) error.endProgram()
  else process.exit(exitCode)
}

function withReports(handler: Handler): Handler {
  return (exchange) => {
    const trace = exchange.param(TRACE_PARAM)
    if (trace !== undefined) {
      const { url, mount, remoteAddress, headers } = exchange
      send({ fcgiBridge: 'request', trace, read: { url, mount, remoteAddress, headers } })
    }
    showErrors(exchange)
    return handler(exchange)
  }
}

// Responds with the error and its stack instead of the plain 500 that core sends to clients in production.
function showErrors(exchange: Exchange): void {
  const fail = exchange.fail.bind(exchange)
  exchange.fail = (error) => {
    if (exchange.ended || exchange.aborted || exchange.headSent || exchange.role === 'authorizer') {
      fail(error)
      return
    }
    const { message, stack, frame } = describeError(error)
    exchange.stderr.write(`${stack}\n`)
    const page = errorPage(
      { title: 'The app threw an error', heading: message, text: stack, frame, start },
      exchange.param('HTTP_ACCEPT'),
    )
    exchange.writeHead(500, ['content-type', page.type, 'cache-control', 'no-store'])
    exchange.end(page.body)
  }
}

function send(message: ChildMessage): void {
  if (process.connected) process.send!(message)
}
