// A client that leaves must not end the program. Code that waits for a stream of an aborted request (`writer.closed.then(callback)` in
// h3 2.0.1-rc.2) leaves a promise that rejects with the reason of the abort, and nobody handles it.

import { isAbortReason, reportAbort } from '../exchange/abort-reports.ts'
import type { FastCgiServer } from './server.ts'

const servers = new Set<FastCgiServer>()

/**
 * Keeps, until `server` has closed, unhandled rejections whose reason is the abort of a request from ending the program.
 *
 * A listener for `unhandledRejection` would change what Node does for all others. So this waits for the moment before Node ends
 * the program: it works in each mode of `--unhandled-rejections`, and listeners of the program go first.
 */
export function surviveAborts(server: FastCgiServer): void {
  if (servers.size === 0) process.on('uncaughtExceptionMonitor', onUncaught)
  servers.add(server)
  server.once('close', () => {
    servers.delete(server)
    if (servers.size === 0) process.removeListener('uncaughtExceptionMonitor', onUncaught)
  })
}

function onUncaught(error: unknown, origin: NodeJS.UncaughtExceptionOrigin): void {
  if (origin !== 'unhandledRejection' || !isAbortReason(error)) return
  const isHandled =
    process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback()
  if (!isHandled) process.once('uncaughtException', reportAbort)
}
