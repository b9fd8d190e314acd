#!/usr/bin/env node
// First, so that a SIGTERM that arrives while the app loads is remembered.
import '@fcgi-bridge/core/early-signals'
import { isDetached, reportFailure } from './app/detach.ts'
import { endProgram } from './end-program.ts'
import { EXIT } from './exit-codes.ts'
import { reportError } from './failure.ts'
import { logFileOf, logToFile } from './log-file.ts'
import { run } from './run.ts'

const args = process.argv.slice(2)
const status = openLog() ?? (await runCommand())
// A command that serves keeps running. Its exit status is already set.
process.exitCode = status
if (status !== EXIT.ok) await endProgram(status)

function openLog(): number | undefined {
  const file = logFileOf(args)
  // With --detach, the detached process writes the log, and this one reports to the terminal.
  if (file === undefined || (args.includes('--detach') && !isDetached)) return undefined
  try {
    logToFile(file)
    return undefined
  } catch (error) {
    const report = reportError(error)
    reportFailure(report)
    process.stderr.write(`fcgi-bridge: ${report.text}\n`)
    return report.exitCode
  }
}

function runCommand(): Promise<number> {
  // A closed pipe is not an error: `fcgi-bridge config nginx | head -1`.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit()
    throw error
  })
  return run(args)
}
