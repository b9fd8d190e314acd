import { Worker } from 'node:worker_threads'
import type { RunningRequest, WorkerConfig } from './messages.ts'

/** The data for the watchdog thread. */
export interface WatchdogData {
  /** The main thread's event loop increments the number with each heartbeat. */
  heartbeats: Int32Array<SharedArrayBuffer>
  heartbeatInterval: number
  /** The event loop is blocked if it has not turned for this many milliseconds. */
  blockedAfter: number
  /** Where to write a report: the master's pipe. */
  reportFd: number
}

/** The global function that lists the running requests. The watchdog thread calls it in the stopped main thread. */
export const REQUESTS_KEY = 'fcgi-bridge.pool.requests'

/**
 * Reports the call stack and the running requests if the event loop is blocked. Returns a function that the event loop must call at each
 * heartbeat. The first call starts the thread that watches: a worker whose program fails at once does not need one.
 */
export function createWatchdog(config: WorkerConfig, requests: () => RunningRequest[]): () => void {
  const { heartbeatInterval, slowAfter, reportFd } = config
  if (slowAfter === 0 || reportFd === undefined) return () => {}
  const heartbeats = new Int32Array(new SharedArrayBuffer(4))
  let isStarted = false
  return () => {
    Atomics.add(heartbeats, 0, 1)
    if (isStarted) return
    isStarted = true
    Object.defineProperty(globalThis, Symbol.for(REQUESTS_KEY), { value: requests })
    startThread({ heartbeats, heartbeatInterval, blockedAfter: slowAfter, reportFd })
  }
}

function startThread(workerData: WatchdogData): void {
  new Worker(new URL('./watchdog-thread.js', import.meta.url), {
    workerData,
    // The thread needs no flags, and must not load the modules that the program's flags preload.
    execArgv: [],
    env: {},
    resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 16 },
  })
    .on('error', (error) => process.emitWarning(`The pool's watchdog thread failed: ${error.message}`))
    .unref()
}
