// Checks that each line of CHECKLIST.md has a test here. The title of each test begins with the number of its line.

import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const folder = new URL('.', import.meta.url)
const checklist = readFileSync(new URL('CHECKLIST.md', folder), 'utf8')
const listed = Array.from(checklist.matchAll(/^(\d+)\. /gm), ([, line]) => Number(line))

test('every line of the checklist has tests', () => {
  const lines = new Set<number>()
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.test.ts'))) {
    const source = readFileSync(new URL(name, folder), 'latin1')
    for (const [, line] of source.matchAll(/['"`](\d{1,2}): /g)) lines.add(Number(line))
  }
  expect(listed).toHaveLength(52)
  const missing = listed.filter((line) => !lines.has(line))
  console.log(`Conformance: ${lines.size} of the ${listed.length} lines of the checklist have tests here.`)
  expect(missing).toEqual([])
})
