import type { AddressInfo } from 'node:net'
import type { PoolError } from '../error.ts'
import type { WorkerStatus } from '../status.ts'
import type { BlockedReport, RunningRequest } from '../worker/messages.ts'
import type { Reason } from './reconcile.ts'
import type { WorkerExit } from './worker-process.ts'

/** How a worker ended. */
export interface WorkerEnd extends WorkerExit {
  /** Why: `crash` if it ended without being asked to. */
  reason: Reason
  /** Milliseconds from its start to its end. */
  lifetime: number
}

/** The events of a {@link Pool}. */
export interface PoolEvents {
  /** A socket is bound. Connections are accepted once the first worker is loaded. */
  listening: [address: AddressInfo | string]
  /** A worker was started. */
  start: [worker: WorkerStatus]
  /** A worker accepts connections. */
  ready: [worker: WorkerStatus]
  /** A worker was asked to finish its requests and exit. */
  drain: [worker: WorkerStatus, reason: Reason]
  /** A worker was killed, because it exceeded a time limit. */
  kill: [worker: WorkerStatus, reason: Reason]
  /** A worker's process has ended. */
  exit: [worker: WorkerStatus, end: WorkerEnd]
  /** Requests of a worker have run for longer than `slowAfter`. */
  slow: [worker: WorkerStatus, requests: RunningRequest[]]
  /** A worker's event loop has been blocked for longer than `slowAfter`. */
  blocked: [worker: WorkerStatus, report: BlockedReport]
  /** A reload has ended: with an error if a new worker failed. */
  reload: [error: PoolError | undefined]
  /** Something is wrong with the options or a program, but the pool continues. */
  warning: [message: string]
  /** A worker's program called `process.send()`. */
  message: [worker: WorkerStatus, message: unknown]
  /** All workers have ended, and the sockets are closed. */
  close: []
}
