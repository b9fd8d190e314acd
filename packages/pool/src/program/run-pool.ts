import { basename } from 'node:path'
import type { ListenOptions } from '@fcgi-bridge/core'
import { watchRestartFiles } from '@fcgi-bridge/core/manager'
import { createPool, type Pool } from '../master/pool.ts'
import { whenClosed } from '../master/when-closed.ts'
import type { StatusAddress } from '../monitoring/status-server.ts'
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
  /**
   * Where the status, the metrics and the health of the pool are served over FastCGI: for a front server, and for exporters of PHP-FPM's
   * status. It makes the pool `monitored`. Default: nowhere.
   */
  status?: ListenOptions
  /** The same over HTTP: for Prometheus, and for health checks. */
  statusHttp?: StatusAddress
  /** The name and the path of the app on the status page. Default: those of `script`. */
  app?: { name: string; path: string }
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
  const { handleSignals: wantsSignals = true, control, restartFiles = [], onCreate, ...others } = options
  const { status, statusHttp, app, ...poolOptions } = others
  const monitored = status !== undefined || statusHttp !== undefined
  const pool = createPool({ monitored, ...poolOptions })
  onCreate?.(pool)
  if (wantsSignals) handleSignals(pool)
  notifySystemd(pool)
  try {
    if (control !== undefined) await listenForCommands(pool, control)
    if (monitored) {
      const { serveStatus } = await import('../monitoring/status-server.ts')
      const { name, path } = app ?? { name: basename(poolOptions.script), path: poolOptions.script }
      const program = { name, path, backlog: backlogOf(poolOptions) }
      await serveStatus(pool, program, { fastcgi: status, http: statusHttp })
    }
    whenClosed(
      pool,
      watchRestartFiles(restartFiles, () => reload(pool)),
    )
    await pool.start()
  } catch (error) {
    // Ends what else keeps the process alive: signal listeners, the control socket, the status page.
    await pool.close()
    throw error
  }
  return pool
}

function backlogOf({ listen = [] }: PoolOptions): number | undefined {
  return [listen].flat().find(({ backlog }) => backlog !== undefined)?.backlog
}
