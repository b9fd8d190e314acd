import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ABORT_DELAY,
  type Action,
  type Reason,
  reconcile,
  type Wanted,
  type WorkerView,
} from './reconcile.ts'

const NOW = 100_000
const LIMITS = { maxSurge: 1, startTimeout: 30_000, stopTimeout: 30_000, stuckTimeout: 30_000 }

const WANTED: Wanted = {
  state: 'running',
  workers: 2,
  oldestGeneration: 0,
  proven: true,
  startsNotBefore: 0,
  failing: false,
  fillReason: () => 'crash',
}

function worker(id: number, slot: number, fields: Partial<WorkerView> = {}): WorkerView {
  return {
    id,
    slot,
    generation: 0,
    state: 'ready',
    since: NOW - 1000,
    heartbeatDue: NOW + 900,
    expiresAt: Number.POSITIVE_INFINITY,
    ...fields,
  }
}

function actions(workers: WorkerView[], wanted: Partial<Wanted> = {}, limits = LIMITS): readonly Action[] {
  return reconcile({ ...WANTED, ...wanted }, workers, limits, NOW).actions
}

const BOTH = [worker(1, 0), worker(2, 1)]

describe('starting', () => {
  test('the first worker starts alone: a broken program fails once', () => {
    expect(actions([], { proven: false })).toEqual([{ do: 'start', slot: 0, reason: 'crash' }])
    expect(actions([worker(1, 0, { state: 'starting' })], { proven: false })).toEqual([])
  })

  test('all others start at once when it is ready', () => {
    const started = actions([worker(1, 0)], { workers: 4, fillReason: () => 'start' })
    expect(started).toEqual([1, 2, 3].map((slot) => ({ do: 'start', slot, reason: 'start' })))
  })

  test('a dead worker is replaced at once', () => {
    expect(actions([worker(1, 0)])).toEqual([{ do: 'start', slot: 1, reason: 'crash' }])
  })

  test('while workers fail, one is tried at a time, and not before its time', () => {
    expect(actions([], { failing: true })).toHaveLength(1)
    const plan = reconcile({ ...WANTED, failing: true, startsNotBefore: NOW + 400 }, [], LIMITS, NOW)
    expect(plan).toMatchObject({ actions: [], wakeAt: NOW + 400 })
  })

  test('a worker that does not listen within startTimeout is killed and replaced', () => {
    const late = worker(2, 1, { state: 'starting', since: NOW - 30_000 })
    expect(actions([worker(1, 0), late])).toEqual([
      { do: 'kill', id: 2, reason: 'start-timeout', signal: 'SIGKILL' },
      { do: 'start', slot: 1, reason: 'start-timeout' },
    ])
  })
})

describe('reload', () => {
  const RELOAD = { oldestGeneration: 1 }
  const NEW = worker(3, 0, { generation: 1 })

  test('one more worker is started, and no old one is drained before it is ready', () => {
    expect(actions(BOTH, RELOAD)).toEqual([{ do: 'start', slot: 0, reason: 'reload' }])
    expect(actions([...BOTH, { ...NEW, state: 'starting' }], RELOAD)).toEqual([])
    expect(actions([...BOTH, NEW], RELOAD)).toEqual([{ do: 'drain', id: 1, reason: 'reload' }])
  })

  test('the next one starts when the drained one has ended', () => {
    const draining = worker(1, 0, { state: 'draining' })
    expect(actions([draining, worker(2, 1), NEW], RELOAD)).toEqual([])
    expect(actions([worker(2, 1), NEW], RELOAD)).toEqual([{ do: 'start', slot: 1, reason: 'reload' }])
  })

  test('with a larger surge, several at once', () => {
    expect(actions(BOTH, RELOAD, { ...LIMITS, maxSurge: 2 })).toHaveLength(2)
  })

  test('an empty place is filled first, whatever else is replaced', () => {
    expect(actions([worker(1, 0)], RELOAD)).toEqual([
      { do: 'start', slot: 1, reason: 'crash' },
      { do: 'start', slot: 0, reason: 'reload' },
    ])
  })

  test('of two old workers in one place the newer one stays until a new one is ready', () => {
    // The first was being replaced when the reload came.
    const both = [worker(1, 0, { retiring: 'requests' }), worker(2, 1), worker(3, 0)]
    expect(actions(both, RELOAD)).toEqual([{ do: 'drain', id: 1, reason: 'reload' }])
  })

  test('a second reload kills a worker of the first that is still starting', () => {
    const starting = worker(3, 0, { generation: 1, state: 'starting' })
    expect(actions([...BOTH, starting], { oldestGeneration: 2 })).toContainEqual({
      do: 'kill',
      id: 3,
      reason: 'reload',
      signal: 'SIGKILL',
    })
  })
})

