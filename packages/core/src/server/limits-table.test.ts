// Checks that LIMITS.md lists the limits and defaults of the code.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { LIMITS, resolveOptions } from './options.ts'

const table = readFileSync(new URL('../../LIMITS.md', import.meta.url), 'utf8')

const rows = [...table.matchAll(/^\| [^|]+\| `(\w+)` *\| ([^|]+?) *\|/gm)].map(([, option, value]) => [
  option!,
  value!,
])

const SIZES: readonly (readonly [size: number, unit: string])[] = [
  [1024 ** 3, 'GiB'],
  [1024 ** 2, 'MiB'],
  [1024, 'KiB'],
]

/** Formats a limit as in LIMITS.md. */
function formatLimit(option: string, value: number): string {
  const isTime = option.endsWith('Timeout')
  if (value === Number.POSITIVE_INFINITY || (isTime && value === 0)) return 'none'
  if (isTime) return value > 60_000 ? `${value / 60_000} min` : `${value / 1000} s`
  const inUnit = /Bytes|Buffered/.test(option) && SIZES.find(([size]) => value >= size)
  return inUnit ? `${value / inUnit[0]} ${inUnit[1]}` : String(value)
}

test('the table has every limit with its default', () => {
  const settings = resolveOptions({ allowedServers: [] })
  expect(Object.fromEntries(rows)).toEqual(
    Object.fromEntries(LIMITS.map((option) => [option, formatLimit(option, settings[option])])),
  )
})
