// `npm run soak`: sends mixed traffic for a long time, and measures leaks in the processes of the apps. See tests/soak.

import { parseArgs } from 'node:util'
import { MINUTES_VARIABLE } from '../tests/soak/variables.js'
import { installFrontServers } from './debian.js'
import { bin, main, run, UserError } from './lib/run.js'
import { setup } from './setup.js'

const HELP = `npm run soak                   run for half an hour, and rewrite tests/soak/results/
npm run soak -- --minutes 5    run for 5 minutes
npm run soak -- --minutes 10 reloads
                               only replace workers under load: by reloads for 10 minutes, and by --max-requests for a minute`

await main(() => {
  const { minutes, only } = readArguments(process.argv.slice(2))
  setup()
  installFrontServers()
  const env = { ...process.env, [MINUTES_VARIABLE]: String(minutes) }
  const args = ['run', `tests/soak/${only}`, '--disableConsoleIntercept']
  if (!run(process.execPath, [bin('vitest', 'vitest.mjs'), ...args], { env })) process.exitCode = 1
  run(process.execPath, [bin('@biomejs/biome', 'bin/biome'), 'format', '--write', 'tests/soak/results'])
})

function readArguments(args) {
  let minutes
  let only
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { minutes: { type: 'string', default: '30' } },
    })
    minutes = Number(values.minutes)
    only = positionals.join(' ')
  } catch (error) {
    throw new UserError(`${error.message}\n\n${HELP}`)
  }
  if (!(minutes > 0)) throw new UserError(`--minutes takes a number greater than 0.\n\n${HELP}`)
  if (!['', 'reloads'].includes(only)) throw new UserError(`${only} is not a part.\n\n${HELP}`)
  return { minutes, only }
}
