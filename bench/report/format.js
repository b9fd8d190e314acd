// Figures as text.

/** A ratio. @param {number} value */
export function times(value) {
  return value.toFixed(value < 0.1 ? 3 : 2)
}

/** Microseconds, to three significant digits. @param {number} value */
export function micro(value) {
  return value < 100 ? value.toFixed(1) : value.toFixed(0)
}

/** Thousands. @param {number} value */
export function thousand(value) {
  return `${(value / 1000).toFixed(value < 10_000 ? 2 : 1)}k`
}

/** Bytes as MiB. @param {number} bytes */
export function mib(bytes) {
  return (bytes / (1024 * 1024)).toFixed(1)
}

/** Median and quartiles of ratios. @param {import('../lib/stats.js').Summary} summary */
export function spread({ high, low, median }) {
  return `${times(median)} (${times(low)}–${times(high)})`
}

/** A time, to the minute. @param {string} date ISO 8601. */
export function moment(date) {
  return `${date.slice(0, 16).replace('T', ' ')} UTC`
}
