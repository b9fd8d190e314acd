import type { AddressInfo } from 'node:net'
import type { Reason, WorkerState } from './master/reconcile.ts'
import type { Counters, WorkerDetails } from './worker/messages.ts'

/** A worker at one moment. */
export interface WorkerStatus {
  /** The worker's slot, a number from 0. A replacement has the same slot. */
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
  /** Only if the pool is `monitored` and the worker is ready. */
  details?: WorkerDetails
  /** Milliseconds since the last heartbeat. */
  heartbeatAge: number
}

/**
 * `starting` until all workers were ready once, then `running`, or `degraded` with fewer ready workers than wanted. After
 * `close()`: `leaving` during `drainDelay`, then `closing` and `closed`.
 */
export type PoolState = 'idle' | 'starting' | 'running' | 'degraded' | 'leaving' | 'closing' | 'closed'

/** What a pool has counted since its start. */
export interface Monitoring {
  /** The counters of each slot, including those of its former workers. They never decrease. */
  slots: (Counters & { slot: number })[]
  /** Requests that ran for longer than `slowAfter`. */
  slowRequests: number
  /** The largest number of workers that had a request at the same time. */
  maxActiveWorkers: number
}

/** A pool at one moment. */
export interface PoolStatus {
  state: PoolState
  /** Whether workers are being replaced by a reload. */
  reloading: boolean
  /** The wanted number of workers. */
  wanted: number
  startTime: Date
  /** Where the pool listens. */
  addresses: (AddressInfo | string)[]
  /** Requests that have begun in any worker, as of their last heartbeats. */
  requests: number
  /** Ended reloads, by their result. */
  reloads: { succeeded: number; failed: number }
  /** Workers that were started to replace another, by the reason. */
  restarts: Partial<Record<Reason, number>>
  /** Only if the pool is `monitored`. */
  monitoring?: Monitoring
  /** By slot. Two workers have the same slot while one replaces the other. */
  workers: WorkerStatus[]
}
