// How a program that serves ends: all of its servers finish what runs, and then it exits.

import { reportAbort } from '../exchange/abort-reports.ts'
import type { FastCgiServer } from './server.ts'

/** `unless-handled`: only if the program has no listener of its own for the signal. */
type When = 'always' | 'unless-handled'

const atSignals = new Map<FastCgiServer, When>()
const atExceptions = new Set<FastCgiServer>()

/**
 * Ends the program at SIGTERM, SIGUSR1 (mod_fcgid, Apache) or SIGINT, until `server` has closed. A second SIGINT exits at
 * once; a second SIGTERM is no order to hurry, for mod_fcgid always sends two.
 */
export function endAtSignals(server: FastCgiServer, when: When = 'always'): void {
  if (atSignals.size === 0) {
    process.on('SIGTERM', stop)
    process.on('SIGUSR1', stop)
    process.on('SIGINT', interrupt)
  }
  atSignals.set(server, when)
  server.once('close', () => {
    atSignals.delete(server)
    if (atSignals.size > 0) return
    process.removeListener('SIGTERM', stop)
    process.removeListener('SIGUSR1', stop)
    process.removeListener('SIGINT', interrupt)
    interrupted = false
  })
}

let interrupted = false

function interrupt(signal: NodeJS.Signals): void {
  if (interrupted) process.exit(130)
  interrupted = stop(signal)
}

// Milliseconds. With the default of `drainTimeout` the program has ended before mod_fcgid kills it, 8.4 seconds after the signal.
const GRACE = 1000

// Monitoring tools handle the signal, too: OpenTelemetry then sends its last spans. They get time for it. Returns false if the
// program handles the signal itself.
function stop(signal: NodeJS.Signals): boolean {
  const isHandled = process.listenerCount(signal) > 1
  if (isHandled && ![...atSignals.values()].includes('always')) return false
  end(atSignals.keys(), isHandled ? GRACE : 0)
  return true
}

/**
 * Ends the program, with status 1, at an exception that nobody catches, until `server` has closed. Node would do it here and
 * now, and every request would go with it.
 */
export function endAtExceptions(server: FastCgiServer): void {
  if (atExceptions.size === 0) process.on('uncaughtExceptionMonitor', onUncaught)
  atExceptions.add(server)
  server.once('close', () => {
    atExceptions.delete(server)
    if (atExceptions.size === 0) process.removeListener('uncaughtExceptionMonitor', onUncaught)
  })
}

// Whoever listens for these exceptions decides instead. They look for one another, so no listener is here before there is an
// exception that nobody else takes.
function onUncaught(): void {
  const isHandled =
    process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback()
  if (!isHandled) process.on('uncaughtException', endWith)
}

function endWith(error: unknown, origin: NodeJS.UncaughtExceptionOrigin): void {
  // The end itself aborts requests.
  if (origin === 'unhandledRejection' && reportAbort(error)) return
  console.error(error)
  process.exitCode = 1
  end(atExceptions)
}

// After the servers have closed the program exits: at once, or within `grace` milliseconds, as soon as nothing is left to do.
function end(servers: Iterable<FastCgiServer>, grace = 0): void {
  Promise.all([...servers].map((server) => server.close())).then(() => {
    if (grace === 0) process.exit()
    setTimeout(() => process.exit(), grace).unref()
  })
}
