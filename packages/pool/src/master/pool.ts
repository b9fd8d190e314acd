import { EventEmitter } from 'node:events'
import type { PoolError } from '../error.ts'
import { checkCount, type PoolOptions, type PoolSettings, resolveOptions } from '../options.ts'
import { inheritedSockets } from '../sockets/inherited.ts'
import { PoolSockets } from '../sockets/pool-sockets.ts'
import type { PoolState, PoolStatus } from '../status.ts'
import { monotonicNow } from './clock.ts'
import { Deferred } from './deferred.ts'
import { closedError, reloadFailure, startFailure } from './failures.ts'
import { Fleet } from './fleet.ts'
import type { PoolEvents } from './pool-events.ts'
import { reconcile, type Wanted } from './reconcile.ts'

// The longest delay of setTimeout(), in milliseconds. It treats a longer one as 1 ms.
const TIMER_MAX = 2 ** 31 - 1

/** Creates a pool. Call `start()` next. Throws a TypeError or a RangeError for an option that is wrong. */
export function createPool(options: PoolOptions): Pool {
  return new Pool(resolveOptions(options))
}

/**
 * Worker processes that serve the same sockets. The pool binds the sockets and keeps them, so no connection is refused while
 * workers are replaced. It accepts none itself, and never loads the program. Made by {@link createPool}.
 */
export class Pool extends EventEmitter<PoolEvents> {
  readonly #settings: PoolSettings
  readonly #startTime = new Date()
  readonly #reloads = { succeeded: 0, failed: 0 }
  readonly #closed = new Deferred()
  #sockets: PoolSockets | undefined
  #fleet: Fleet | undefined
  /** `leaving`: `close()` was called, and the workers serve until `drainDelay` has passed. */
  #phase: 'idle' | 'leaving' | Wanted['state'] | 'closed' = 'idle'
  #wanted: number
  #generation = 0
  #oldestGeneration = 0
  #timer: NodeJS.Timeout | undefined
  #isScheduled = false
  /** Settles when the sockets for the last wanted number of workers are bound. Changes of that number wait for each other. */
  #scaling: Promise<unknown> = Promise.resolve()
  #starting: Deferred | undefined
  #reloading: Deferred | undefined

  constructor(settings: PoolSettings) {
    super()
    this.#settings = settings
    this.#wanted = settings.workers
  }

