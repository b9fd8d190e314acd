import { expect, test } from 'vitest'
import { afterEarlyDeath, EARLY_DEATH_TIME, isOver, NO_BACK_OFF } from './back-off.ts'

const middle = () => 0.5

test('the first death is replaced at once, the next ones after 0.2 s, then after three times as long each, up to 30 s', () => {
  let backOff = NO_BACK_OFF
  const delays: number[] = []
  for (let deaths = 0; deaths < 9; deaths++) {
    backOff = afterEarlyDeath(backOff, 1000, middle)
    delays.push(backOff.notBefore - 1000)
  }
  expect(delays).toEqual([0, 200, 600, 1800, 5400, 16_200, 30_000, 30_000, 30_000])
})

test('at most eight starts in the first minute of a program that crashes at once', () => {
  let backOff = NO_BACK_OFF
  let starts = 0
  for (let now = 0; now < 60_000; now = backOff.notBefore) {
    starts++
    // The shortest delays that chance gives.
    backOff = afterEarlyDeath(backOff, now + 1, () => 0)
  }
  expect(starts).toBeLessThanOrEqual(8)
})

test('it varies, so that pools that fail together do not retry together', () => {
  const failing = afterEarlyDeath(NO_BACK_OFF, 0)
  expect(afterEarlyDeath(failing, 0, () => 0).notBefore).toBeCloseTo(160)
  expect(afterEarlyDeath(failing, 0, () => 1).notBefore).toBeCloseTo(240)
})

test('it is over once a worker that was started after the last death has lived for ten seconds', () => {
  const failing = afterEarlyDeath(NO_BACK_OFF, 5000, middle)
  expect(isOver(failing, 5000, 5000 + EARLY_DEATH_TIME)).toBe(true)
  expect(isOver(failing, 5000, 4999 + EARLY_DEATH_TIME)).toBe(false)
  // A worker with the old code proves nothing about the new one.
  expect(isOver(failing, 4999, 5000 + EARLY_DEATH_TIME)).toBe(false)
})
