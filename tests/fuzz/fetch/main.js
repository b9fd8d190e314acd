// `npm run fuzz:fetch`: compares the option overrideGlobalObjects with the platform's own objects. See `npm run fuzz:fetch -- --help`.

import { parseArgs } from 'node:util'
import { main, UserError } from '../../../scripts/lib/run.js'
import { setup } from '../../../scripts/setup.js'

const HELP = `npm run fuzz:fetch [-- OPTIONS]

Runs random scripts (constructors, members, methods, wrong receivers) on the platform's own Request, Response and Headers, and on
those of the option overrideGlobalObjects, and compares results, errors and responses. See tests/fuzz/README.md.

  --scripts N     Number of scripts; default 10000
  --seed S        A whole number that determines all scripts; default: derived from the time
  --first N       Number of the first script; default 0
`

await main(async () => {
  const { values } = parseArgs({
    options: {
      scripts: { type: 'string', default: '10000' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      first: { type: 'string', default: '0' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return console.log(HELP)
  const [count, seed, first] = [values.scripts, values.seed, values.first].map(Number)
  if (![count, seed, first].every(Number.isSafeInteger)) throw new UserError(HELP)
  setup()
  const { compare } = await import('./fuzz.js')
  console.log(`Seed ${seed}, Node ${process.version}`)
  const difference = await compare({ seed, count, first })
  if (difference === undefined) return console.log(`${count} scripts: no difference.`)
  throw new UserError(describe(difference, seed))
})

function describe({ index, script, native, light }, seed) {
  const lines = native.flatMap((line, i) =>
    line === light[i] ? [] : [`  native: ${line}`, `  light:  ${light[i]}`],
  )
  return `Script ${index} differs:\n${JSON.stringify(script, null, 1)}\n${lines.join('\n')}\nRun it again with: npm run fuzz:fetch -- --seed ${seed} --first ${index} --scripts 1`
}
