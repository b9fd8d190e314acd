// The status page of PHP-FPM (pm.status_path) with the names of its fields, so that its exporters and dashboards read it.

import type { PoolStatus, WorkerStatus } from '../status.ts'
import type { ListenQueue } from './listen-queue.ts'

/** What the page shows in addition to the status. */
export interface FpmContext {
  /** The name of the pool. */
  name: string
  /** The workers' program. */
  script: string
  queue: ListenQueue | undefined
  /** The longest queue so far. */
  maxQueue: number
}

type Fields = Record<string, string | number>

/** The page: its fields, and those of each worker. */
interface FpmStatus {
  fields: Fields
  processes: Fields[]
}

/** The status of a pool with the names of PHP-FPM. */
export function fpmStatus(status: PoolStatus, context: FpmContext): FpmStatus {
  const { workers, monitoring, startTime, wanted } = status
  const serving = workers.filter(({ state }) => state === 'ready' || state === 'draining')
  const active = serving.filter(isActive).length
  const connections = monitoring?.slots.reduce((sum, slot) => sum + slot.connections, 0) ?? 0
  const fields = {
    pool: context.name,
    'process manager': 'static',
    'start time': seconds(startTime.getTime()),
    'start since': seconds(Date.now() - startTime.getTime()),
    'accepted conn': connections,
    ...(context.queue !== undefined && {
      'listen queue': context.queue.waiting,
      'max listen queue': context.maxQueue,
      'listen queue len': context.queue.limit,
    }),
    'idle processes': serving.length - active,
    'active processes': active,
    'total processes': workers.length,
    'max active processes': monitoring?.maxActiveWorkers ?? 0,
    // The number of workers does not depend on the load, so it is never the reason why a request waits.
    'max children reached': 0,
    'slow requests': monitoring?.slowRequests ?? 0,
    'wanted processes': wanted,
    state: status.state,
  }
  return { fields, processes: workers.map((worker) => processFields(worker, context.script)) }
}

/** The page as text: a line for each field, and a block for each worker. */
export function fpmText(fields: Fields, processes: readonly Fields[]): string {
  const blocks = [fields, ...processes].map(block)
  return `${blocks.join('\n\n************************\n')}\n`
}

function block(fields: Fields): string {
  const width = Math.max(...Object.keys(fields).map((name) => name.length)) + 1
  return Object.entries(fields)
    .map(([name, value]) => `${`${name}:`.padEnd(width)} ${value}`)
    .join('\n')
}

function processFields(worker: WorkerStatus, script: string): Fields {
  const { pid, state, slot, startTime, requests, rss, details } = worker
  const oldest = details?.oldest
  return {
    pid: pid ?? 0,
    state: isActive(worker) ? 'Running' : 'Idle',
    'start time': seconds(startTime.getTime()),
    'start since': seconds(Date.now() - startTime.getTime()),
    requests,
    // Microseconds.
    'request duration': (oldest?.age ?? 0) * 1000,
    'request method': oldest?.method ?? '-',
    'request uri': oldest?.target ?? '-',
    'content length': 0,
    user: '-',
    script,
    'last request cpu': 0,
    'last request memory': rss,
    worker: slot,
    'worker state': state,
    'active requests': worker.active,
  }
}

function isActive({ active }: WorkerStatus): boolean {
  return active > 0
}

function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000)
}
