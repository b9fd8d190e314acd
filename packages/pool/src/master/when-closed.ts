import type { Pool } from './pool.ts'

/** Calls `end` when the pool closes. If it has closed already, for example because of an early signal, calls `end` now. */
export function whenClosed(pool: Pool, end: () => void): void {
  if (pool.status().state === 'closed') end()
  else pool.once('close', end)
}
