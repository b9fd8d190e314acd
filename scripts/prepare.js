// Makes in advance what `npm run test:trixie` and `npm run test:frameworks` make when they begin: the folder with Debian 13, and the builds
// of the frameworks. .ci/run does it while other tests run.

import { prepareAll } from '../tests/frameworks/prepare.js'
import { PROJECTS } from '../tests/frameworks/projects.js'
import { main, UserError } from './lib/run.js'
import { makeTrixie } from './lib/trixie.js'

await main(async () => {
  makeTrixie()
  const failures = await prepareAll(Object.keys(PROJECTS))
  if (failures.length > 0) throw new UserError(`${failures.length} projects were not built: see above.`)
})
