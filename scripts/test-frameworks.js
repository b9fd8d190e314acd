// `npm run test:frameworks`: installs and builds the projects of tests/frameworks, and runs their programs unmodified over FastCGI.
// `npm run test:frameworks -- servers nuxt` prepares these projects only, and runs the tests of their programs.

import { prepareAll } from '../tests/frameworks/prepare.js'
import { PROJECTS } from '../tests/frameworks/projects.js'
import { installFrontServers } from './debian.js'
import { main, UserError } from './lib/run.js'
import { conclude, runAllTests } from './lib/vitest.js'
import { setup } from './setup.js'

// The test files of these projects. Those of all others are in `builds`.
const FILES = {
  servers: ['servers'],
  'better-auth': ['builds', 'rate-limit'],
  verdaccio: ['builds', 'npm-client'],
}

await main(async () => {
  const names = process.argv.slice(2)
  const unknown = names.find((name) => !(name in PROJECTS))
  if (unknown !== undefined) {
    throw new UserError(
      `There is no project ${unknown}. The projects are: ${Object.keys(PROJECTS).join(', ')}.`,
    )
  }
  setup()
  installFrontServers()
  const chosen = names.length > 0 ? names : Object.keys(PROJECTS)
  const failures = await prepareAll(chosen)
  process.env.FRAMEWORK_PROJECTS = chosen.join()
  const files = new Set(['features', ...chosen.flatMap((name) => FILES[name] ?? ['builds'])])
  const paths = [...files].map((file) => `tests/frameworks/${file}.test.ts`)
  const counts = await runAllTests(process.execPath, [
    '--maxWorkers=2',
    '--maxConcurrency=2',
    '--testTimeout=120000',
    '--hookTimeout=120000',
    ...paths,
  ])
  counts.failures.unshift(...failures)
  counts.failed += failures.length
  conclude(counts)
})
