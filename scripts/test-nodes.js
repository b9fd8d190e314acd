// `npm run test:nodes`: the packages' own tests under each of the other Nodes that are supported. `npm test` runs them,
// and the tests with real servers, under the Node that is installed.

import { existsSync } from 'node:fs'
import { main, root, UserError } from './lib/run.js'
import { runVitest, summary } from './lib/vitest.js'
import { setup } from './setup.js'

// The npm packages that carry the binaries have these names in scripts/package.json. Not in the root's: every npm script
// would then run under one of them, for npm puts what the root's dependencies call `node` before the machine's.
const NODES = ['node22', 'node24', 'node26']

await main(() => {
  setup()
  const total = { passed: 0, failed: 0, skipped: 0 }
  for (const name of NODES) {
    const counts = runVitest(binary(name), ['packages/', ...process.argv.slice(2)])
    console.log(`${name}: ${summary(counts)}`)
    for (const key of Object.keys(total)) total[key] += counts[key]
  }
  if (total.failed > 0) process.exitCode = 1
  console.log(summary(total))
})

function binary(name) {
  const path = `${root}scripts/node_modules/${name}/bin/node`
  if (existsSync(path)) return path
  throw new UserError(
    `${path} is missing: the packages that carry the other Nodes are for Linux on x64. Elsewhere run \`npm test -- packages\` under each Node you have.`,
  )
}
