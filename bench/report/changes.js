import { times } from './format.js'
import { isSame } from './results.js'

/**
 * What got better or worse since the results before: ratios whose quartiles do not overlap, and that differ by more than 3 %.
 * @param {import('./results.js').Results} before
 * @param {import('./results.js').Measured[]} results
 * @returns {string[]} A line each.
 */
export function changes(before, results) {
  const lines = []
  for (const result of results) {
    const old = before.results.find((candidate) => isSame(candidate, result))
    if (old?.ratio === undefined || result.ratio === undefined) continue
    const apart = result.ratio.low > old.ratio.high || result.ratio.high < old.ratio.low
    const factor = result.ratio.median / old.ratio.median
    if (!apart || Math.abs(factor - 1) < 0.03) continue
    lines.push(
      `${factor < 1 ? 'better' : 'WORSE '}  ${result.name} (Node ${result.node}): ${times(old.ratio.median)} → ${times(result.ratio.median)}`,
    )
  }
  return lines.length > 0 ? lines : ['No change beyond the noise since bench/results.json.']
}
