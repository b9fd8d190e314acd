import { logFileOf, programOf, sharedFolderOf } from './early-flags.ts'
import { openLog } from './open-log.ts'
import { shareApp } from './shared-start.ts'

interface Global {
  [PREPARED]?: Promise<boolean>
}

// A property of globalThis, because a process can load two copies of this module: app.fcgi loads prepare.cjs, a bundle of it, and then the
// program, which imports it again.
const PREPARED: unique symbol = Symbol.for('fcgi-bridge prepared') as never

/**
 * Does what `serve` must do before it loads anything else: opens the log file, and shares the app with other processes. Resolves with whether
 * the command can run. In a process that relays, it never settles. If `app.fcgi` has made the first call, a second one only returns its
 * result.
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
