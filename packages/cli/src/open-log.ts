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
  } catch {
    // Loaded on use, because it loads the server. A bundle may contain another copy of this module, so it opens the file itself.
    const { openLogOrReport } = await import('./log-failure.ts')
    return await openLogOrReport(file)
  }
}
