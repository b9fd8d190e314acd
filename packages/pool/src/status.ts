import type { AddressInfo } from 'node:net'
import type { Reason, WorkerState } from './master/reconcile.ts'

/** A worker at one moment. */
export interface WorkerStatus {
  /** The worker's place, from 0. A replacement has the same. */
  slot: number
  pid: number | undefined
  state: WorkerState
  /** Why it was started. */
  reason: Reason
  /** The number of reloads before it was started. */
  generation: number
  startTime: Date
  /** Requests that have begun, as of the last heartbeat. */
  requests: number
  /** Requests that ran at the last heartbeat. */
  active: number
  /** Resident memory at the last heartbeat, in bytes; 0 before the worker is ready. */
  rss: number
  /** By how many milliseconds the last heartbeat was late. */
  delay: number
  /** Milliseconds since the last heartbeat. */
  heartbeatAge: number
}

/**
 * `starting` until all workers were ready once, then `running`, or `degraded` with fewer ready workers than wanted. `closing` and
 * `closed` after `close()`.
 */
export type PoolState = 'idle' | 'starting' | 'running' | 'degraded' | 'closing' | 'closed'

/** A pool at one moment. */
export interface PoolStatus {
  state: PoolState
  /** Whether workers are being replaced by a reload. */
  reloading: boolean
  /** The wanted number of workers. */
  wanted: number
  startTime: Date
  addresses: (AddressInfo | string)[]
  /** Requests that have begun in any worker, as of their last heartbeats. */
  requests: number
  reloads: { succeeded: number; failed: number }
  /** Workers that were started to replace another, by the reason. */
  restarts: Partial<Record<Reason, number>>
  /** By slot. Two workers have the same slot while one replaces the other. */
  workers: WorkerStatus[]
}