describe('limits', () => {
  test.each(['requests', 'memory'] as const)(
    'a worker over its %s is replaced as by a reload',
    (retiring) => {
      const old = worker(2, 1, { retiring })
      expect(actions([worker(1, 0), old])).toEqual([{ do: 'start', slot: 1, reason: retiring }])
      expect(actions([worker(1, 0), old, worker(3, 1)])).toEqual([{ do: 'drain', id: 2, reason: retiring }])
    },
  )

  test('a worker whose age is over is replaced, and the pool looks again when it is', () => {
    const old = worker(2, 1, { expiresAt: NOW + 5000 })
    expect(reconcile(WANTED, [worker(1, 0), old], LIMITS, NOW)).toMatchObject({
      actions: [],
      wakeAt: NOW + 5000,
    })
    expect(reconcile(WANTED, [worker(1, 0), old], LIMITS, NOW + 5000).actions).toEqual([
      { do: 'start', slot: 1, reason: 'age' },
    ])
  })

  test('a stuck worker is aborted and replaced in one step, and killed if it does not end', () => {
    const stuck = worker(2, 1, { heartbeatDue: NOW - 30_000 })
    expect(actions([worker(1, 0), stuck])).toEqual([
      { do: 'kill', id: 2, reason: 'stuck', signal: 'SIGABRT' },
      { do: 'start', slot: 1, reason: 'stuck' },
    ])
    const killed = worker(2, 1, { state: 'killed', killedFor: 'stuck', since: NOW - ABORT_DELAY })
    expect(actions([worker(1, 0), killed, worker(3, 1)])).toEqual([
      { do: 'kill', id: 2, reason: 'stuck', signal: 'SIGKILL' },
    ])
  })

  test('no heartbeat is expected while the program loads', () => {
    const loading = worker(2, 1, { state: 'starting', since: NOW - 20_000, heartbeatDue: NOW - 20_000 })
    expect(actions([worker(1, 0), loading], {}, { ...LIMITS, stuckTimeout: 5000 })).toEqual([])
  })

  test('a worker that does not drain within stopTimeout is killed', () => {
    const draining = worker(3, 1, { state: 'draining', since: NOW - 30_000 })
    expect(actions([...BOTH, draining])).toEqual([
      { do: 'kill', id: 3, reason: 'stop-timeout', signal: 'SIGKILL' },
    ])
  })

  test('0 is no limit', () => {
    const none = { maxSurge: 1, startTimeout: 0, stopTimeout: 0, stuckTimeout: 0 }
    const old = { since: 0, heartbeatDue: 0 }
    const workers = [worker(1, 0, old), worker(2, 1, { ...old, state: 'starting' })]
    expect(actions([...workers, worker(3, 1, { ...old, state: 'draining' })], {}, none)).toEqual([])
  })
})

describe('scaling and stopping', () => {
  test('fewer workers: the last ones drain', () => {
    expect(actions(BOTH, { workers: 1 })).toEqual([{ do: 'drain', id: 2, reason: 'scale' }])
  })

  test('stop: ready workers drain, and those that start are killed', () => {
    expect(actions([worker(1, 0), worker(2, 1, { state: 'starting' })], { state: 'stopping' })).toEqual([
      { do: 'drain', id: 1, reason: 'stop' },
      { do: 'kill', id: 2, reason: 'stop', signal: 'SIGKILL' },
    ])
  })

  test('stop while all workers start: they first serve the connections in the queue', () => {
    const starting = worker(1, 0, { state: 'starting' })
    expect(actions([starting], { state: 'stopping' })).toEqual([])
    expect(actions([{ ...starting, state: 'ready' }], { state: 'stopping' })).toEqual([
      { do: 'drain', id: 1, reason: 'stop' },
    ])
  })

  test('kill: everything at once, and once', () => {
    const workers = [worker(1, 0), worker(2, 1, { state: 'draining' }), worker(3, 0, { state: 'killed' })]
    expect(actions(workers, { state: 'killing' })).toEqual([
      { do: 'kill', id: 1, reason: 'stop', signal: 'SIGKILL' },
      { do: 'kill', id: 2, reason: 'stop', signal: 'SIGKILL' },
    ])
  })
})

