import type { Monitoring } from '../status.ts'
import { addCounters, type Counters, noCounters } from '../worker/messages.ts'
import type { WorkerProcess } from './worker-process.ts'

/** The sums of the counters of all workers, including those that have ended. The numbers never decrease. */
export class Totals {
  /** By slot: what its ended workers have counted. */
  readonly #ended = new Map<number, { requests: number; counters: Counters }>()
  /** The final numbers of workers that ended, which a late heartbeat may still replace. */
  readonly #last = new WeakMap<WorkerProcess, WorkerProcess['stats']>()
  #slow = 0
  #maxActive = 0

  /** Some requests were reported as slow. */
  onSlow(count: number): void {
    this.#slow += count
  }

  /** A heartbeat arrived. `workers` are all that run. */
  onHeartbeat(workers: Iterable<WorkerProcess>): void {
    let active = 0
    for (const { stats } of workers) if (stats.active > 0) active++
    this.#maxActive = Math.max(this.#maxActive, active)
  }

  /** A worker has ended, or its last heartbeat has arrived after its end. */
  onEnd(worker: WorkerProcess): void {
    const before = this.#last.get(worker)
    this.#last.set(worker, worker.stats)
    const ended = this.#endedOf(worker.slot)
    ended.requests += worker.stats.requests - (before?.requests ?? 0)
    if (worker.stats.details === undefined) return
    if (before?.details !== undefined) addCounters(ended.counters, before.details.counters, -1)
    addCounters(ended.counters, worker.stats.details.counters)
  }

  /** Requests that have begun in any worker. */
  requests(workers: Iterable<WorkerProcess>): number {
    let requests = 0
    for (const ended of this.#ended.values()) requests += ended.requests
    for (const { stats } of workers) requests += stats.requests
    return requests
  }

  monitoring(workers: Iterable<WorkerProcess>): Monitoring {
    const slots = new Map<number, Counters>()
    const of = (slot: number): Counters => {
      const sum = slots.get(slot) ?? noCounters()
      slots.set(slot, sum)
      return sum
    }
    for (const [slot, { counters }] of this.#ended) addCounters(of(slot), counters)
    for (const { slot, stats } of workers) {
      if (stats.details !== undefined) addCounters(of(slot), stats.details.counters)
    }
    const bySlot = [...slots].sort(([a], [b]) => a - b).map(([slot, counters]) => ({ slot, ...counters }))
    return { slots: bySlot, slowRequests: this.#slow, maxActiveWorkers: this.#maxActive }
  }

  #endedOf(slot: number): { requests: number; counters: Counters } {
    const ended = this.#ended.get(slot) ?? { requests: 0, counters: noCounters() }
    this.#ended.set(slot, ended)
    return ended
  }
}
