// `npm test`: sets everything up, lints, checks types, structure and packages, and runs all tests, including those with real servers.
// `npm test -- packages/core` sets up and runs some tests only. All of vitest's arguments are accepted.

import { checkPackages } from './check-packages.js'
import { checkStructure } from './check-structure.js'
import { installFrontServers, needFrontServers } from './debian.js'
import { checkFrameworksPage } from './frameworks-page.js'
import { makePhp74 } from './lib/php74.js'
import { bin, main, run } from './lib/run.js'
import { conclude, runAllTests, runVitest } from './lib/vitest.js'
import { setup } from './setup.js'

// test-frameworks.js installs and builds what these tests run.
const EXCLUDED = ['--exclude=tests/frameworks/**']

const CHECKS = {
  lint: () => run(process.execPath, [bin('@biomejs/biome', 'bin/biome'), 'check', '.']),
  types: () => ['tests', 'tsconfig.js.json'].map(checkTypes).every(Boolean),
  structure: checkStructure,
  packages: checkPackages,
  'the page of frameworks': checkFrameworksPage,
}

function checkTypes(project) {
  return run(process.execPath, [bin('typescript', 'bin/tsc'), '-p', project])
}

await main(() => {
  const args = process.argv.slice(2)
  setup()
  if (needFrontServers(args)) {
    installFrontServers()
    makePhp74()
  }
  // Continue after a failure, so that one run shows all of them.
  const failedChecks = args.length > 0 ? [] : Object.keys(CHECKS).filter((name) => !CHECKS[name]())
  const counts = args.length > 0 ? runVitest(process.execPath, args) : runAllTests(process.execPath, EXCLUDED)
  counts.failures.push(
    ...failedChecks.map((name) => ({ test: `The check of ${name}`, message: 'see above' })),
  )
  counts.failed += failedChecks.length
  conclude(counts)
})
