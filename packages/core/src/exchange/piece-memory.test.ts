import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { allocatePiece } from './piece-memory.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as (options: { type: 'minor' | 'major' }) => void

function youngBytes(): number {
  const spaces = getHeapSpaceStatistics().filter(({ space_name: name }) => name.startsWith('new_'))
  return spaces.reduce((sum, { space_used_size: used }) => sum + used, 0)
}

// After 10,000 calls V8 optimizes the function. It must not optimize away the garbage that the function creates.
test.each([1, 10_000])(
  'large pieces fill the young generation, so that they are collected early, after %i calls',
  (count) => {
    for (let i = 0; i < count; i++) allocatePiece(16 * 1024)
    collectGarbage({ type: 'minor' })
    const before = youngBytes()
    const pieces = [1, 2, 3, 4].map(() => allocatePiece(64 * 1024))
    expect(youngBytes() - before).toBeGreaterThan(64 * 1024)
    expect(pieces.map(({ length }) => length)).toEqual(Array(4).fill(64 * 1024))
  },
)
