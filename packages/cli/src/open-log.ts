import { logToFile } from './log-file.ts'

/**
 * Opens the log file of `serve`. Resolves with false if that is not possible: the error is reported, and the exit
 * status is set. A front server that started this process gets a 500 page with the error.
 */
export async function openLog(file: string, args: readonly string[]): Promise<boolean> {
  // With --detach, the detached process writes the log, and this one reports to the terminal.
  if (args.includes('--detach') && !(await import('./app/detach.ts')).isDetached) return true
  try {
    logToFile(file)
    return true
  } catch (error) {
    if (await isShownByFrontServer(error)) return false
    const [{ reportFailure }, { reportError }] = await Promise.all([
      import('./app/detach.ts'),
      import('./failure.ts'),
    ])
    const report = reportError(error)
    reportFailure(report)
    process.stderr.write(`fcgi-bridge: ${report.text}\n`)
    process.exitCode = report.exitCode
    return false
  }
}

async function isShownByFrontServer(error: unknown): Promise<boolean> {
  const { isStartedByFrontServer } = await import('./app/started-by.ts')
  if (!isStartedByFrontServer({}) || process.env.LISTEN_FDS !== undefined) return false
  const { serveLogFailure } = await import('./app/failure-page.ts')
  return await serveLogFailure(error).then(
    () => true,
    // No socket: a user in a terminal has forgotten the address, too.
    () => false,
  )
}
