import { type ChildProcess, spawn } from 'node:child_process'
import type { PoolSettings } from '../options.ts'
import type { PoolSocket } from '../sockets/pool-sockets.ts'
import {
  type BlockedReport,
  CONFIG_VARIABLE,
  isPoolMessage,
  LISTEN_FDS_START,
  type MasterMessage,
  type WorkerConfig,
  type WorkerMessage,
  type WorkerStats,
} from '../worker/messages.ts'
import { PRELOAD_URL } from '../worker/preload-url.ts'
import { monotonicNow } from './clock.ts'
import type { Reason, WorkerState, WorkerView } from './reconcile.ts'

/** How a worker's process ended. */
export interface WorkerExit {
  code: number | null
  signal: NodeJS.Signals | null
  /** The error if the process could not be started. */
  error?: Error
}

/** What a worker process reports to its pool. */
export interface WorkerListener {
  onMessage(worker: WorkerProcess, message: WorkerMessage): void
  onForeignMessage(worker: WorkerProcess, message: unknown): void
  onBlocked(worker: WorkerProcess, report: BlockedReport): void
  onExit(worker: WorkerProcess, exit: WorkerExit): void
}

/** How a worker is started, and its slot in the pool. */
interface WorkerStart {
  id: number
  slot: number
  generation: number
  reason: Reason
  sockets: readonly PoolSocket[]
  /** Whether no process has called listen(2) on the sockets. */
  mustListen: boolean
  /** Requests after which it asks to be replaced; 0 is no limit. */
  maxRequests: number
}

/** Milliseconds between two heartbeats. */
const HEARTBEAT = 1000

/** The same while nothing happens in a worker. A blocked event loop is noticed later by up to this time. */
const IDLE_HEARTBEAT = 2 * HEARTBEAT

// Each of these variables is for one service or one process only. A worker that inherits it would act in place of the master.
const MASTER_VARIABLES = [
  'LISTEN_PID',
  'LISTEN_FDS',
  'LISTEN_FDNAMES',
  'NOTIFY_SOCKET',
  'WATCHDOG_PID',
  'WATCHDOG_USEC',
]

/** A worker's process and what the master knows of it. */
export class WorkerProcess implements WorkerView {
  readonly id: number
  readonly slot: number
  readonly generation: number
  /** Why it was started. */
  readonly reason: Reason
  readonly sockets: readonly PoolSocket[]
  /** Milliseconds of {@link monotonicNow}. */
  readonly startedAt: number = monotonicNow()
  /** When it was started. */
  readonly startTime: Date = new Date()
  state: WorkerState = 'starting'
  since: number = this.startedAt
  /** When the last message arrived. */
  heartbeatAt: number = this.startedAt
  heartbeatDue: number = this.startedAt
  expiresAt: number = Number.POSITIVE_INFINITY
  /** When it was ready, on the same clock. */
  readyAt: number | undefined
  retiring: Reason | undefined
  /** Why it drains or is killed. */
  endReason: Reason | undefined
  stats: WorkerStats = { requests: 0, active: 0, rss: 0, delay: 0 }
  readonly #child: ChildProcess

  constructor(start: WorkerStart, settings: PoolSettings, listener: WorkerListener) {
    this.id = start.id
    this.slot = start.slot
    this.generation = start.generation
    this.reason = start.reason
    this.sockets = start.sockets
    this.#child = this.#spawn(start, settings)
    this.#listenTo(listener)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get killedFor(): Reason | undefined {
    return this.state === 'killed' ? this.endReason : undefined
  }

  ready(): void {
    this.#enter('ready')
    this.readyAt = this.since
  }

  /** `emptiesQueue`: no other worker will accept the connections in the queue of its sockets, so it accepts them first. */
  drain(reason: Reason, emptiesQueue: boolean): void {
    this.endReason = reason
    this.#enter('draining')
    if (!emptiesQueue || !this.#child.connected) {
      this.#child.kill('SIGTERM')
      return
    }
    const message: MasterMessage = { fcgiBridgePool: 'stop' }
    this.#child.send(message, () => {})
  }

  /** Makes its health path respond with 503. */
  announceClose(): void {
    if (!this.#child.connected) return
    const message: MasterMessage = { fcgiBridgePool: 'announce-close' }
    this.#child.send(message, () => {})
  }

  kill(reason: Reason, signal: NodeJS.Signals): void {
    if (this.state !== 'killed') this.endReason = reason
    this.#enter('killed')
    this.#child.kill(signal)
    // A stopped process handles no other signal.
    if (signal !== 'SIGKILL') this.#child.kill('SIGCONT')
  }

  #enter(state: WorkerState): void {
    this.state = state
    this.since = monotonicNow()
  }

  #spawn({ slot, sockets, mustListen, maxRequests }: WorkerStart, settings: PoolSettings): ChildProcess {
    const descriptors = sockets.map(({ fd }) => fd)
    const copies = mustListen ? descriptors : []
    // After the sockets and their copies: the IPC channel, then the watchdog's pipe.
    const reportFd = LISTEN_FDS_START + descriptors.length + copies.length + 1
    const backlog = Math.max(0, ...(settings.listen ?? []).map((options) => options.backlog ?? 0))
    const config: WorkerConfig = {
      slot,
      sockets: descriptors.length,
      ...(mustListen && { copiesAt: LISTEN_FDS_START + descriptors.length }),
      ...(backlog > 0 && { backlog }),
      reportFd,
      heartbeatInterval: HEARTBEAT,
      idleHeartbeatInterval: IDLE_HEARTBEAT,
      maxRequests,
      slowAfter: settings.slowAfter,
      monitored: settings.monitored,
    }
    const env: NodeJS.ProcessEnv = { ...settings.env, [CONFIG_VARIABLE]: JSON.stringify(config) }
    for (const name of MASTER_VARIABLES) delete env[name]
    const { script, args, execArgv, cwd } = settings
    // Never pass a listening socket as descriptor 0, 1 or 2. Node makes these blocking when a process starts or ends, also for the
    // other processes that share the socket, and they would then hang in accept(2).
    return spawn(process.execPath, [...execArgv, '--import', PRELOAD_URL, script, ...args], {
      stdio: ['ignore', 'inherit', 'inherit', ...descriptors, ...copies, 'ipc', 'pipe'],
      env,
      cwd,
      windowsHide: true,
    })
  }

  #listenTo(listener: WorkerListener): void {
    const child = this.#child
    child.on('message', (message) => {
      if (!isPoolMessage(message)) {
        listener.onForeignMessage(this, message)
        return
      }
      this.heartbeatAt = monotonicNow()
      if ('stats' in message) {
        this.stats = message.stats
        this.heartbeatDue = this.heartbeatAt + message.next
      }
      listener.onMessage(this, message as WorkerMessage)
    })
    const reports = child.stdio.at(-1)
    if (reports !== null && reports !== undefined && 'setEncoding' in reports) {
      let text = ''
      reports.setEncoding('utf8').on('data', (chunk: string) => {
        const lines = (text + chunk).split('\n')
        text = lines.pop()!
        for (const line of lines) listener.onBlocked(this, JSON.parse(line) as BlockedReport)
      })
      reports.on('error', () => {})
    }
    let isOver = false
    const end = (exit: WorkerExit): void => {
      if (isOver) return
      isOver = true
      listener.onExit(this, exit)
    }
    child.once('exit', (code, signal) => end({ code, signal }))
    child.on('error', (error) => {
      // Also emitted if a signal cannot be sent. Without a process id the process never started.
      if (child.pid === undefined) end({ code: null, signal: null, error })
    })
  }
}
