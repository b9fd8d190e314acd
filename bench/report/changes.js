import { times } from './format.js'
import { isSame } from './results.js'
import { misses } from './verdicts.js'

// Ratios that differ by less count as equal.
const NOISE = 0.1

/**
 * Lists what is better or worse than in the previous results: ratios whose quartiles do not overlap and that differ by more
 * than 10 %, and targets that are newly missed or reached.
 * @param {import('./results.js').Results} before
 * @param {import('./results.js').Measured[]} results
 * @returns {string[]} One line for each change.
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
      ? `WORSE   ${result.name} (Node ${result.node}) misses its target: ${missed.join(', ')}`
      : ''
  return what || `better  ${result.name} (Node ${result.node}) reaches its target`
}
