// The program of each worker under `fcgi-bridge serve --workers`.

import { SyntaxErrorWithoutLocation } from '../app/load-module.ts'
import type { ServeFlags } from '../app/serve-app.ts'
import { endProgram } from '../end-program.ts'
import { reportError } from '../failure.ts'
import { logToFile } from '../log-file.ts'
import { painter } from '../terminal.ts'

/** The options of a worker, passed as JSON. */
export interface WorkerOptions {
  /** The app's module as the user named it. */
  file: string
  /** The real path of the module. The worker may have another working directory. */
  path: string
  flags: ServeFlags
  /** Whether a front server or systemd started the pool. */
  isChild: boolean
  /** `--backlog`. */
  backlog: number | undefined
}

const { file, path, flags, isChild, backlog }: WorkerOptions = JSON.parse(process.argv[2]!)
process.argv.splice(2, 1)
// Call this before anything uses the standard streams. Every process opens the log file, and reopens it when it was renamed.
if (flags.logFile !== undefined) logToFile(flags.logFile)

const { serveApp } = await import('../app/serve-app.ts')
try {
  await serveApp(isChild ? path : file, flags, { backlog }, { isChild })
} catch (error) {
  const { text, exitCode } = reportError(error)
  process.stderr.write(`${painter(process.stderr)('red', 'fcgi-bridge:')} ${text}\n`)
  if (error instanceof SyntaxErrorWithoutLocation) error.endProgram()
  else await endProgram(exitCode)
}