  /**
   * Binds the sockets and starts the workers: the first one alone, then the others. Resolves when all are ready. Rejects, and closes
   * the pool, if a socket cannot be bound or the first worker fails.
   */
  async start(): Promise<void> {
    if (this.#phase === 'closed') throw closedError()
    if (this.#phase !== 'idle') throw new Error('The pool was started before: create a new one.')
    this.#phase = 'running'
    this.#starting = new Deferred()
    const { listen, perWorkerSockets } = this.#settings
    try {
      this.#sockets = new PoolSockets(listen ?? inheritedSockets(), perWorkerSockets, ({ address }) =>
        this.emit('listening', address),
      )
      const opening = this.#openSockets(this.#wanted)
      this.#scaling = opening.catch(() => {})
      await opening
    } catch (error) {
      this.#finish()
      throw error
    }
    this.#fleet = new Fleet(this.#settings, this.#sockets, this, {
      onChange: () => this.#schedule(),
      onStartFailure: ({ generation, pid }, exit, reason) => {
        const failed = { pid, exit, reason, startTimeout: this.#settings.startTimeout }
        if (this.#starting !== undefined && !this.#fleet!.starts.proven) this.#endStart(startFailure(failed))
        else if (generation === this.#generation) this.#endReload(reloadFailure(failed))
      },
    })
    this.#schedule()
    await this.#starting.promise
  }

  /**
   * Replaces all workers, each by one that is ready before the old one drains. Resolves when the new ones serve; old ones may still
   * finish requests then. Rejects with a {@link PoolError} if a new worker fails. Workers that were not replaced keep running.
   */
  async reload(): Promise<void> {
    if (this.#phase !== 'running') throw closedError()
    this.#fleet?.starts.resetFailures()
    this.#oldestGeneration = ++this.#generation
    this.#reloading ??= new Deferred()
    this.#schedule()
    await this.#reloading.promise
  }

  /**
   * Changes the number of workers. Resolves once sockets are bound for them. With `perWorkerSockets`, the sockets of the workers that are
   * removed are closed, so that the front server uses the others. Throws a RangeError if the number is not from 1 to 1024.
   */
  async scale(workers: number): Promise<void> {
    checkCount('workers', workers)
    const scaled = this.#scaling.then(() => this.#scale(workers))
    this.#scaling = scaled.catch(() => {})
    await scaled
  }

  /**
   * Drains all workers and closes the sockets. Resolves when all workers have ended. With `now`, the workers are killed; a second call
   * may ask for that.
   */
  close({ now = false }: { now?: boolean } = {}): Promise<void> {
    const { drainDelay } = this.#settings
    if (this.#phase === 'idle') this.#finish()
    else if (this.#phase === 'running' && !now && drainDelay > 0 && this.#fleet?.starts.proven) {
      this.#phase = 'leaving'
      this.#fleet.announceClose()
      this.#endReload(closedError())
      setTimeout(() => this.#stop('stopping'), Math.min(drainDelay, TIMER_MAX))
    } else if (this.#phase !== 'leaving' || now) {
      this.#stop(now ? 'killing' : 'stopping')
    }
    return this.#closed.promise
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** What the pool and its workers do now. */
  status(): PoolStatus {
    return {
      state: this.#state(),
      reloading: this.#reloading !== undefined,
      wanted: this.#wanted,
      startTime: this.#startTime,
      addresses: (this.#sockets?.all ?? []).map(({ address }) => address),
      reloads: { ...this.#reloads },
      ...(this.#fleet?.status() ?? { requests: 0, restarts: {}, workers: [] }),
    }
  }

  #state(): PoolState {
    const phase = this.#phase
    if (phase === 'idle' || phase === 'leaving' || phase === 'closed') return phase
    if (phase !== 'running') return 'closing'
    if (this.#fleet?.isComplete(this.#wanted, 0)) return 'running'
    return this.#starting === undefined ? 'degraded' : 'starting'
  }

  #stop(phase: 'stopping' | 'killing'): void {
    if (this.#phase === 'closed' || this.#phase === 'killing') return
    if (this.#phase !== 'stopping') this.#sockets?.retire()
    this.#phase = phase
    this.#endReload(closedError())
    this.#schedule()
  }

  async #scale(workers: number): Promise<void> {
    if (this.#phase !== 'running') throw closedError()
    await this.#openSockets(workers)
    if (this.#isClosed) {
      this.#sockets?.close()
      throw closedError()
    }
    this.#wanted = workers
    this.#sockets?.closeFrom(workers)
    this.#schedule()
  }

  // A getter, because TypeScript does not know that the phase changes while a method waits.
  get #isClosed(): boolean {
    return this.#phase === 'closed'
  }

  async #openSockets(workers: number): Promise<void> {
    for (let slot = 0; slot < workers; slot++) await this.#sockets!.open(slot)
  }

  // Every change calls this method. It schedules one step, which runs after the current event.
  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.#step()
    })
  }

  #step(): void {
    const fleet = this.#fleet
    if (fleet === undefined || this.#phase === 'idle' || this.#phase === 'closed') return
    clearTimeout(this.#timer)
    if (this.#phase === 'running') this.#settle(fleet)
    const now = monotonicNow()
    fleet.observeStarts(now)
    const state = this.#phase === 'leaving' ? 'running' : this.#phase
    const plan = reconcile(this.#wantedState(fleet, state), fleet.views, this.#settings, now)
    for (const action of plan.actions) fleet.act(action, this.#generation)
    if (state !== 'running' && fleet.size === 0) {
      this.#finish()
    } else if (plan.wakeAt < Number.POSITIVE_INFINITY) {
      // Rounded up: a timer that fires early would find nothing to do.
      this.#timer = setTimeout(() => this.#step(), Math.min(Math.ceil(plan.wakeAt - now), TIMER_MAX))
    }
  }

  #wantedState({ starts }: Fleet, state: Wanted['state']): Wanted {
    const fillReason = this.#starting === undefined ? 'scale' : 'start'
    return {
      state,
      workers: this.#wanted,
      oldestGeneration: this.#oldestGeneration,
      proven: starts.proven,
      startsNotBefore: starts.notBefore,
      failing: starts.failing,
      fillReason: (slot) => this.#fleet!.lastEnd(slot) ?? fillReason,
    }
  }

  /** Resolves the promises of `start()` and `reload()` if all workers are ready. */
  #settle(fleet: Fleet): void {
    if (this.#starting !== undefined && fleet.isComplete(this.#wanted, 0)) this.#endStart()
    if (this.#reloading !== undefined && fleet.isComplete(this.#wanted, this.#oldestGeneration)) {
      this.#endReload()
    }
  }

  #endStart(error?: PoolError): void {
    const starting = this.#starting
    this.#starting = undefined
    if (error === undefined) {
      starting?.resolve()
      return
    }
    starting?.reject(error)
    if (this.#phase === 'running') this.#phase = 'killing'
  }

  #endReload(error?: PoolError): void {
    const reloading = this.#reloading
    if (reloading === undefined) return
    this.#reloading = undefined
    // Workers of the failed generation stay, too.
    if (error !== undefined) this.#oldestGeneration = 0
    this.#reloads[error === undefined ? 'succeeded' : 'failed']++
    if (error === undefined) reloading.resolve()
    else reloading.reject(error)
    this.emit('reload', error)
  }

  #finish(): void {
    this.#phase = 'closed'
    clearTimeout(this.#timer)
    this.#sockets?.close()
    this.#endStart(closedError())
    this.emit('close')
    this.#closed.resolve()
  }
}
