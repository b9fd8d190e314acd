// Compares our servers with themselves in another checkout, usually of an earlier commit. This shows changes of a few per cent, which
// the ratios to other servers are too noisy for: those vary by 10 % between runs.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { UserError } from '../../scripts/lib/run.js'
import { interleavedRounds } from './rounds.js'
import { summary } from './stats.js'

/**
 * @typedef {object} AgainstResult
 * @property {'against'} type
 * @property {string} name
 * @property {string} node The version.
 * @property {number} bar The most that the ratio may be.
 * @property {string} unit Of `cpu` and `otherCpu`.
 * @property {import('./stats.js').Summary} cpu Of the server in this checkout.
 * @property {import('./stats.js').Summary} otherCpu
 * @property {import('./stats.js').Summary} ratio The median and the quartiles of the launches' ratios.
 * @property {number[]} launches The ratio of each launch, in ascending order. It is that of the lower quartiles of both servers' rounds.
 */

/** The most that a row may cost, as a share of its cost in the other checkout. */
const BAR = 1.03

/**
 * The launches have many short rounds, because differences of a few per cent are sought. The JIT needs up to 45 000 requests until it has nothing
 * left to compile (Express's POST). @type {import('./side.js').Pace}
 */
export const AGAINST = {
  launches: 8,
  rounds: 16,
  milliseconds: 100,
  warmUpRequests: 50_000,
  warmUpMilliseconds: 10_000,
}

/**
 * Returns the absolute path of another checkout after building it. Throws a UserError if the folder has no set-up checkout.
 * @param {string} folder
 */
export function otherCheckout(folder) {
  const checkout = resolve(folder)
  if (!existsSync(join(checkout, 'node_modules')) || !existsSync(join(checkout, 'bench/servers'))) {
    throw new UserError(
      `${folder} is not a set-up checkout of this repository. Create one:\n  git worktree add ${folder} COMMIT\n  (cd ${folder} && npm run setup)`,
    )
  }
  const { status } = spawnSync(process.execPath, ['scripts/setup.js'], { cwd: checkout, stdio: 'inherit' })
  if (status !== 0) throw new UserError(`The set-up of ${folder} failed: see above.`)
  return checkout
}

/**
 * Compares each of our servers in a comparison with the same server in `setting.against`. Other servers are not started.
 * @param {import('./ratio.js').Comparison} comparison
 * @param {import('./side.js').Setting} setting
 * @returns {Promise<AgainstResult[]>}
 */
export async function compareCheckouts({ rows, sides, start, work }, setting) {
  const results = []
  for (const [name, title] of oursIn(rows)) {
    const pair = { here: sides[name], other: { ...sides[name], checkout: setting.against } }
    const { here, other } = await interleavedRounds({ sides: pair, start, work }, setting)
    results.push(againstResult(title, here, other, setting))
  }
  return results
}

/**
 * @param {string} name
 * @param {{ cpu: number }[]} here All rounds of the first launch, then those of the next.
 * @param {{ cpu: number }[]} other
 * @param {import('./side.js').Setting} setting
 * @param {string} [unit]
 * @returns {AgainstResult}
 */
export function againstResult(name, here, other, { nodeVersion, pace }, unit = 'µs') {
  const rounds = here.length / pace.launches
  const launches = Array.from({ length: pace.launches }, (_, launch) => {
    const cost = (samples) => undisturbed(samples.slice(launch * rounds, (launch + 1) * rounds))
    return cost(here) / cost(other)
  })
  return {
    type: 'against',
    name,
    node: nodeVersion,
    bar: BAR,
    unit,
    cpu: summary(here.map(({ cpu }) => cpu)),
    otherCpu: summary(other.map(({ cpu }) => cpu)),
    ratio: summary(launches),
    launches: launches.sort((a, b) => a - b),
  }
}

// The lower quartile: other load on the machine can only make a round slower.
/** @param {{ cpu: number }[]} samples */
function undisturbed(samples) {
  return summary(samples.map(({ cpu }) => cpu)).low
}

/** The sides that the rows are about, each with the first part of its row's name. @param {import('./ratio.js').Row[]} rows */
function oursIn(rows) {
  /** @type {Map<string, string>} */
  const titles = new Map()
  for (const { name, side } of rows) {
    if (!titles.has(side)) titles.set(side, name.split(' / ', 1)[0])
  }
  return titles
}
