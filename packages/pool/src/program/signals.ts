import type { Pool } from '../master/pool.ts'

/**
 * Makes signals change what the pool wants, until it is closed. The names are those of gunicorn and PHP-FPM; SIGUSR1 is what Apache's
 * modules send to end a program.
 */
export function handleSignals(pool: Pool): void {
  let interrupted = false
  let scaling = Promise.resolve()
  // Each signal adds to the number that the signal before has set.
  const scaleBy = (change: number): void => {
    scaling = scaling.then(() => scale(pool, change))
  }
  const handlers: Partial<Record<NodeJS.Signals, () => void>> = {
    SIGHUP: () => reload(pool),
    SIGUSR2: () => reload(pool),
    SIGTERM: () => void pool.close(),
    SIGQUIT: () => void pool.close(),
    SIGUSR1: () => void pool.close(),
    SIGINT: () => {
      void pool.close({ now: interrupted })
      interrupted = true
    },
    SIGTTIN: () => scaleBy(1),
    SIGTTOU: () => scaleBy(-1),
  }
  const entries = Object.entries(handlers) as [NodeJS.Signals, () => void][]
  for (const [signal, handler] of entries) process.on(signal, handler)
  pool.once('close', () => {
    for (const [signal, handler] of entries) process.removeListener(signal, handler)
  })
}

/** Reloads the pool. A failure is reported by its event `reload`. */
export function reload(pool: Pool): void {
  pool.reload().catch(() => {})
}

async function scale(pool: Pool, change: number): Promise<void> {
  const workers = pool.status().wanted + change
  if (workers < 1) return
  try {
    await pool.scale(workers)
  } catch (error) {
    pool.emit('warning', (error as Error).message)
  }
}
