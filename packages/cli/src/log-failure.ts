import { reportFailure } from './app/detach.ts'
import { serveLogFailure } from './app/failure-page.ts'
import { isStartedByFrontServer } from './app/started-by.ts'
import { reportError } from './failure.ts'
import { logToFile } from './log-file.ts'

/**
 * Opens the log file of `serve` again, after that has failed. Resolves with false if it fails again: the error is reported to the front
 * server that started this process, or else on standard error, and the exit status is set.
 */
export async function openLogOrReport(file: string): Promise<boolean> {
  try {
    logToFile(file)
    return true
  } catch (error) {
    if (await isShownByFrontServer(error, file)) return false
    const report = reportError(error)
    reportFailure(report)
    process.stderr.write(`fcgi-bridge: ${report.text}\n`)
    process.exitCode = report.exitCode
    return false
  }
}

async function isShownByFrontServer(error: unknown, file: string): Promise<boolean> {
  if (!isStartedByFrontServer({}) || process.env.LISTEN_FDS !== undefined) return false
  return await serveLogFailure(error, file).then(
    () => true,
    // No socket: a user in a terminal has forgotten the address, too.
    () => false,
  )
}
