import type { Reason, WorkerState } from '../master/reconcile.ts'
import type { PoolStatus, WorkerStatus } from '../status.ts'
import { addCounters, DURATION_BOUNDS, noCounters, type Refusal } from '../worker/messages.ts'
import { Exposition, type Format } from './exposition.ts'
import type { ListenQueue } from './listen-queue.ts'

const STATES: readonly WorkerState[] = ['starting', 'ready', 'draining', 'killed']
const RESTARTS: readonly Reason[] = [
  'reload',
  'requests',
  'memory',
  'age',
  'crash',
  'stuck',
  'start-timeout',
  'stop-timeout',
]
const CODES: readonly string[] = ['none', '1xx', '2xx', '3xx', '4xx', '5xx']

/**
 * The metrics of a pool as text. The label `worker` is the slot of a worker and not its process id, so that replaced workers add no series.
 * While one worker replaces another, gauges with this label are sums of both.
 */
export function formatMetrics(
  status: PoolStatus,
  version: string,
  queue: ListenQueue | undefined,
  format: Format,
): string {
  const out = new Exposition(format)
  addPool(out, status, version, queue)
  addWorkers(out, status)
  if (status.monitoring !== undefined) addCounts(out, status.monitoring)
  return out.toString()
}

function addPool(out: Exposition, status: PoolStatus, version: string, queue: ListenQueue | undefined): void {
  const { workers, wanted, restarts, reloads, startTime } = status
  out.add('info', 'fcgi_bridge_build', 'The versions of fcgi-bridge and of Node.js.', [
    [{ version, node: process.versions.node }, 1],
  ])
  out.add('gauge', 'fcgi_bridge_start_time_seconds', 'When the pool was started, in seconds since 1970.', [
    [{}, startTime.getTime() / 1000],
  ])
  out.add(
    'gauge',
    'fcgi_bridge_workers',
    'Worker processes by their state.',
    STATES.map((state) => [{ state }, workers.filter((worker) => worker.state === state).length]),
  )
  out.add('gauge', 'fcgi_bridge_workers_wanted', 'The number of workers that the pool keeps running.', [
    [{}, wanted],
  ])
  out.add(
    'counter',
    'fcgi_bridge_worker_restarts',
    'Workers that were started to replace another one, by the reason.',
    RESTARTS.map((reason) => [{ reason }, restarts[reason] ?? 0]),
  )
  out.add('counter', 'fcgi_bridge_reloads', 'Reloads by their result.', [
    [{ result: 'succeeded' }, reloads.succeeded],
    [{ result: 'failed' }, reloads.failed],
  ])
  if (queue === undefined) return
  out.add('gauge', 'fcgi_bridge_listen_queue', 'Connections that wait to be accepted.', [[{}, queue.waiting]])
  out.add('gauge', 'fcgi_bridge_listen_queue_limit', 'How many connections may wait.', [[{}, queue.limit]])
}

function addWorkers(out: Exposition, { workers }: PoolStatus): void {
  const numbers = [...new Set(workers.map(({ slot }) => slot))].sort((a, b) => a - b)
  const slots = numbers.map((number) => [number, workers.filter(({ slot }) => slot === number)] as const)
  const sums = (value: (worker: WorkerStatus) => number) =>
    slots.map(([worker, members]) => [{ worker }, sum(members.map(value))] as const)
  out.add(
    'gauge',
    'fcgi_bridge_requests_in_flight',
    'Requests that run, as of the last heartbeat.',
    sums(({ active }) => active),
  )
  out.add(
    'gauge',
    'fcgi_bridge_resident_memory_bytes',
    'Resident memory of the workers.',
    sums(({ rss }) => rss),
  )
  const detailed = workers.filter(({ state, details }) => state === 'ready' && details !== undefined)
  out.add(
    'gauge',
    'fcgi_bridge_connections',
    'Open connections with a running request (active) and without one (idle).',
    slots.flatMap(([worker, members]) => [
      [{ worker, state: 'active' }, sum(members.map(({ details }) => details?.activeConnections ?? 0))],
      [{ worker, state: 'idle' }, sum(members.map(({ details }) => details?.idleConnections ?? 0))],
    ]),
  )
  out.add(
    'summary',
    'fcgi_bridge_event_loop_delay_seconds',
    'How late timers of the event loop were between the last two heartbeats.',
    slots.flatMap(([worker]) => {
      const delays = detailed.filter(({ slot }) => slot === worker).map(({ details }) => details!.loopDelay)
      if (delays.length === 0) return []
      const largest = (name: 'p50' | 'p99' | 'max') => Math.max(...delays.map((delay) => delay[name]))
      return [
        [{ worker, quantile: '0.5' }, largest('p50')],
        [{ worker, quantile: '0.99' }, largest('p99')],
        [{ worker, quantile: '1' }, largest('max')],
      ]
    }),
  )
}

function addCounts(out: Exposition, { slots, slowRequests }: NonNullable<PoolStatus['monitoring']>): void {
  const total = noCounters()
  for (const slot of slots) addCounters(total, slot)
  out.add(
    'counter',
    'fcgi_bridge_requests',
    'Requests that have ended, by the class of their status. `none`: without a response.',
    slots.flatMap(({ slot: worker, codes }) =>
      codes.map((count, index) => [{ worker, code: CODES[index]! }, count]),
    ),
  )
  out.addHistogram(
    'fcgi_bridge_request_duration_seconds',
    'Time from the first record of a request to the end of its response.',
    DURATION_BOUNDS,
    total.durations,
    total.durationSum,
  )
  out.add('counter', 'fcgi_bridge_slow_requests', 'Requests that ran for longer than the limit --slow.', [
    [{}, slowRequests],
  ])
  out.add('counter', 'fcgi_bridge_connections_accepted', 'Connections that were accepted.', [
    [{}, total.connections],
  ])
  out.add(
    'counter',
    'fcgi_bridge_refused',
    'Requests that the app did not get, by the reason. `protocol` counts connections.',
    (Object.keys(total.refused) as Refusal[]).map((reason) => [{ reason }, total.refused[reason]]),
  )
  out.add('counter', 'fcgi_bridge_request_body_bytes', 'Bytes of request bodies.', [[{}, total.bytesIn]])
  out.add('counter', 'fcgi_bridge_response_body_bytes', 'Bytes of response bodies.', [[{}, total.bytesOut]])
  out.add(
    'counter',
    'fcgi_bridge_cpu_seconds',
    'Processor time of the workers.',
    slots.map(({ slot: worker, cpu }) => [{ worker }, cpu]),
  )
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
