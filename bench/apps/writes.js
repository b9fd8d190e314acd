/** The line that is written repeatedly. */
export const LINE = Buffer.alloc(64, 'x')

/** The number of writes in a target: `/100` is 100 writes. @param {string} target */
export function writesOf(target) {
  return Number(target.slice(1))
}
