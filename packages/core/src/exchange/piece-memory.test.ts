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

// Also once the function is compiled.
test.each([1, 10_000])(
  'what large pieces take is soon collected: the heap fills as well, after %i of them',
  (count) => {
    for (let i = 0; i < count; i++) allocatePiece(16 * 1024)
    collectGarbage({ type: 'minor' })
    const before = youngBytes()
    const pieces = [1, 2, 3, 4].map(() => allocatePiece(64 * 1024))
    expect(youngBytes() - before).toBeGreaterThan(64 * 1024)
    expect(pieces.map(({ length }) => length)).toEqual(Array(4).fill(64 * 1024))
  },
)
