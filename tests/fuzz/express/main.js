// `npm run fuzz -- --express`: random listeners on node:http and on the Express adapter. See tests/fuzz/README.md.

import { difference } from './compare.js'
import { Servers } from './run.js'
import { makeScript } from './script.js'

// Events of two sockets in the same event loop turn have no fixed order. A difference counts only if it occurs in each
// try.
const TRIES = 5

// A try in which the process waited for a CPU does not count, up to this many tries.
const DELAYED_MAX = 50

/**
 * Runs the scripts `from` to `from + count - 1` of a seed. Returns how often each explained difference occurred, and
 * the number of scripts with a difference that no rule explains. `onDifference` gets a description of each of those.
 *
 * @param {{
 *   seed: number,
 *   count: number,
 *   from?: number,
 *   onProgress?: (done: number) => void,
 *   onDifference: (description: string) => void
 * }} options
 * @returns {Promise<{ scripts: number, explained: Record<string, number>, unexplained: number }>}
 */
export async function fuzzExpress({ seed, count, from = 0, onProgress = () => {}, onDifference }) {
  const servers = await Servers.start()
  const explained = {}
  let unexplained = 0
  try {
    for (let number = from; number < from + count; number++) {
      const script = makeScript(seed, number)
      let name
      let outcomes
      for (let tries = 0, delayed = -1; tries < TRIES; ) {
        outcomes = await servers.runBoth(script, delayed >= 0)
        name = difference(script, outcomes.http, outcomes.fastcgi)
        if (name !== '') break
        // The first try is not watched, because that takes time.
        if (delayed < 0 || (outcomes.delayed && delayed < DELAYED_MAX)) delayed++
        else tries++
      }
      if (name === '') {
        unexplained++
        onDifference(describe(seed, number, script, outcomes))
      } else if (name !== undefined) explained[name] = (explained[name] ?? 0) + 1
      onProgress(number - from + 1)
    }
  } finally {
    await servers.close()
  }
  return { scripts: count, explained, unexplained }
}

function describe(seed, number, { ask, steps }, { http, fastcgi }) {
  const show = ({ response, lines, stuck }) =>
    `${JSON.stringify({ ...response, body: `${response.body.length} bytes`, stuck })}\n    ${lines.join('\n    ')}`
  return [
    `Script ${number} of seed ${seed} differs:`,
    `  ${JSON.stringify(ask)}`,
    ...steps.map(({ when, call, args = [] }) => `  ${when}: ${call} ${JSON.stringify(args)}`),
    `  node:http ${show(http)}`,
    `  adapter ${show(fastcgi)}`,
    `Run it again with: npm run fuzz -- --express --seed ${seed} --from ${number} --scripts 1`,
  ].join('\n')
}
