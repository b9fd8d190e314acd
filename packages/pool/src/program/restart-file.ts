import { type Stats, unwatchFile, watchFile } from 'node:fs'
import type { Pool } from '../master/pool.ts'
import { reload } from './signals.ts'

// Milliseconds between two looks. fs.watch() would see nothing on a network file system, which shared hosts have.
const INTERVAL = 1000

/** Reloads the pool when the file is created or touched, until the pool is closed. The file and its folder need not exist. */
export function watchRestartFile(pool: Pool, path: string): void {
  const look = (now: Stats, before: Stats): void => {
    // A file that does not exist has the time 0.
    if (now.mtimeMs !== before.mtimeMs && now.mtimeMs !== 0) reload(pool)
  }
  watchFile(path, { interval: INTERVAL, persistent: false }, look)
  pool.once('close', () => unwatchFile(path, look))
}
