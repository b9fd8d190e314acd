/** Random numbers from a seed. The same seed and number give the same session again. */
export class Random {
  #state

  /** @param {number[]} seeds */
  constructor(...seeds) {
    this.#state = 0x9e3779b9
    for (const seed of seeds) {
      // Mix the bits, so that consecutive seeds give unrelated numbers.
      this.#state = (this.#state ^ seed) >>> 0
      this.#state = this.#next()
    }
  }

  /** A whole number from 0 to `count` - 1. @param {number} count */
  below(count) {
    return Math.floor((this.#next() / 2 ** 32) * count)
  }

  /** True once in `times`. @param {number} times */
  once(times) {
    return this.below(times) === 0
  }

  /** @template T @param {readonly T[]} list @returns {T} */
  pick(list) {
    return list[this.below(list.length)]
  }

  // mulberry32. Its 32 bits of state suffice, because each session has its own generator.
  #next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
}
