// `npm run bench`: compares the cost of this project's packages with that of other servers, and writes RESULTS.md. See
// `npm run bench -- --help`.

import { spawnSync } from 'node:child_process'
import { installPackages } from '../scripts/debian.js'
import { main, UserError } from '../scripts/lib/run.js'
import { setup } from '../scripts/setup.js'
import { cases, checkoutCases } from './cases/index.js'
import { AGAINST, otherCheckout } from './lib/against.js'
import { environment } from './lib/environment.js'
import { newestLts, nodeAt } from './lib/nodes.js'
import { HELP, readOptions } from './lib/options.js'
import { changes } from './report/changes.js'
import { line } from './report/lines.js'
import { readResults, writeResults } from './report/results.js'
import { misses } from './report/verdicts.js'

/** @type {import('./lib/side.js').Pace} */
const FULL = { launches: 2, rounds: 5, milliseconds: 500, warmUpRequests: 50_000, warmUpMilliseconds: 10_000 }

/** @type {import('./lib/side.js').Pace} */
const QUICK = { launches: 1, rounds: 5, milliseconds: 300, warmUpRequests: 20_000, warmUpMilliseconds: 5000 }

await main(async () => {
  const options = readOptions(process.argv.slice(2))
  if (options.help) return console.log(HELP)
  const chosen = chosenCases(options)
  if (options.list) return console.log(chosen.map(({ name }) => name).join('\n'))
  if (chosen.length === 0) throw new UserError(`No case matches ${options.only}.\n\n${HELP}`)
  setup()
  if (options.against !== undefined) options.against = otherCheckout(options.against)
  installPeers(chosen)
  const start = Date.now()
  const before = readResults()
  const measuredIn = environment(paceOf(options))
  const results = await measure(chosen, options)
  console.log(`\n${((Date.now() - start) / 60_000).toFixed(1)} minutes`)
  if (options.against === undefined && before)
    for (const change of changes(before, results)) console.log(change)
  if (options.save) writeResults(before, measuredIn, results, { all: chosen.length === cases.length })
})

/** @param {import('./lib/options.js').Options} options */
function chosenCases({ against, only, quick }) {
  if (against === undefined) return cases.filter((one) => only?.test(one.name) ?? (one.quick || !quick))
  return checkoutCases.filter(({ name }) => only?.test(name) ?? true)
}

// A peer that cannot be installed is missing in the report. Everything else is measured.
function installPeers(chosen) {
  const isInstalled = (program) => !spawnSync(program, ['--version'], { stdio: 'ignore' }).error
  const needed = chosen.flatMap(({ peers }) => Object.entries(peers ?? {}))
  const packages = new Set(needed.filter(([program]) => !isInstalled(program)).map(([, name]) => name))
  if (packages.size === 0) return
  try {
    installPackages([...packages], 'The benchmark needs other servers', 'npm run bench')
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    console.error(error.message)
  }
}

async function measure(chosen, options) {
  const { against, connections, nodes, profiles, quick, transport } = options
  const pace = paceOf(options)
  const [first, ...others] =
    nodes.length > 0 ? nodes.map(nodeAt) : defaultNodes(quick || against !== undefined)
  const results = []
  for (const node of [first, ...others]) {
    console.log(`\nNode ${node.nodeVersion}`)
    for (const { everyNode, name, run } of chosen) {
      if (node !== first && nodes.length === 0 && !everyNode) continue
      for (const result of await attempt(name, node, () =>
        run({ ...node, against, connections, transport, pace, profiles }),
      )) {
        results.push({ case: name, transport, connections, ...result })
        console.log(line(result))
        if (result.type === 'against' && misses(result).length > 0) process.exitCode = 1
      }
    }
  }
  return results
}

function paceOf({ against, quick }) {
  if (against !== undefined) return AGAINST
  return quick ? QUICK : FULL
}

// A case that cannot be measured becomes a row that says so. The others are still measured.
async function attempt(name, { nodeVersion }, run) {
  try {
    return await run()
  } catch (error) {
    process.exitCode = 1
    if (!(error instanceof UserError)) console.error(error)
    return [{ type: 'missing', name, node: nodeVersion, reason: error.message }]
  }
}

function defaultNodes(quick) {
  const own = nodeAt(process.execPath)
  const newest = newestLts()
  if (newest === undefined || newest.nodeVersion === own.nodeVersion) return [own]
  return quick ? [newest] : [newest, own]
}
