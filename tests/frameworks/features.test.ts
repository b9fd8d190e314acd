import { expect, test } from 'vitest'
import { FEATURES, shows } from './features.js'
import { PROGRAMS } from './programs.js'

test.each(PROGRAMS)('$name: the tests show each feature, but those that it lacks', (program) => {
  const missing = FEATURES.filter((feature) => !shows(program, feature))
  expect(missing.sort()).toEqual([...(program.lacks ?? [])].sort())
})
