// SECURITY.md names a test for each of its guarantees.
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const root = new URL('../../', import.meta.url)
const text = readFileSync(new URL('SECURITY.md', root), 'utf8')

test('every test that SECURITY.md names exists', () => {
  const files = [...text.matchAll(/\]\(([^)#]+)/g)].map(([, file]) => file!)
  expect(files.length).toBeGreaterThan(20)
  expect(files.filter((file) => !existsSync(new URL(file, root)))).toEqual([])
})

test('every guarantee names a test', () => {
  const rows = text.match(/^\|(?! ---| +\| what).*\|$/gm)!
  const bare = rows.filter((row) => !/\.(test\.ts|md)\)/.test(row) && !/^\|[\s|-]*\|$/.test(row))
  expect(bare).toEqual([])
})
