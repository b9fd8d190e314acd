import { AsyncResource, executionAsyncId } from 'node:async_hooks'

/**
 * Calls `end` with `value` when no tick and no promise is left to run. Node's parser lets all of them run after each piece of a body, and
 * therefore before its end.
 */
export function afterTicks<T>(end: (value: T) => void, value: T): void {
  const rounds = finished.pop() ?? new Rounds()
  rounds.start(end as (value: unknown) => void, value)
}

// If ticks and promises start each other for more rounds than this, the rest of them run after the end.
const ROUNDS = 4

// A reaction of a promise costs less than `queueMicrotask`, which creates an AsyncResource for each call.
const SETTLED = Promise.resolve()

/**
 * Waits until no tick and no promise is left. A microtask runs when no tick is left, and a tick runs when no microtask is left. So a round
 * is a tick and then a microtask, which queues the tick of the next round. A tick is an async resource, and Node numbers async resources in
 * the order of their creation. The numbers show whether any was created since the previous round, except the tick of this one. If none
 * was, no other tick is queued.
 */
class Rounds {
  readonly #next = (): void => process.nextTick(Rounds.#onTick, this)
  #end: (value: unknown) => void = noop
  #value: unknown
  #left = ROUNDS
  #lastId = 0

  start(end: (value: unknown) => void, value: unknown): void {
    this.#end = end
    this.#value = value
    this.#left = ROUNDS
    this.#lastId = 0
    this.#next()
  }

  static #onTick(this: void, rounds: Rounds): void {
    let id = executionAsyncId()
    if (id === rounds.#lastId + 1) {
      id = newAsyncId()
      if (id === rounds.#lastId + 2) rounds.#left = 0
    }
    if (rounds.#left === 0) {
      rounds.#finish()
    } else {
      rounds.#left--
      rounds.#lastId = id
      SETTLED.then(rounds.#next)
    }
  }

  #finish(): void {
    const end = this.#end
    const value = this.#value
    this.#end = noop
    this.#value = undefined
    if (finished.length < FINISHED_MAX) finished.push(this)
    end(value)
  }
}

// These are used again. New ones, with their closures, would be a fortieth of the memory that a small POST allocates.
const finished: Rounds[] = []
const FINISHED_MAX = 100

function noop(): void {}

function newAsyncId(): number {
  return new AsyncResource('FCGI_ROUND').asyncId()
}
