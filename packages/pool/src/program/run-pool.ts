import { watchRestartFiles } from '@fcgi-bridge/core/manager'
import { createPool, type Pool } from '../master/pool.ts'
import type { PoolOptions } from '../options.ts'
import { listenForCommands } from './control-server.ts'
import { notifySystemd } from './notify.ts'
import { handleSignals, reload } from './signals.ts'

/** Options of {@link runPool}: those of the pool, and how others reach it. */
export interface RunPoolOptions extends PoolOptions {
  /**
   * Default true. SIGHUP and SIGUSR2 reload, SIGTERM, SIGQUIT, SIGINT and SIGUSR1 close the pool (a second SIGINT kills the workers),
   * SIGTTIN and SIGTTOU add and remove a worker.
   */
  handleSignals?: boolean
  /** The path of a Unix socket for `fcgi-bridge reload`, `status` and `stop`. Only this user may connect. Default: none. */
  control?: string
  /** Files that reload the pool when one of them is created or touched, such as `tmp/restart.txt`. Default: none. */
  restartFiles?: readonly string[]
  /** Called with the pool before it starts, to add listeners. */
  onCreate?: (pool: Pool) => void
}

/**
 * Runs a pool as this program: with signals, a control socket, a restart file, and messages to systemd if NOTIFY_SOCKET is set.
 * Resolves with the pool when all workers are ready; rejects as `pool.start()` does. The program ends by itself once the pool is
 * closed.
 */
export async function runPool(options: RunPoolOptions): Promise<Pool> {
  const { handleSignals: wantsSignals = true, control, restartFiles = [], onCreate, ...poolOptions } = options
  const pool = createPool(poolOptions)
  onCreate?.(pool)
  if (wantsSignals) handleSignals(pool)
  notifySystemd(pool)
  if (control !== undefined) await listenForCommands(pool, control)
  pool.once(
    'close',
    watchRestartFiles(restartFiles, () => reload(pool)),
  )
  await pool.start()
  return pool
}
