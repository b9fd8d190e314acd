// The process of the app under `fcgi-bridge dev`: started anew at each change.
import { type Exchange, ExchangeError, type Handler, serve } from '@fcgi-bridge/core'
import { findApp } from '../app/find-app.ts'
import { handlersOf } from '../app/handlers.ts'
import { loadModule, UnplacedSyntaxError } from '../app/load-module.ts'
import { reportError } from '../failure.ts'
import { describeError } from './describe-error.ts'
import { errorPage } from './error-page.ts'
import { type ChildMessage, type ChildOptions, TRACE_PARAM } from './messages.ts'

// What a request that runs may still take when the app is started anew, in milliseconds.
const DRAIN = 1000

const { file, name, path, mount, start, find }: ChildOptions = JSON.parse(process.argv[2]!)
process.argv = [process.argv[0]!, file, ...process.argv.slice(3)]
process.env.NODE_ENV ??= 'development'
// Nobody is there any more to end it; it may have been so before this module ran.
process.on('disconnect', () => process.exit())
if (!process.connected) process.exit()
// Of what the program has printed by then, this is what it ended of. An unhandled rejection of an aborted request does not end it.
process.on('uncaughtExceptionMonitor', (error, origin) => {
  const isAbort = error instanceof ExchangeError && error.name === 'AbortError'
  if (!isAbort || origin !== 'unhandledRejection') send({ fcgiBridge: 'crash', error: describeError(error) })
})

try {
  const app = await findApp(await loadModule(file), name, find)
  // An app that crashes does so at once: the page that the running requests get then says why.
  const options = { path, mode: 0o600, mount, drainTimeout: DRAIN, handleExceptions: false }
  await serve(handlersOf(app, watched), options)
  send({ fcgiBridge: 'listening', what: app.what })
} catch (error) {
  const { text, exitCode } = reportError(error)
  process.stderr.write(`${text}\n`)
  if (error instanceof UnplacedSyntaxError) error.endProgram()
  else process.exit(exitCode)
}

function watched(handler: Handler): Handler {
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

// A 500 that says nothing is for the public.
function showErrors(exchange: Exchange): void {
  const fail = exchange.fail.bind(exchange)
  exchange.fail = (error) => {
    if (exchange.ended || exchange.aborted || exchange.headSent || exchange.role === 'authorizer') {
      fail(error)
      return
    }
    const told = describeError(error)
    exchange.stderr.write(`${told.stack}\n`)
    const page = errorPage(
      { title: 'The app threw', heading: told.message, text: told.stack, frame: told.frame, start },
      exchange.param('HTTP_ACCEPT'),
    )
    exchange.writeHead(500, ['content-type', page.type, 'cache-control', 'no-store'])
    exchange.end(page.body)
  }
}

function send(message: ChildMessage): void {
  if (process.connected) process.send!(message)
}
