// `npm run test:trixie`: runs the tests that start front servers with those of Debian 13 (trixie), and under the newest supported Node.
// `npm test` runs them with those of Debian 12. `npm run test:trixie -- tests/servers/haproxy` runs some tests only. All of vitest's
// arguments are accepted.

import { binary, NEWEST } from './lib/nodes.js'
import { main } from './lib/run.js'
import { NOT_ON_DEBIAN_13 } from './lib/scope.js'
import { inTrixie, makeTrixie } from './lib/trixie.js'
import { conclude, runAllTests, runVitest } from './lib/vitest.js'
import { setup } from './setup.js'

await main(async () => {
  const args = process.argv.slice(2)
  setup()
  const node = binary(NEWEST)
  const folder = makeTrixie()
  const start = (script) => inTrixie(folder, node, script)
  const counts = await (args.length > 0
    ? runVitest(start, args)
    : runAllTests(
        start,
        NOT_ON_DEBIAN_13.map((path) => `--exclude=${path}`),
      ))
  for (const one of [...counts.failures, ...counts.unstable]) one.test = `on Debian 13: ${one.test}`
  conclude(counts)
})
