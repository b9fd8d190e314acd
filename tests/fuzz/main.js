// `npm run fuzz`: a million mutated sessions against real servers. See `npm run fuzz -- --help`.

import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { main, root, UserError } from '../../scripts/lib/run.js'
import { setup } from '../../scripts/setup.js'

const HELP = `npm run fuzz [-- OPTIONS]

Takes recordings of real front servers (tests/captures), flips, drops, repeats, reorders and truncates their records, and sends
them to servers of core and of both adapters. tests/fuzz/README.md lists what must not happen.

  --sessions N     Number of sessions; default 1000000
  --seed S         A whole number that determines all sessions; default: derived from the time
  --time SECONDS   Time limit
  --replay FILE    Send the sessions that an earlier run wrote to a file

npm run fuzz -- --express [OPTIONS]

Runs random listeners on node:http and on the Express adapter, and compares the responses and the events of the listeners.

  --scripts N      Number of scripts; default 10000
  --seed S         As above
  --from N         Number of the first script; default 0
`

// Time limit for reducing a finding, in milliseconds.
const SHRINKING = 5 * 60_000

await main(async () => {
  const options = readOptions()
  if (options.help) return console.log(HELP)
  setup()
  if (options.express) await runExpress(options)
  else if (options.replay) await replayFile(options.replay)
  else await run(options)
})

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        sessions: { type: 'string', default: '1000000' },
        seed: { type: 'string', default: String(Date.now() % 1_000_000) },
        time: { type: 'string', default: 'Infinity' },
        replay: { type: 'string' },
        express: { type: 'boolean' },
        scripts: { type: 'string', default: '10000' },
        from: { type: 'string', default: '0' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    const number = (name, least) => {
      const value = Number(values[name])
      if (value >= least && (Number.isSafeInteger(value) || name === 'time')) return value
      throw new UserError(`--${name} is ${values[name]}; it must be a number of ${least} or more.\n\n${HELP}`)
    }
    return {
      ...values,
      sessions: number('sessions', 1),
      seed: number('seed', 0),
      time: number('time', 1),
      scripts: number('scripts', 1),
      from: number('from', 0),
    }
  } catch (error) {
    if (error.code?.startsWith('ERR_PARSE_ARGS')) throw new UserError(`${error.message}\n\n${HELP}`)
    throw error
  }
}

async function run({ sessions: count, seed, time }) {
  // These modules import the build, so load them after the setup.
  const { Finding, fuzz } = await import('./fuzz.js')
  const start = performance.now()
  const seconds = () => Math.round((performance.now() - start) / 1000)
  console.log(`Seed ${seed}, Node ${process.version}`)
  let shown = start
  try {
    const { sessions, neighbours, before, after } = await fuzz({
      seed,
      count,
      more: () => performance.now() - start < time * 1000,
      onProgress: (sent) => {
        if (performance.now() - shown < 10_000) return
        shown = performance.now()
        console.log(`${sent} sessions in ${seconds()} s`)
      },
    })
    const mib = (bytes) => (bytes / 1024 / 1024).toFixed(1)
    console.log(
      `${sessions} sessions in ${seconds()} s: ${after.requests} requests reached an app, ${after.protocolErrors} ` +
        `connections had protocol errors, ${neighbours} valid concurrent requests got complete responses.\n` +
        `Heap ${mib(before.heap)} MiB after the first sessions, ${mib(after.heap)} MiB at the end; RSS ${mib(after.rss)} MiB; ` +
        `${after.handles} handles and ${after.descriptors} file descriptors at the end, not more than before. Nothing was found.`,
    )
  } catch (error) {
    if (!(error instanceof Finding)) throw error
    await report(error, seed)
  }
}

async function runExpress({ seed, scripts: count, from }) {
  // This module imports the build, so load it after the setup.
  const { fuzzExpress } = await import('./express/main.js')
  console.log(`Seed ${seed}, Node ${process.version}`)
  let shown = performance.now()
  const { scripts, explained, unexplained } = await fuzzExpress({
    seed,
    count,
    from,
    onProgress: (done) => {
      if (performance.now() - shown < 10_000) return
      shown = performance.now()
      console.log(`${done} scripts`)
    },
    onDifference: (description) => console.log(description),
  })
  console.log(`${scripts} scripts. Differences that packages/express-adapter/README.md explains:`)
  for (const [name, times] of Object.entries(explained)) console.log(`${String(times).padStart(6)}  ${name}`)
  if (unexplained > 0) throw new UserError(`${unexplained} scripts differ in a way that no rule explains.`)
  console.log('No other differences.')
}

async function report(finding, seed) {
  const { shrink } = await import('./shrink.js')
  const { toJson } = await import('./session.js')
  const file = resolve(root, `fuzz-${seed}.json`)
  const write = (sessions) =>
    writeFileSync(
      file,
      `${JSON.stringify({ found: finding.message, seed, sessions: sessions.map(toJson) }, null, 1)}\n`,
    )
  console.error(`\nFound: ${finding.message}`)
  write(finding.sessions)
  console.error(`The sent sessions are in ${file}. Reducing them…`)
  const smallest = await shrink(finding.sessions, performance.now() + SHRINKING)
  write(smallest)
  throw new UserError(
    `${finding.message}\n${smallest.map(describe).join('\n')}\nRepeat it with: npm run fuzz -- --replay ${file}`,
  )
}

function describe({ name, target, records, ending }) {
  const lines = records
    .slice(0, 20)
    .map((bytes) => `  ${bytes.toString('hex', 0, 8)} ${printable(bytes.subarray(8, 100))}`)
  return `${target}: ${name}, then ${ending}\n${lines.join('\n')}`
}

function printable(bytes) {
  return bytes.toString('latin1').replace(/[^\x20-\x7e]/g, '.')
}

async function replayFile(file) {
  const { Finding, replay } = await import('./fuzz.js')
  const { fromJson } = await import('./session.js')
  let sessions
  try {
    sessions = JSON.parse(readFileSync(file, 'utf8')).sessions.map(fromJson)
  } catch (error) {
    throw new UserError(`${file} was not written by npm run fuzz: ${error.message}`)
  }
  try {
    await replay(sessions)
    console.log('Nothing was found.')
  } catch (error) {
    if (!(error instanceof Finding)) throw error
    throw new UserError(`Reproduced: ${error.message}\n${sessions.map(describe).join('\n')}`)
  }
}
