// Ends a program that serves: all of its servers drain, and then it exits.

import { reportAbort } from '../exchange/abort-reports.ts'
import type { FastCgiServer } from './server.ts'

/** `unless-handled`: only if the program has no listener of its own for the signal. */
type When = 'always' | 'unless-handled'

const atSignals = new Map<FastCgiServer, { when: When; delay: number }>()
const atExceptions = new Set<FastCgiServer>()

/**
 * Ends the program at SIGTERM, SIGUSR1 (mod_fcgid, Apache) or SIGINT, until `server` has closed. A second SIGINT exits at once. A second
 * SIGTERM does nothing, because mod_fcgid always sends two. The program ends `delay` milliseconds after the signal, and meanwhile its health
 * path responds with 503.
 */
export function endAtSignals(server: FastCgiServer, when: When = 'always', delay = 0): void {
  if (atSignals.size === 0) {
    process.on('SIGTERM', stop)
    process.on('SIGUSR1', stop)
    process.on('SIGINT', interrupt)
  }
  atSignals.set(server, { when, delay })
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

// How long (milliseconds) other signal listeners have for their work. With the default `drainTimeout`, the program still ends before mod_fcgid
// kills it, 8.4 seconds after the signal.
const GRACE = 1000

/**
 * Ends the program as `signal` does. If other listeners handle the signal, too, they get time for their work. OpenTelemetry, for example,
 * sends its last spans then. Returns false if the signal is left to the program.
 */
export function stop(signal: NodeJS.Signals): boolean {
  const isHandled = process.listenerCount(signal) - signalExitListeners(signal) > 1
  const settings = [...atSignals.values()]
  if (isHandled && settings.every(({ when }) => when !== 'always')) return false
  for (const server of atSignals.keys()) server.announceClose()
  const delay = Math.max(0, ...settings.map((one) => one.delay))
  const endNow = (): void => end(atSignals.keys(), isHandled ? GRACE : 0)
  if (delay > 0) setTimeout(endNow, delay)
  else endNow()
  return true
}

// The number of listeners that the package signal-exit has added. Popular libraries use this package. Its listeners only clean up, and end
// the program only if there is no other listener. If they counted as listeners of the program, nothing would end the program. Version 3 and
// version 4 keep the count in different places.
function signalExitListeners(signal: NodeJS.Signals): number {
  if (signal === 'SIGUSR1') return 0
  const { __signal_exit_emitter__: version3 } = process as { __signal_exit_emitter__?: { count?: number } }
  const version4 = (globalThis as { [key: symbol]: { count?: number } | undefined })[SIGNAL_EXIT_4]
  return (version3?.count ?? 0) + (version4?.count ?? 0)
}

const SIGNAL_EXIT_4 = Symbol.for('signal-exit emitter')

/**
 * Until `server` has closed, makes an uncaught exception end the program with status 1 after its servers have drained. Node would end it at
 * once, and all running requests would be lost.
 */
export function endAtExceptions(server: FastCgiServer): void {
  if (atExceptions.size === 0) process.on('uncaughtExceptionMonitor', onUncaught)
  atExceptions.add(server)
  server.once('close', () => {
    atExceptions.delete(server)
    if (atExceptions.size === 0) process.removeListener('uncaughtExceptionMonitor', onUncaught)
  })
}

// If the program has a listener of its own, that one decides. Such a listener may check whether there are others. This one is therefore
// added only when an exception has been thrown that no other listener handles.
function onUncaught(): void {
  const isHandled =
    process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback()
  if (!isHandled) process.on('uncaughtException', endWith)
}

function endWith(error: unknown, origin: NodeJS.UncaughtExceptionOrigin): void {
  // Draining aborts requests, which can cause rejections.
  if (origin === 'unhandledRejection' && reportAbort(error)) return
  console.error(error)
  if (!isFailing) console.error(UNCAUGHT)
  isFailing = true
  process.exitCode = 1
  end(atExceptions)
}

let isFailing = false

const UNCAUGHT =
  'Nothing caught this exception: the program finishes its requests (at most for drainTimeout), and exits with status 1.'

// Closes the servers, then exits: at once, or when nothing is left to do, but after `grace` milliseconds at the latest.
function end(servers: Iterable<FastCgiServer>, grace = 0): void {
  Promise.all([...servers].map((server) => server.close())).then(
    () => {
      if (grace === 0) exitSoon()
      else setTimeout(() => process.exit(), grace).unref()
    },
    // If this were an unhandled rejection, it would come back to `endWith`, and from there to here.
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
}

/** Ends the program, as SIGTERM does, when `server` has had no connection and no new one for `timeout` milliseconds. */
export function endWhenIdle(server: FastCgiServer, timeout: number): void {
  let accepted = -1
  const timer = setInterval(() => {
    const { connections, acceptedConnections } = server.stats()
    const isIdle = connections === 0 && acceptedConnections === accepted
    accepted = acceptedConnections
    if (isIdle) stop('SIGTERM')
  }, timeout)
  // The timer must not keep the program alive.
  timer.unref()
  server.once('close', () => clearInterval(timer))
}

// Event loop ticks in which the program can do what it has deferred. Express, for example, logs an error after it has sent the response.
const LAST_TICKS = 5

/** Exits after the program's deferred work, with `status` or `process.exitCode`. */
export async function exitSoon(status?: number): Promise<void> {
  for (let i = 0; i < LAST_TICKS; i++) await new Promise(setImmediate)
  // process.exit(undefined) would replace process.exitCode.
  process.exitCode = status ?? process.exitCode
  process.exit()
}
