// `npm run test:nodes`: the packages' own tests under each of the other Nodes that are supported; `npm test` runs them under the
// one that is installed. `npm run test:nodes -- packages/core` (or any of vitest's arguments) runs only the tests asked for.

import { dirname } from 'node:path'
import { installFrontServers, needFrontServers } from './debian.js'
import { binary, NODES } from './lib/nodes.js'
import { main } from './lib/run.js'
import { conclude, runAllTests, runVitest, summary } from './lib/vitest.js'
import { setup } from './setup.js'

// Tests that start front servers run under the oldest and the newest Node: in `npm test` and in test-trixie.js. Of the others
// in tests/, these depend on Node's sockets, streams and memory.
const TESTS = [
  'packages/',
  'tests/client/peers.test.ts',
  'tests/conformance/adapters.test.ts',
  'tests/programs/listen.test.ts',
  'tests/limits/memory.test.ts',
]

await main(() => {
  const asked = process.argv.slice(2)
  setup()
  if (needFrontServers(asked)) installFrontServers()
  const total = { passed: 0, failed: 0, skipped: 0, failures: [], unstable: [] }
  const path = process.env.PATH
  for (const name of NODES) {
    const node = binary(name)
    // Front servers start apps by `#!/usr/bin/env node`, too.
    process.env.PATH = `${dirname(node)}:${path}`
    const counts = asked.length > 0 ? runVitest(node, asked) : runAllTests(node, TESTS)
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
