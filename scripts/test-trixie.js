// `npm run test:trixie`: the tests that start front servers, with those of Debian 13 (trixie) and under the newest Node that is
// supported; `npm test` runs them with Debian 12's. `npm run test:trixie -- tests/haproxy` (or any of vitest's arguments) runs
// only the tests asked for.

import { binary, NEWEST } from './lib/nodes.js'
import { main } from './lib/run.js'
import { inTrixie, makeTrixie } from './lib/trixie.js'
import { conclude, runAllTests, runVitest } from './lib/vitest.js'
import { setup } from './setup.js'

// The packages' own tests run under each Node in test-nodes.js. The others need programs that are not in the folder (compilers, a
// browser, git), or take minutes and depend neither on the front servers nor on the Node.
const EXCLUDED = [
  'packages/**',
  'tests/programs/bench.test.ts',
  'tests/client/peers.test.ts',
  'tests/conformance/conformance.test.ts',
  'tests/fuzz/fuzz.test.ts',
  'tests/cli/inspector.test.ts',
  'tests/limits/hostile-memory.test.ts',
  'tests/soak/**',
  'tests/client/testing-helper.test.ts',
]

await main(() => {
  const asked = process.argv.slice(2)
  setup()
  const node = binary(NEWEST)
  const folder = makeTrixie()
  const start = (script) => inTrixie(folder, node, script)
  const counts =
    asked.length > 0
      ? runVitest(start, asked)
      : runAllTests(
          start,
          EXCLUDED.map((path) => `--exclude=${path}`),
        )
  for (const one of [...counts.failures, ...counts.unstable]) one.test = `on Debian 13: ${one.test}`
  conclude(counts)
})
