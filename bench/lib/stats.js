/** The value below which a share of the sorted values lies, interpolated. @param {number[]} sorted */
export function quantile(sorted, share) {
  const at = (sorted.length - 1) * share
  const below = Math.floor(at)
  const above = Math.ceil(at)
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below)
}

/**
 * @typedef {object} Summary
 * @property {number} median
 * @property {number} low The lower quartile.
 * @property {number} high The upper quartile.
 */

/**
 * The median, and the quartiles as the spread around it.
 * @param {number[]} values
 * @returns {Summary}
 */
export function summary(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return { median: quantile(sorted, 0.5), low: quantile(sorted, 0.25), high: quantile(sorted, 0.75) }
}
