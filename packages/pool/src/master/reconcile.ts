// The pool's one decision: which workers to start, drain and kill. Signals, commands, exits and timers only change its input.

/** Why a worker is started, or why it ends. */
export type Reason =
  /** The pool starts. */
  | 'start'
  | 'reload'
  /** `maxRequests`. */
  | 'requests'
  /** `maxMemory`. */
  | 'memory'
  /** `maxAge`. */
  | 'age'
  /** The worker exited without being asked to. */
  | 'crash'
  /** The event loop did not turn for `stuckTimeout`. */
  | 'stuck'
  /** The number of workers changed. */
  | 'scale'
  /** The pool closes. */
  | 'stop'
  /** It did not listen within `startTimeout`. */
  | 'start-timeout'
  /** It did not drain within `stopTimeout`. */
  | 'stop-timeout'

/**
 * `starting` until the program listens, then `ready`. A worker that is to end is `draining`: it got SIGTERM, finishes its requests
 * and exits. `killed`: it got a signal that ends it soon.
 */
export type WorkerState = 'starting' | 'ready' | 'draining' | 'killed'

/** What {@link reconcile} knows of a worker. Times are milliseconds on one clock. */
export interface WorkerView {
  readonly id: number
  readonly slot: number
  /** The number of reloads before the worker was started. */
  readonly generation: number
  readonly state: WorkerState
  /** When it entered its state. */
  readonly since: number
  /** When the next heartbeat is due. */
  readonly heartbeatDue: number
  /** Why it should be replaced: it has reached a limit, or its program is about to end because of an uncaught exception. */
  readonly retiring?: Reason | undefined
  /** When `maxAge` is reached. */
  readonly expiresAt: number
  /** Why it is `killed`. */
  readonly killedFor?: Reason | undefined
}

/** The wanted state. */
export interface Wanted {
  readonly state: 'running' | 'stopping' | 'killing'
  /** The number of workers. */
  readonly workers: number
  /** Starting and ready workers of older generations are to be replaced. */
  readonly oldestGeneration: number
  /** Whether any worker was ever ready. Until then, one worker is started alone, so that a broken program fails once. */
  readonly proven: boolean
  /** No worker is started before this time. */
  readonly startsNotBefore: number
  /** Several workers have died early, so they are started one at a time. */
  readonly failing: boolean
  /** Why a worker is started in an empty slot. */
  readonly fillReason: (slot: number) => Reason
}

/** Times in milliseconds; 0 is no limit. */
interface ReconcileLimits {
  /** How many workers may run in addition to the wanted number while some are replaced. */
  readonly maxSurge: number
  readonly startTimeout: number
  readonly stopTimeout: number
  readonly stuckTimeout: number
}

/** What to do with a worker, or with an empty slot. */
export type Action =
  | { do: 'start'; slot: number; reason: Reason }
  /** Send SIGTERM. */
  | { do: 'drain'; id: number; reason: Reason }
  | { do: 'kill'; id: number; reason: Reason; signal: 'SIGABRT' | 'SIGKILL' }

/** The result of {@link reconcile}. */
export interface Plan {
  readonly actions: readonly Action[]
  /** When to make a new plan if nothing happens. Infinity is never. */
  readonly wakeAt: number
}

/** Milliseconds from SIGABRT to SIGKILL. */
export const ABORT_DELAY = 2000

/** Compares the wanted state with the workers that exist, and says what to do now. It changes nothing itself. */
export function reconcile(
  wanted: Wanted,
  workers: readonly WorkerView[],
  limits: ReconcileLimits,
  now: number,
): Plan {
  const plan = new Planner(now)
  if (wanted.state === 'killing') {
    for (const worker of workers) if (worker.state !== 'killed') plan.kill(worker, 'stop', 'SIGKILL')
    return plan
  }
  const healthy = workers.filter((worker) => !killIfOverdue(plan, worker, limits))
  if (wanted.state === 'stopping') drainAll(plan, healthy)
  else keepRunning(plan, wanted, healthy, workers.length, limits)
  return plan
}

class Planner implements Plan {
  readonly actions: Action[] = []
  /** By slot: why a worker is killed now. */
  readonly killed = new Map<number, Reason>()
  readonly now: number
  wakeAt = Number.POSITIVE_INFINITY

  constructor(now: number) {
    this.now = now
  }

  /** Whether `time` is reached. If not, a new plan is made at that time. */
  reached(time: number): boolean {
    if (time <= this.now) return true
    this.wakeAt = Math.min(this.wakeAt, time)
    return false
  }

