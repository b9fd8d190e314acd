// A reproducible part of `npm run fuzz:fetch` (tests/fuzz/README.md).
import { expect, test } from 'vitest'
import { compare } from './fetch/fuzz.js'

const SCRIPTS = 2000

test(`${SCRIPTS} scripts behave the same on light objects and on the platform's`, {
  timeout: 5 * 60_000,
}, async () => {
  let done = 0
  const onProgress = (sofar: number): void => {
    done = sofar
  }
  expect(await compare({ seed: 21, count: SCRIPTS, onProgress })).toBeUndefined()
  expect(done).toBe(SCRIPTS)
})
