// `npm run bench:bundle -- --rounds 15`: how long the start of an app and its first response take, with and without `fcgi-bridge bundle`. Each
// run is a CGI request: a process is started, and its output is read to the end. The packages are those that are published.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { bundlePackages } from '../scripts/bundle.js'
import { main, root } from '../scripts/lib/run.js'
import { CGI_ENVIRONMENT } from './lib/cgi.js'
import { cpuTimeWithChildren } from './lib/cpu.js'
import { makeFolder } from './lib/folders.js'
import { chosenNode } from './lib/nodes.js'
import { summary } from './lib/stats.js'

const APPS = { Express: 'express-adapter', Hono: 'fetch-adapter', Fastify: 'express-adapter' }
const PUBLISHED = '--conditions=published'

await main(async () => {
  const { values } = parseArgs({
    options: { rounds: { type: 'string', default: '15' }, node: { type: 'string' } },
  })
  const { node, nodeVersion } = chosenNode(values.node)
  await bundlePackages()
  const folder = makeFolder()
  const commandLine = `${root}packages/cli/dist/bundle/main.js`
  console.log(
    `Node ${nodeVersion}, ${values.rounds} rounds, milliseconds: median of the time, mean of the CPU time\n`,
  )
  console.log('| | Node alone | `serve(app)` | `fcgi-bridge serve` | `fcgi-bridge bundle` |')
  console.log('|-|-|-|-|-|')
  for (const [name, adapter] of Object.entries(APPS)) {
    const app = fileURLToPath(new URL(`startup/${name.toLowerCase()}.js`, import.meta.url))
    const bundle = join(folder, `${name}.cjs`)
    await finished(
      spawn(node, [PUBLISHED, commandLine, 'bundle', app, '--output', bundle], { stdio: 'ignore' }),
    )
    const program = join(folder, `${name}.mjs`)
    const adapterFile = fileURLToPath(new URL(`../packages/${adapter}/dist/bundle/index.js`, import.meta.url))
    writeFileSync(program, `import { serve } from '${adapterFile}'\nimport app from '${app}'\nserve(app)\n`)
    const commands = [
      ['-e', '0'],
      [PUBLISHED, program],
      [PUBLISHED, commandLine, 'serve', app],
      ['--max-semi-space-size=1', bundle],
    ]
    const cells = await measure(node, commands, Number(values.rounds))
    console.log(`| ${name} | ${cells.join(' | ')} |`)
  }
})

/** Runs the commands in turn, and returns a cell of the table for each. */
async function measure(node, commands, rounds) {
  const times = commands.map(() => [])
  const cpu = commands.map(() => 0)
  for (let round = 0; round < rounds; round++) {
    for (const [index, args] of commands.entries()) {
      const before = cpuTimeWithChildren('self').ended
      const start = performance.now()
      const child = spawn(node, args, {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, NODE_ENV: 'production', ...CGI_ENVIRONMENT },
      })
      const ended = finished(child)
      const response = (await buffer(child.stdout)).toString()
      times[index].push(performance.now() - start)
      await ended
      cpu[index] += cpuTimeWithChildren('self').ended - before
      if (index > 0 && !response.endsWith('Hello, world!')) throw new Error(`${args.join(' ')}: ${response}`)
    }
  }
  return commands.map(
    (_, index) => `${Math.round(summary(times[index]).median)}, ${Math.round(cpu[index] / rounds)}`,
  )
}

async function finished(child) {
  const [status] = await once(child, 'exit')
  if (status !== 0) throw new Error(`${child.spawnargs.join(' ')} exited with status ${status}.`)
}