  start(slot: number, reason: Reason): void {
    this.actions.push({ do: 'start', slot, reason })
  }

  drain(id: number, reason: Reason): void {
    this.actions.push({ do: 'drain', id, reason })
  }

  kill({ id, slot }: WorkerView, reason: Reason, signal: 'SIGABRT' | 'SIGKILL'): void {
    this.actions.push({ do: 'kill', id, reason, signal })
    this.killed.set(slot, reason)
  }
}

/** Kills a worker that has exceeded a time limit. Returns whether it is being killed. */
function killIfOverdue(plan: Planner, worker: WorkerView, limits: ReconcileLimits): boolean {
  const { state, since, heartbeatDue } = worker
  const isOver = (start: number, timeout: number): boolean => timeout > 0 && plan.reached(start + timeout)
  switch (state) {
    case 'killed':
      if (worker.killedFor === 'stuck' && plan.reached(since + ABORT_DELAY)) {
        plan.kill(worker, 'stuck', 'SIGKILL')
      }
      return true
    case 'starting':
      if (!isOver(since, limits.startTimeout)) return false
      plan.kill(worker, 'start-timeout', 'SIGKILL')
      return true
    case 'draining':
      if (isOver(since, limits.stopTimeout)) plan.kill(worker, 'stop-timeout', 'SIGKILL')
      else if (isOver(heartbeatDue, limits.stuckTimeout)) plan.kill(worker, 'stuck', 'SIGABRT')
      else return false
      return true
    case 'ready':
      if (!isOver(heartbeatDue, limits.stuckTimeout)) return false
      plan.kill(worker, 'stuck', 'SIGABRT')
      return true
  }
}

function drainAll(plan: Planner, workers: readonly WorkerView[]): void {
  const isServed = workers.some(({ state }) => state === 'ready')
  for (const worker of workers) {
    if (worker.state === 'ready') plan.drain(worker.id, 'stop')
    // Without a ready worker, the starting ones first serve the requests that wait in the queue.
    else if (worker.state === 'starting' && isServed) plan.kill(worker, 'stop', 'SIGKILL')
  }
}

function keepRunning(
  plan: Planner,
  wanted: Wanted,
  workers: readonly WorkerView[],
  alive: number,
  limits: ReconcileLimits,
): void {
  let total = alive
  let starting = workers.filter(({ state }) => state === 'starting').length
  const startsOneAtATime = wanted.failing || !wanted.proven
  const start = (slot: number, reason: Reason): void => {
    if (startsOneAtATime && starting > 0) return
    if (!plan.reached(wanted.startsNotBefore)) return
    plan.start(slot, reason)
    starting++
    total++
  }
  const replaced: (() => void)[] = []
  for (let slot = 0; slot < wanted.workers; slot++) {
    const members = workers.filter((worker) => worker.slot === slot && worker.state !== 'draining')
    const outdated = (worker: WorkerView): Reason | undefined => reasonToReplace(plan, wanted, worker)
    const ready = members.filter(({ state }) => state === 'ready')
    const isStarting = members.some((worker) => worker.state === 'starting' && outdated(worker) === undefined)
    // The one that serves: an up-to-date worker, else the newest.
    const serving = ready.find((worker) => outdated(worker) === undefined) ?? ready.at(-1)
    for (const worker of members) {
      const reason = outdated(worker)
      if (worker.state === 'starting' && reason !== undefined) plan.kill(worker, reason, 'SIGKILL')
      else if (worker.state === 'ready' && worker !== serving) plan.drain(worker.id, reason ?? 'scale')
    }
    if (isStarting) continue
    if (serving === undefined) {
      start(slot, plan.killed.get(slot) ?? wanted.fillReason(slot))
      continue
    }
    const reason = outdated(serving)
    if (reason === undefined) continue
    replaced.push(() => {
      if (total < wanted.workers + limits.maxSurge) start(slot, reason)
    })
  }
  for (const worker of workers) {
    if (worker.slot < wanted.workers) continue
    if (worker.state === 'starting') plan.kill(worker, 'scale', 'SIGKILL')
    else if (worker.state === 'ready') plan.drain(worker.id, 'scale')
  }
  // Empty slots come first: replacements share the rest of the surge.
  for (const replace of replaced) replace()
}

function reasonToReplace(plan: Planner, wanted: Wanted, worker: WorkerView): Reason | undefined {
  if (worker.generation < wanted.oldestGeneration) return 'reload'
  if (worker.state !== 'ready') return undefined
  if (worker.retiring !== undefined) return worker.retiring
  return plan.reached(worker.expiresAt) ? 'age' : undefined
}
