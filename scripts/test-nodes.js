// `npm run test:nodes`: the packages' own tests and those with real front servers, which `npm test` runs under the Node that
// is installed, under each of the other Nodes that are supported. `npm run test:nodes -- packages/core` (or any of
// vitest's arguments) runs only the tests asked for.

import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { installFrontServers, needFrontServers } from './debian.js'
import { main, root, UserError } from './lib/run.js'
import { conclude, runAllTests, runVitest, summary } from './lib/vitest.js'
import { setup } from './setup.js'

// The npm packages that carry the binaries have these names in scripts/package.json. Not in the root's: every npm script
// would then run under one of them, for npm puts what the root's dependencies call `node` before the machine's.
const NODES = ['node22', 'node24', 'node26']

// What these examine is the same under every Node: configs of front servers, other FastCGI servers, a page in a browser,
// how the packages are installed. And what takes minutes, or has bounds that were measured under one Node.
const ONCE = [
  'tests/bench.test.ts',
  'tests/cli-config.test.ts',
  'tests/cli-doctor.test.ts',
  'tests/conformance.test.ts',
  'tests/doctor/**',
  'tests/fuzz.test.ts',
  'tests/inspector.test.ts',
  'tests/memory-hostile.test.ts',
  'tests/soak/**',
  'tests/testing-helper.test.ts',
]

await main(() => {
  const asked = process.argv.slice(2)
  setup()
  if (needFrontServers(asked)) installFrontServers()
  const total = { passed: 0, failed: 0, skipped: 0, failures: [], unstable: [] }
  const excluded = ONCE.map((path) => `--exclude=${path}`)
  const path = process.env.PATH
  for (const name of NODES) {
    const node = binary(name)
    // Front servers start apps by `#!/usr/bin/env node`, too.
    process.env.PATH = `${dirname(node)}:${path}`
    const counts = asked.length > 0 ? runVitest(node, asked) : runAllTests(node, excluded)
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

function binary(name) {
  const path = `${root}scripts/node_modules/${name}/bin/node`
  if (existsSync(path)) return path
  throw new UserError(
    `${path} is missing: the packages that carry the other Nodes are for Linux on x64. Elsewhere run \`npm test\` under each Node you have.`,
  )
}