/** Plays a pool: what the actions cause happens after random times, and the world interferes. */
class Simulation {
  workers: (WorkerView & { dueAt: number })[] = []
  now = NOW
  generation = 0
  workersWanted: number
  #nextId = 1
  #random: () => number

  constructor(count: number, random: () => number) {
    this.workersWanted = count
    this.#random = random
  }

  get ready(): number {
    const slots = this.workers.filter(({ state }) => state === 'ready').map(({ slot }) => slot)
    return new Set(slots).size
  }

  step(): readonly Action[] {
    const wanted = { ...WANTED, workers: this.workersWanted, oldestGeneration: this.generation }
    const { actions } = reconcile(wanted, this.workers, LIMITS, this.now)
    for (const action of actions) this.#apply(action)
    this.now += 100
    this.workers = this.workers.flatMap((worker) => {
      const alive = { ...worker, heartbeatDue: this.now }
      if (alive.dueAt > this.now) return [alive]
      if (alive.state === 'starting') return [{ ...alive, state: 'ready', since: this.now, dueAt: Infinity }]
      return alive.state === 'ready' ? [alive] : []
    })
    return actions
  }

  recycle(index: number, reason: Reason): void {
    const ready = this.workers.filter(({ state }) => state === 'ready')
    const chosen = ready[index % Math.max(1, ready.length)]
    this.workers = this.workers.map((worker) =>
      worker === chosen ? { ...worker, retiring: reason } : worker,
    )
  }

  #apply(action: Action): void {
    const dueAt = this.now + this.#random() * 3000
    if (action.do === 'start') {
      const { slot } = action
      const fields = { state: 'starting', since: this.now, generation: this.generation } as const
      this.workers.push({ ...worker(this.#nextId++, slot, fields), dueAt })
      return
    }
    const state = action.do === 'drain' ? 'draining' : 'killed'
    this.workers = this.workers.map((worker) =>
      worker.id === action.id ? { ...worker, state, since: this.now, dueAt } : worker,
    )
  }
}

test('in any order of reloads and recycling, every place always has a ready worker, and at most one more worker runs', () => {
  const event = fc.oneof(
    fc.constant({ kind: 'reload' as const, index: 0 }),
    fc.record({ kind: fc.constant('recycle' as const), index: fc.nat(20) }),
    fc.record({ kind: fc.constant('wait' as const), index: fc.nat(40) }),
  )
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.array(event, { maxLength: 40 }),
      fc.nat(),
      (count, events, seed) => {
        let state = seed + 1
        const random = () => {
          state = (state * 48_271) % 2_147_483_647
          return state / 2_147_483_647
        }
        const pool = new Simulation(count, random)
        const settle = () => {
          // Longer than any start or drain takes.
          for (let quiet = 0; quiet < 40; quiet++) {
            if (pool.step().length > 0) quiet = 0
            check()
          }
        }
        const check = () => {
          expect(pool.ready).toBe(count)
          expect(pool.workers.length).toBeLessThanOrEqual(count + 1)
        }
        while (pool.ready < count) pool.step()
        for (const { kind, index } of events) {
          if (kind === 'reload') pool.generation++
          else if (kind === 'recycle') pool.recycle(index, 'requests')
          for (let steps = 0; steps <= index; steps++) {
            pool.step()
            check()
          }
        }
        settle()
        expect(pool.workers).toHaveLength(count)
        expect(
          pool.workers.every(({ generation, retiring }) => generation === pool.generation && !retiring),
        ).toBe(true)
      },
    ),
    { numRuns: 40 },
  )
})
