/** What is written again and again. */
export const LINE = Buffer.alloc(64, 'x')

/** How often: `/100` asks for 100 writes. @param {string} target */
export function writesOf(target) {
  return Number(target.slice(1))
}
