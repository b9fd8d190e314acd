// `npm run bench:pool`: what the process manager costs, and how two workers compare with one. `-- --help` names the parts.

import { parseArgs } from 'node:util'
import { main, UserError } from '../../scripts/lib/run.js'
import { setup } from '../../scripts/setup.js'
import { chosenNode } from '../lib/nodes.js'
import { measureCrashes } from './crash.js'
import { measureIdle } from './idle.js'
import { measureScaling } from './scaling.js'

const PARTS = { idle: measureIdle, crash: measureCrashes, scaling: measureScaling }

const HELP = `npm run bench:pool                  all parts, about 7 minutes
npm run bench:pool -- idle          the master's memory and CPU time with 16 idle workers, with and without status pages
npm run bench:pool -- crash         CPU time, starts and log lines of an app that crashes at each start, for a minute
npm run bench:pool -- scaling       requests per second with two workers, compared with one

  --seconds N      how long each figure is measured (default: idle 30, crash 60, scaling 20)
  --workers N      the number of idle workers (default: 16)
  --node BINARY    the Node of the pool (default: the newest LTS that npm run setup has installed)`

await main(async () => {
  const { parts, node, ...settings } = readArguments(process.argv.slice(2))
  if (parts === undefined) return console.log(HELP)
  setup()
  const results = []
  for (const part of parts) {
    console.log(`\n## ${part}, Node ${node.nodeVersion}\n`)
    results.push(...(await PARTS[part]({ node: node.node, ...settings })))
  }
  const missed = results.filter(({ isReached }) => !isReached)
  for (const { name } of missed) console.log(`Missed: ${name}`)
  if (missed.length > 0) process.exitCode = 1
})

function readArguments(args) {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        seconds: { type: 'string' },
        workers: { type: 'string', default: '16' },
        node: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) return {}
    const unknown = positionals.find((part) => !(part in PARTS))
    if (unknown !== undefined) throw new Error(`${unknown} is not a part.`)
    return {
      parts: positionals.length > 0 ? positionals : Object.keys(PARTS),
      node: chosenNode(values.node),
      seconds: values.seconds === undefined ? undefined : toNumber('--seconds', values.seconds),
      workers: toNumber('--workers', values.workers),
    }
  } catch (error) {
    throw new UserError(`${error.message}\n\n${HELP}`)
  }
}

function toNumber(name, text) {
  const number = Number(text)
  if (!(number > 0)) throw new Error(`${name} takes a number greater than 0, not ${text}.`)
  return number
}
