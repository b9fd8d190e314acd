// `npm run test:nodes`: runs the packages' own tests under each of the other supported Nodes. `npm test` runs them under the installed
// one. `npm run test:nodes -- packages/core` runs some tests only. All of vitest's arguments are accepted.

import { dirname } from 'node:path'
import { installFrontServers, needFrontServers } from './debian.js'
import { binary, NEWEST, NODES } from './lib/nodes.js'
import { main } from './lib/run.js'
import { testsOnNode } from './lib/scope.js'
import { conclude, runAllTests, runVitest, summary } from './lib/vitest.js'
import { setup } from './setup.js'

// More than with front servers: these tests start fewer processes, and wait more.
const WORKERS = ['--maxWorkers=4']

await main(async () => {
  const args = process.argv.slice(2)
  setup()
  if (needFrontServers(args)) installFrontServers()
  const total = { passed: 0, failed: 0, skipped: 0, failures: [], unstable: [] }
  const path = process.env.PATH
  for (const name of NODES) {
    const node = binary(name)
    // Front servers that start an app find Node through `#!/usr/bin/env node`.
    process.env.PATH = `${dirname(node)}:${path}`
    const counts = await (args.length > 0
      ? runVitest(node, args)
      : runAllTests(node, [...WORKERS, ...testsOnNode(name === NEWEST)]))
    console.log(`${name}: ${summary(counts)}`)
    total.passed += counts.passed
    total.failed += counts.failed
    total.skipped += counts.skipped
    for (const kind of ['failures', 'unstable']) {
      total[kind].push(
        ...counts[kind].map(({ test, message }) => ({ test: `under ${name}: ${test}`, message })),
      )
    }
  }
  conclude(total)
})
