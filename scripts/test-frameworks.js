// `npm run test:frameworks`: installs and builds the projects of tests/frameworks, and runs their programs unmodified over FastCGI.
// `npm run test:frameworks -- servers nuxt` prepares these projects only, and runs the tests of their programs.

import { prepare } from '../tests/frameworks/prepare.js'
import { PROJECTS } from '../tests/frameworks/projects.js'
import { installFrontServers } from './debian.js'
import { main, UserError } from './lib/run.js'
import { conclude, runAllTests } from './lib/vitest.js'
import { setup } from './setup.js'

// Two at a time: a build uses more than one core.
const BUILDERS = 2

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
  const counts = runAllTests(process.execPath, [
    '--maxWorkers=2',
    '--testTimeout=120000',
    '--hookTimeout=120000',
    ...paths,
  ])
  counts.failures.unshift(...failures)
  counts.failed += failures.length
  conclude(counts)
})

async function prepareAll(names) {
  const failures = []
  const rest = [...names]
  const work = async () => {
    for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
      try {
        const seconds = await prepare(name)
        console.log(seconds === 0 ? `${name} is built already.` : `Built ${name} in ${seconds} s.`)
      } catch (error) {
        console.error(`${name}: ${error.message}`)
        failures.push({ test: `The build of ${name}`, message: error.message.split('\n', 1)[0] })
      }
    }
  }
  await Promise.all(Array.from({ length: BUILDERS }, work))
  return failures
}
