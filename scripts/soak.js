// `npm run soak`: sends mixed traffic for a long time, and measures leaks in the processes of the apps. See tests/soak.

import { parseArgs } from 'node:util'
import { MINUTES_VARIABLE } from '../tests/soak/variables.js'
import { installFrontServers } from './debian.js'
import { bin, main, run, UserError } from './lib/run.js'
import { setup } from './setup.js'

const HELP = `npm run soak                   run for half an hour, and rewrite tests/soak/results/
npm run soak -- --minutes 5    run for 5 minutes`

await main(() => {
  const minutes = readMinutes(process.argv.slice(2))
  setup()
  installFrontServers()
  const env = { ...process.env, [MINUTES_VARIABLE]: String(minutes) }
  const args = ['run', 'tests/soak', '--disableConsoleIntercept']
  if (!run(process.execPath, [bin('vitest', 'vitest.mjs'), ...args], { env })) process.exitCode = 1
  run(process.execPath, [bin('@biomejs/biome', 'bin/biome'), 'format', '--write', 'tests/soak/results'])
})

function readMinutes(args) {
  let minutes
  try {
    minutes = Number(
      parseArgs({ args, options: { minutes: { type: 'string', default: '30' } } }).values.minutes,
    )
  } catch (error) {
    throw new UserError(`${error.message}\n\n${HELP}`)
  }
  if (!(minutes > 0)) throw new UserError(`--minutes takes a number greater than 0.\n\n${HELP}`)
  return minutes
}
