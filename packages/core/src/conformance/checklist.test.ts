// The checklist of FastCGI 1.0: which of its lines have tests here, by the number that begins each test's title.

import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const LINES = 52

const folder = new URL('.', import.meta.url)

test('every line of the checklist has its tests', () => {
  const lines = new Set<number>()
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.test.ts'))) {
    const source = readFileSync(new URL(name, folder), 'latin1')
    for (const [, line] of source.matchAll(/['"`](\d{1,2}): /g)) lines.add(Number(line))
  }
  const missing = Array.from({ length: LINES }, (_, i) => i + 1).filter((line) => !lines.has(line))
  console.log(`Conformance: ${lines.size} of the ${LINES} lines of the checklist have tests here.`)
  expect(missing).toEqual([])
})
