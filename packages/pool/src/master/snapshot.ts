import type { WorkerStatus } from '../status.ts'
import { monotonicNow } from './clock.ts'
import type { WorkerProcess } from './worker-process.ts'

/** Returns the current status of a worker. */
export function statusOf(worker: WorkerProcess): WorkerStatus {
  const { slot, pid, state, reason, generation, startTime, stats, heartbeatAt } = worker
  const heartbeatAge = Math.round(monotonicNow() - heartbeatAt)
  return { slot, pid, state, reason, generation, startTime, ...stats, heartbeatAge }
}
