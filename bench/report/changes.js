import { times } from './format.js'
import { isSame } from './results.js'
import { misses } from './verdicts.js'

// Ratios that differ by less are the same.
const NOISE = 0.1

/**
 * What got better or worse since the results before: ratios whose quartiles do not overlap and that differ by more than
 * 10 %, and bars that are missed, or held, and were not.
 * @param {import('./results.js').Results} before
 * @param {import('./results.js').Measured[]} results
 * @returns {string[]} A line each.
 */
export function changes(before, results) {
  const lines = results.flatMap((result) => {
    const old = before.results.find((candidate) => isSame(candidate, result))
    return old === undefined ? [] : [ratioChange(old, result), verdictChange(old, result)]
  })
  const changed = lines.filter((line) => line !== undefined)
  return changed.length > 0 ? changed : ['No change beyond the noise since bench/results.json.']
}

/** @param {import('./results.js').Measured} old @param {import('./results.js').Measured} result */
function ratioChange(old, result) {
  if (!('ratio' in old && 'ratio' in result)) return undefined
  const { name, node, ratio } = result
  const apart = ratio.low > old.ratio.high || ratio.high < old.ratio.low
  const factor = ratio.median / old.ratio.median
  if (!apart || Math.abs(factor - 1) < NOISE) return undefined
  const figures = `${times(old.ratio.median)} → ${times(ratio.median)}`
  return `${factor < 1 ? 'better' : 'WORSE '}  ${name} (Node ${node}): ${figures}`
}

/** @param {import('./results.js').Measured} old @param {import('./results.js').Measured} result */
function verdictChange(old, result) {
  const missed = misses(result)
  if (missed.length > 0 === misses(old).length > 0) return undefined
  const what =
    missed.length > 0
      ? `WORSE   ${result.name} (Node ${result.node}) misses its bar: ${missed.join(', ')}`
      : ''
  return what || `better  ${result.name} (Node ${result.node}) is within its bar`
}
