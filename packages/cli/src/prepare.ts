import { logFileOf, programOf, sharedFolderOf } from './early-flags.ts'
import { openLog } from './open-log.ts'
import { shareApp } from './shared-start.ts'

interface Global {
  [PREPARED]?: Promise<boolean>
}

// A property of globalThis, because this module has two copies: app.fcgi loads a CommonJS file of its own, and then the program.
const PREPARED: unique symbol = Symbol.for('fcgi-bridge prepared') as never

/**
 * Does what `serve` must do before it loads anything else: opens the log file, and shares the app with other processes. Resolves with whether
 * the command can run, and never in a process that relays. A second call has no effect, because `app.fcgi` makes the first one.
 */
export function prepare(args: readonly string[]): Promise<boolean> {
  const global = globalThis as Global
  global[PREPARED] ??= openAndShare(args)
  return global[PREPARED]
}

async function openAndShare(args: readonly string[]): Promise<boolean> {
  const logFile = logFileOf(args)
  if (logFile !== undefined && !(await openLog(logFile, args))) return false
  const folder = sharedFolderOf(args)
  if (folder !== undefined) await shareApp(folder, programOf(args))
  return true
}
