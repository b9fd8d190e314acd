import type { EventEmitter } from 'node:events'
import type { PoolSettings } from '../options.ts'
import type { PoolSockets } from '../sockets/pool-sockets.ts'
import type { PoolStatus } from '../status.ts'
import type { WorkerMessage } from '../worker/messages.ts'
import { monotonicNow } from './clock.ts'
import type { PoolEvents } from './pool-events.ts'
import type { Action, Reason, WorkerView } from './reconcile.ts'
import { Recycling } from './recycling.ts'
import { statusOf } from './snapshot.ts'
import { isEarly, Starts } from './starts.ts'
import { Totals } from './totals.ts'
import { type WorkerExit, type WorkerListener, WorkerProcess } from './worker-process.ts'

/** What the {@link Fleet} reports to the pool. */
interface FleetListener {
  /** Something happened that may need an action. */
  onChange(): void
  /** A worker ended before it was ready. */
  onStartFailure(worker: WorkerProcess, exit: WorkerExit, reason: Reason): void
}

/** The worker processes. It starts and stops them for the pool, and counts them. */
export class Fleet {
  readonly starts: Starts = new Starts()
  readonly #settings: PoolSettings
  readonly #sockets: PoolSockets
  readonly #events: EventEmitter<PoolEvents>
  readonly #listener: FleetListener
  readonly #recycling: Recycling
  readonly #workers = new Map<number, WorkerProcess>()
  /** By slot: how its last worker ended. */
  readonly #lastEnd = new Map<number, Reason>()
  readonly #restarts: PoolStatus['restarts'] = {}
  readonly #totals = new Totals()
  #nextId = 1
  #isCloseAnnounced = false

  constructor(
    settings: PoolSettings,
    sockets: PoolSockets,
    events: EventEmitter<PoolEvents>,
    listener: FleetListener,
  ) {
    this.#settings = settings
    this.#sockets = sockets
    this.#events = events
    this.#listener = listener
    this.#recycling = new Recycling(settings, (message) => events.emit('warning', message))
  }

  get size(): number {
    return this.#workers.size
  }

