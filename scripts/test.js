// `npm test`: sets everything up, lints, checks types, structure and packages, and runs all tests, including those with real servers.
// `npm test -- packages/core` sets up and runs some tests only. All of vitest's arguments are accepted.

import { checkStructure } from './check-structure.js'
import { installFrontServers, needFrontServers } from './debian.js'
import { checkFrameworksPage } from './frameworks-page.js'
import { makePhp74 } from './lib/php74.js'
import { bin, main, root, runBuffered } from './lib/run.js'
import { ONLY_ON_DEBIAN_13 } from './lib/scope.js'
import { conclude, runAllTests, runVitest } from './lib/vitest.js'
import { setup } from './setup.js'

// test-frameworks.js installs and builds what the tests of frameworks run.
const EXCLUDED = ['tests/frameworks/**', ...ONLY_ON_DEBIAN_13].map((pattern) => `--exclude=${pattern}`)

const CHECKS = {
  lint: () => runBuffered(bin('@biomejs/biome', 'bin/biome'), 'check', '.'),
  'the types of tests': () => runBuffered(bin('typescript', 'bin/tsc'), '-p', 'tests'),
  'the types of scripts': () => runBuffered(bin('typescript', 'bin/tsc'), '-p', 'tsconfig.js.json'),
  packages: () => runBuffered(`${root}scripts/check-packages.js`),
  structure: checkStructure,
  'the page of frameworks': checkFrameworksPage,
}

/** Returns the names of the checks that fail. They run at the same time, because most of them use one core. */
async function runChecks() {
  const failed = Object.entries(CHECKS).map(async ([name, check]) => ((await check()) ? [] : [name]))
  return (await Promise.all(failed)).flat()
}

await main(async () => {
  const args = process.argv.slice(2)
  setup()
  const checks = args.length > 0 ? [] : runChecks()
  if (needFrontServers(args)) {
    installFrontServers()
    makePhp74()
  }
  // The tests do not wait for the checks, so that both cores are busy from the beginning, and one run shows all failures.
  const tests = args.length > 0 ? runVitest(process.execPath, args) : runAllTests(process.execPath, EXCLUDED)
  const [failedChecks, counts] = await Promise.all([checks, tests])
  counts.failures.push(
    ...failedChecks.map((name) => ({ test: `The check of ${name}`, message: 'see above' })),
  )
  counts.failed += failedChecks.length
  conclude(counts)
})
