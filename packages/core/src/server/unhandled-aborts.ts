// A client that disconnects must not end the program. If an app waits for a stream of an aborted request (`writer.closed.then(callback)` in
// h3 2.0.1-rc.2), its promise rejects with the reason of the abort, and no code handles the rejection.

import { isAbortReason, reportAbort } from '../exchange/abort-reports.ts'
import type { FastCgiServer } from './server.ts'

const servers = new Set<FastCgiServer>()

/**
 * Until `server` has closed, prevents unhandled rejections from ending the program if their reason is the abort of a request.
 *
 * A listener for `unhandledRejection` would change what Node does for all other rejections. So this code acts just before Node ends the
 * program. It works in each mode of `--unhandled-rejections`, and listeners of the program take precedence.
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
