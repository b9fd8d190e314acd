/**
 * @typedef {object} Bar A target, and whether a figure reaches it.
 * @property {string} name
 * @property {boolean} isReached
 */

/**
 * @param {string} name
 * @param {boolean} isReached
 * @returns {Bar}
 */
export function bar(name, isReached) {
  return { name, isReached }
}

/** The text of a table's cell. @param {Bar[]} bars */
export function verdict(...bars) {
  return bars.every(({ isReached }) => isReached) ? 'reached' : 'missed'
}
