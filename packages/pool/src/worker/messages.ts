// The messages between the master and a worker. Both sides are always of the same version, because the master names the worker's file.

/** The name of the environment variable with the {@link WorkerConfig} as JSON. The worker removes it. */
export const CONFIG_VARIABLE = 'FCGI_BRIDGE_POOL_WORKER'

/** The first inherited descriptor, as in sd_listen_fds(3). */
export const LISTEN_FDS_START = 3

/** The configuration that the master passes to a worker at its start. Times are milliseconds. */
export interface WorkerConfig {
  /** The number of the worker's place in the pool, from 0. */
  slot: number
  /** The number of listening sockets, from descriptor 3. */
  sockets: number
  /** The first descriptor of a copy of each socket, if no process has called listen(2) on the sockets yet. */
  copiesAt?: number
  /** How many connections may wait in a queue, until the program listens with its own number. */
  backlog?: number
  /** A pipe on which the watchdog thread reports a blocked event loop, even while the main thread is stuck. */
  reportFd?: number
  heartbeatInterval: number
  /** The interval while nothing happens in the worker. */
  idleHeartbeatInterval: number
  /** Requests after which the worker asks to be replaced; 0 is no limit. */
  maxRequests: number
  /** Requests that run longer are reported as slow, and so is an event loop that is blocked for longer; 0 is never. */
  slowAfter: number
  /** Whether heartbeats have {@link WorkerDetails}. */
  monitored: boolean
}

/** A request that runs. */
export interface RunningRequest {
  method: string | undefined
  /** Path and query, as the client sent them. */
  target: string | undefined
  remoteAddress: string | undefined
  /** Milliseconds since the request began. */
  age: number
}

/** The figures that a worker reports with each heartbeat. */
export interface WorkerStats {
  /** Requests that have begun. */
  requests: number
  /** Requests that run now. */
  active: number
  /** Resident memory of the process, in bytes. */
  rss: number
  /** By how many milliseconds the heartbeat was late: how long the event loop was busy. */
  delay: number
  /** Only in a pool with the option `monitored`. */
  details?: WorkerDetails
}

/** Why a request was refused. `params`: they are invalid or too large. `body`: its length is wrong or too large. */
export type Refusal = 'overloaded' | 'params' | 'body' | 'protocol'

/** The counts since a start. Times are seconds. */
export interface Counters {
  /** Ended requests by the class of their status: `codes[2]` counts 200 to 299. `codes[0]` counts requests without a response. */
  codes: number[]
  /** Ended requests by their duration: at most {@link DURATION_BOUNDS}[i], and more than the bound before. The last has no bound. */
  durations: number[]
  /** The sum of all durations. */
  durationSum: number
  /** Bytes of request bodies and of response bodies. */
  bytesIn: number
  bytesOut: number
  /** Connections that were accepted. */
  connections: number
  refused: Record<Refusal, number>
  /** Processor time of the process. */
  cpu: number
}

/** The further figures that a worker reports with each heartbeat if the pool is monitored. */
export interface WorkerDetails {
  counters: Counters
  /** Connections with and without a running request. */
  activeConnections: number
  idleConnections: number
  /** How late timers of the event loop were since the last heartbeat, in seconds. */
  loopDelay: { p50: number; p99: number; max: number }
  /** The request that has run for the longest time. */
  oldest?: RunningRequest
}

/** The bounds of the durations of requests, in seconds: those of Prometheus's client libraries. */
export const DURATION_BOUNDS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Returns counters that are all 0. */
export function noCounters(): Counters {
  return {
    codes: [0, 0, 0, 0, 0, 0],
    durations: Array.from({ length: DURATION_BOUNDS.length + 1 }, () => 0),
    durationSum: 0,
    bytesIn: 0,
    bytesOut: 0,
    connections: 0,
    refused: { overloaded: 0, params: 0, body: 0, protocol: 0 },
    cpu: 0,
  }
}

/** Adds `counters` to `sum`, `times` times. */
export function addCounters(sum: Counters, counters: Counters, times = 1): void {
  for (const name of ['codes', 'durations'] as const) {
    counters[name].forEach((count, index) => {
      sum[name][index]! += times * count
    })
  }
  for (const name of ['durationSum', 'bytesIn', 'bytesOut', 'connections', 'cpu'] as const) {
    sum[name] += times * counters[name]
  }
  for (const reason of Object.keys(sum.refused) as Refusal[]) {
    sum.refused[reason] += times * counters.refused[reason]
  }
}

/** A message from a worker to the master. */
export type WorkerMessage =
  /** listen(2) was called on all sockets. From now on, connections wait in the queue. */
  | { fcgiBridgePool: 'listening' }
  /** The program accepts connections on all sockets. */
  | { fcgiBridgePool: 'ready'; stats: WorkerStats; next: number }
  /** `next`: the milliseconds until the next heartbeat, at most. */
  | { fcgiBridgePool: 'heartbeat'; stats: WorkerStats; next: number }
  /** `maxRequests` is reached. */
  | { fcgiBridgePool: 'exhausted' }
  /** An uncaught exception: the program is about to end. */
  | { fcgiBridgePool: 'failing' }
  /** The program listens on another address instead of the pool's sockets. */
  | { fcgiBridgePool: 'elsewhere'; address: string }
  | { fcgiBridgePool: 'slow'; requests: RunningRequest[] }

/** A message from the master to a worker. */
export interface MasterMessage {
  fcgiBridgePool: /** The pool closes: accept the connections in the queue, then end as at SIGTERM. No other process will accept them. */
    | 'stop'
    /** The pool closes soon: the health path responds with 503 from now on. All requests are served. */
    | 'announce-close'
}

/** A report that the watchdog thread writes to the pipe: one JSON document per line. */
export interface BlockedReport {
  /** How long the event loop had not turned, in milliseconds. */
  blocked: number
  /** The JavaScript call stack, innermost first: `name (file:line:column)`. Empty if no JavaScript runs. */
  stack: string[]
  requests: RunningRequest[]
}

/** Whether a message is one of the pool, and not one of the program. */
export function isPoolMessage(value: unknown): value is WorkerMessage | MasterMessage {
  return typeof value === 'object' && value !== null && 'fcgiBridgePool' in value
}
