// Interleaved rounds: the sides of a case take turns. Whatever slows the machine down then affects all of them. The two
// figures of a round's ratio are measured within seconds.

import { Side } from './side.js'

/**
 * Starts the sides and measures them in turn, as the setting's pace says.
 * @param {Pick<import('./ratio.js').Comparison, 'sides' | 'work' | 'start'>} comparison
 * @param {import('./side.js').Setting} setting
 * @returns {Promise<Record<string, import('./side.js').Sample[]>>} The samples of each side: all rounds of the first launch, then
 *   those of the next.
 */
export async function interleavedRounds({ sides, work, start = Side.start }, setting) {
  const { pace } = setting
  const names = Object.keys(sides)
  /** @type {Record<string, import('./side.js').Sample[]>} */
  const samples = Object.fromEntries(names.map((name) => [name, []]))
  for (let launch = 0; launch < pace.launches; launch++) {
    /** @type {Record<string, Side | import('./client-side.js').ClientSide>} */
    const running = {}
    try {
      for (const name of names) running[name] = await start(sides[name], work, setting)
      for (const name of names) await running[name].warmUp(pace)
      for (let round = 0; round < pace.rounds; round++) {
        // Every second round is in reverse order, so that no side profits from its position.
        const order = round % 2 === 0 ? names : names.toReversed()
        for (const name of order) samples[name].push(await running[name].sample(pace.milliseconds))
      }
    } finally {
      for (const side of Object.values(running)) await side.stop()
    }
  }
  return samples
}
