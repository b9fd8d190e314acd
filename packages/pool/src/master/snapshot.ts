import type { WorkerStatus } from '../status.ts'
import type { WorkerProcess } from './worker-process.ts'

/** Returns the current status of a worker. */
export function statusOf(worker: WorkerProcess): WorkerStatus {
  const { slot, pid, state, reason, generation, startTime, stats, heartbeatAt } = worker
  const heartbeatAge = Math.round(performance.now() - heartbeatAt)
  return { slot, pid, state, reason, generation, startTime, ...stats, heartbeatAge }
}