  /** The workers as they are now. */
  get views(): readonly WorkerView[] {
    return [...this.#workers.values()]
  }

  /** How the last worker of a slot ended. */
  lastEnd(slot: number): Reason | undefined {
    return this.#lastEnd.get(slot)
  }

  /** Whether each of the first `count` slots has a ready worker of at least this generation. */
  isComplete(count: number, oldestGeneration: number): boolean {
    const slots = new Set<number>()
    for (const { state, slot, generation } of this.#workers.values()) {
      if (state === 'ready' && generation >= oldestGeneration && slot < count) slots.add(slot)
    }
    return slots.size === count
  }

  /** Ends the back-off after early deaths if a worker that was started later has lived for long enough. */
  observeStarts(now: number): void {
    this.starts.observe(this.#workers.values(), now)
  }

  /** Makes the health path of all workers respond with 503. */
  announceClose(): void {
    this.#isCloseAnnounced = true
    for (const worker of this.#workers.values()) worker.announceClose()
  }

  /** Carries out an action of the plan. A worker that is started belongs to `generation`. */
  act(action: Action, generation: number): void {
    switch (action.do) {
      case 'start':
        this.#start(action.slot, generation, action.reason)
        break
      case 'drain': {
        const worker = this.#workers.get(action.id)!
        worker.drain(action.reason, this.#isLastOnSocket(action.reason))
        this.#events.emit('drain', statusOf(worker), action.reason)
        break
      }
      case 'kill': {
        const worker = this.#workers.get(action.id)!
        worker.kill(action.reason, action.signal)
        this.#events.emit('kill', statusOf(worker), action.reason)
      }
    }
    // Plan again: a new worker has a time limit, a draining one has another, and the slot of a killed one is empty.
    this.#listener.onChange()
  }

  /** The fleet's part of the pool's status. */
  status(): Pick<PoolStatus, 'requests' | 'restarts' | 'monitoring' | 'workers'> {
    const workers = [...this.#workers.values()].sort((a, b) => a.slot - b.slot || a.id - b.id)
    return {
      requests: this.#totals.requests(workers),
      restarts: { ...this.#restarts },
      ...(this.#settings.monitored && { monitoring: this.#totals.monitoring(workers) }),
      workers: workers.map(statusOf),
    }
  }

  // A worker drains for `reason`. Returns true if it must also serve the connections in its socket's queue, because no other worker will.
  #isLastOnSocket(reason: Reason): boolean {
    return reason === 'stop' || (reason === 'scale' && this.#settings.perWorkerSockets)
  }

  #start(slot: number, generation: number, reason: Reason): void {
    const sockets = this.#sockets.of(slot)
    const start = {
      id: this.#nextId++,
      slot,
      generation,
      reason,
      sockets,
      mustListen: !this.#sockets.isListening(sockets),
      maxRequests: this.#recycling.requestLimit(),
    }
    const worker = new WorkerProcess(start, this.#settings, this.#workerListener)
    this.#workers.set(worker.id, worker)
    if (reason !== 'start' && reason !== 'scale') this.#restarts[reason] = (this.#restarts[reason] ?? 0) + 1
    this.#events.emit('start', statusOf(worker))
  }

  readonly #workerListener: WorkerListener = {
    onMessage: (worker, message) => this.#onMessage(worker, message),
    onForeignMessage: (worker, message) => this.#events.emit('message', statusOf(worker), message),
    onBlocked: (worker, report) => this.#events.emit('blocked', statusOf(worker), report),
    onExit: (worker, exit) => this.#onExit(worker, exit),
  }

  #onMessage(worker: WorkerProcess, message: WorkerMessage): void {
    switch (message.fcgiBridgePool) {
      case 'listening':
        this.#sockets.markListening(worker.sockets)
        return
      case 'ready':
        if (worker.state !== 'starting') return
        worker.ready()
        if (this.#isCloseAnnounced) worker.announceClose()
        this.starts.proven = true
        this.#sockets.markListening(worker.sockets)
        this.#recycling.onReady(worker)
        this.#events.emit('ready', statusOf(worker))
        break
      case 'heartbeat':
        // The last heartbeat of a worker may arrive after its end.
        if (!this.#workers.has(worker.id)) this.#totals.onEnd(worker)
        else this.#totals.onHeartbeat(this.#workers.values())
        if (!this.#recycling.exceedsMemory(worker, monotonicNow())) return
        worker.retiring = 'memory'
        break
      case 'exhausted':
        worker.retiring ??= 'requests'
        break
      case 'failing':
        worker.retiring ??= 'crash'
        break
      case 'elsewhere':
        this.#events.emit(
          'warning',
          `Worker ${worker.slot} listens on ${message.address} itself, not on the pool's sockets. Call serve(app) without an address, and give the address to the pool.`,
        )
        return
      case 'slow':
        this.#totals.onSlow(message.requests.length)
        this.#events.emit('slow', statusOf(worker), message.requests)
        return
    }
    this.#listener.onChange()
  }

  #onExit(worker: WorkerProcess, exit: WorkerExit): void {
    this.#workers.delete(worker.id)
    this.#totals.onEnd(worker)
    const now = monotonicNow()
    const lifetime = now - worker.startedAt
    const reason = worker.endReason ?? 'crash'
    this.#lastEnd.set(worker.slot, reason)
    this.#events.emit('exit', statusOf(worker), { ...exit, reason, lifetime })
    if (reason === 'crash' || reason === 'stuck' || reason === 'start-timeout') {
      this.observeStarts(now)
      if (isEarly(lifetime) || reason === 'start-timeout') this.starts.fail(now)
      if (worker.readyAt === undefined) this.#listener.onStartFailure(worker, exit, reason)
    }
    this.#listener.onChange()
  }
}
