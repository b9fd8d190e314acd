/** How long starts wait after workers that died early. Times are milliseconds on one clock. */
export interface BackOff {
  /** Early deaths in a row. */
  readonly failures: number
  /** No worker is started before this time. */
  readonly notBefore: number
  /** When the last of them died. */
  readonly failedAt: number
}

/** A worker that ends within this time (milliseconds) after its start died early. */
export const EARLY_DEATH_TIME = 10_000

const FIRST_DELAY = 200
// Each start of a worker costs 0.2 s of CPU or more. With a factor of 3, four of them fall into the first three seconds, when a mistake is
// often corrected, and only three into the rest of the first minute.
const FACTOR = 3
const MAX_DELAY = 30_000
// The delay varies by this share, so that pools that fail together do not retry together.
const JITTER = 0.2

/** The state without failures. */
export const NO_BACK_OFF: BackOff = { failures: 0, notBefore: 0, failedAt: Number.NEGATIVE_INFINITY }

/**
 * Returns the back-off after one more early death. The first worker is replaced at once, the next ones after 0.2 s, 0.6 s,
 * 1.8 s, … 30 s.
 * `random` returns a number from 0 to 1.
 */
export function afterEarlyDeath(backOff: BackOff, now: number, random: () => number = Math.random): BackOff {
  const failures = backOff.failures + 1
  if (failures === 1) return { failures, notBefore: now, failedAt: now }
  const delay = Math.min(MAX_DELAY, FIRST_DELAY * FACTOR ** (failures - 2))
  return { failures, notBefore: now + delay * (1 - JITTER + 2 * JITTER * random()), failedAt: now }
}

/** Whether a worker shows that the failures are over: it was started after the last one, and has lived for long enough. */
export function isOver(backOff: BackOff, startedAt: number, now: number): boolean {
  return backOff.failures > 0 && startedAt >= backOff.failedAt && now - startedAt >= EARLY_DEATH_TIME
}
