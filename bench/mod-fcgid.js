// `npm run bench:mod_fcgid`: an app behind Apache mod_fcgid, with and without a shared process, and behind Passenger. Prints the table of
// docs/shared-hosting.md. The files are those that `fcgi-bridge init htaccess` writes, and the settings those of `config apache-fcgid`.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { freePorts } from '../scripts/lib/free-ports.js'
import { main, root } from '../scripts/lib/run.js'

const MODULES = '/usr/lib/apache2/modules'
const PASSENGER = `${MODULES}/mod_passenger.so`
const CLI = `${root}packages/cli/dist/main.js`

const FCGID = `
  FcgidMaxRequestLen 20971520
  FcgidOutputBufferSize 0
  FcgidMaxProcessesPerClass 20
  FcgidMinProcessesPerClass 0
  FcgidIdleTimeout 900
  FcgidProcessLifeTime 0
  FcgidMaxRequestsPerProcess 0
  FcgidTerminationScore 0
  FcgidTimeScore 4
  FcgidErrorScanInterval 1
  FcgidZombieScanInterval 1`

const APP = `import express from ${JSON.stringify(import.meta.resolve('express'))}
const app = express()
app.use((req, res) => setTimeout(() => res.json({ pid: process.pid }), Number(req.query.wait ?? 0)))
`

const SETUPS = {
  'mod_fcgid, processes of its own': { modules: ['fcgid'], shared: false },
  'mod_fcgid, shared': { modules: ['fcgid'], shared: true },
  'mod_fcgid and mod_proxy_fcgi, shared': { modules: ['proxy', 'proxy_fcgi', 'fcgid'], shared: true },
  ...(existsSync(PASSENGER) && { Passenger: { modules: ['passenger'], shared: false } }),
}

await main(async () => {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '6' },
      rate: { type: 'string', default: '60' },
      // Milliseconds between two SIGTERMs.
      interval: { type: 'string', default: '600' },
      only: { type: 'string', default: '' },
    },
  })
  const load = {
    seconds: Number(values.seconds),
    rate: Number(values.rate),
    interval: Number(values.interval),
  }
  const rows = []
  for (const [name, setup] of Object.entries(SETUPS)) {
    if (!name.includes(values.only)) continue
    rows.push(await measure(name, setup, load))
    console.error(rows.at(-1))
  }
  console.log(
    `Node ${process.version}, ${versionsOf()}; ${load.rate} requests a second for ${load.seconds} s\n`,
  )
  const columns = Object.keys(rows[0])
  for (const column of columns) console.log(`| ${[column, ...rows.map((row) => row[column])].join(' | ')} |`)
})

async function measure(name, setup, load) {
  const site = await start(name, setup)
  try {
    const began = performance.now()
    await ask(site, '/')
    const first = performance.now() - began
    for (let round = 0; round < 40; round++) await burst(site, 8, 50)
    const memory = memoryOf(site)
    const atOnce = await burst(site, 100, 20)
    const undisturbed = await underLoad(site, load, 0, () => {})
    const terminated = await underLoad(site, load, load.interval, () => terminate(site))
    const restarted = await underLoad(site, load, 2000, () => touch(site))
    return {
      '': name,
      'first request': `${Math.round(first)} ms`,
      '8 requests at once, 320 in all: processes, PSS of the app': `${memory.processes}, ${memory.mebibytes} MiB`,
      '100 requests of 20 ms at once, max': `${Math.round(atOnce)} ms`,
      undisturbed,
      [`SIGTERM to the app each ${load.interval / 1000} s`]: terminated,
      'restart.txt each 2 s': restarted,
    }
  } finally {
    await stop(site)
  }
}

async function start(name, { modules, shared }) {
  const folder = mkdtempSync(join(tmpdir(), 'fcgi-bridge-'))
  for (const each of ['', 'app', 'app/tmp', 'public', 'mutexes']) {
    mkdirSync(join(folder, each), { recursive: true })
    chmodSync(join(folder, each), 0o777)
  }
  const isPassenger = name === 'Passenger'
  writeFileSync(join(folder, 'app/package.json'), '{ "type": "module" }')
  writeFileSync(
    join(folder, 'app/app.js'),
    `${APP}${isPassenger ? 'app.listen(3000)' : 'export default app'}\n`,
  )
  if (!isPassenger) {
    spawnSync(process.execPath, [
      CLI,
      'init',
      'htaccess',
      join(folder, 'app/app.js'),
      '--output',
      join(folder, 'public'),
    ])
    const program = join(folder, 'public/app.fcgi')
    if (!shared) writeFileSync(program, readFileSync(program, 'utf8').replace(/, '--shared', '[^']*'/, ''))
  }
  const [port] = await freePorts(1)
  const config = join(folder, 'apache.conf')
  const passenger = `
    PassengerRoot /usr/lib/ruby/vendor_ruby/phusion_passenger/locations.ini
    PassengerInstanceRegistryDir ${folder}
    PassengerMaxPoolSize 1
    PassengerUserSwitching off
    PassengerNodejs ${process.execPath}
    PassengerDisableSecurityUpdateCheck on`
  const loaded = ['mpm_event', 'authz_core', 'setenvif', 'env', 'mime', 'alias', 'rewrite', ...modules]
  writeFileSync(
    config,
    `ServerRoot ${folder}
ServerName bench.test
PidFile ${folder}/apache.pid
ErrorLog ${folder}/error.log
TypesConfig /dev/null
Mutex file:${folder}/mutexes default
${loaded.map((each) => `LoadModule ${each}_module ${MODULES}/mod_${each}.so`).join('\n')}
StartServers 1
ServerLimit 2
ThreadLimit 128
ThreadsPerChild 128
MaxRequestWorkers 256
Listen 127.0.0.1:${port}
${isPassenger ? passenger : `FcgidIPCDir ${folder}\nFcgidProcessTableFile ${folder}/fcgid.shm\n${FCGID}`}
<VirtualHost 127.0.0.1:${port}>
  DocumentRoot ${folder}/public
  ${isPassenger ? `PassengerAppRoot ${folder}/app\nPassengerAppType node\nPassengerStartupFile app.js` : ''}
  <Directory ${folder}/public>
    Require all granted
    AllowOverride FileInfo Options
  </Directory>
</VirtualHost>
`,
  )
  const [file, ...args] = apacheCommand(config)
  const apache = spawn(file, args, { stdio: 'inherit' })
  const site = { folder, port, apache, agent: new Agent({ keepAlive: false, maxSockets: 1000 }) }
  while (
    !(
      existsSync(join(folder, 'error.log')) &&
      readFileSync(join(folder, 'error.log'), 'utf8').includes('resuming normal')
    )
  ) {
    if (apache.exitCode !== null) throw new Error(`Apache did not start with ${name}`)
    await setTimeout(50)
  }
  return site
}

// Apache does not serve as root.
function apacheCommand(config) {
  const apache = ['/usr/sbin/apache2', '-f', config, '-DFOREGROUND']
  if (process.getuid?.() !== 0) return apache
  const user = [
    '--reuid=www-data',
    '--regid=www-data',
    '--clear-groups',
    '--inh-caps=+dac_override',
    '--ambient-caps=+dac_override',
  ]
  return ['setpriv', ...user, '--', ...apache]
}

async function stop({ apache, folder }) {
  const exited = once(apache, 'exit')
  apache.kill()
  await exited
  while (appsIn(folder).length > 0) await setTimeout(100)
  rmSync(folder, { recursive: true, force: true })
}

function ask({ port, agent }, path, method = 'GET') {
  return new Promise((resolve) => {
    const sent = request({ port, host: '127.0.0.1', path, method, agent, timeout: 15_000 })
    sent.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (more) => {
        text += more
      })
      response.on('end', () => resolve({ status: response.statusCode, text }))
      response.on('error', () => resolve({ status: 'cut off', text }))
    })
    sent.on('timeout', () => sent.destroy())
    sent.on('error', (/** @type {NodeJS.ErrnoException} */ error) =>
      resolve({ status: error.code === 'ECONNRESET' ? 'time-out' : error.code, text: '' }),
    )
    sent.end(method === 'POST' ? 'x'.repeat(2048) : undefined)
  })
}

/** Sends `count` requests of `wait` milliseconds at once, and returns the time until the last response. */
async function burst(site, count, wait) {
  const began = performance.now()
  await Promise.all(Array.from({ length: count }, () => ask(site, `/?wait=${wait}`)))
  return performance.now() - began
}

/** Sends requests at a rate that does not depend on the responses, a third of them POST, and calls `disturb` in an interval. */
async function underLoad(site, { seconds, rate }, interval, disturb) {
  const sent = []
  const times = []
  const began = performance.now()
  const timer = interval > 0 ? setInterval(() => void disturb(), interval) : undefined
  while (performance.now() - began < seconds * 1000) {
    while (sent.length < ((performance.now() - began) / 1000) * rate) {
      const at = performance.now()
      const answer = ask(site, '/?wait=15', sent.length % 3 === 0 ? 'POST' : 'GET')
      sent.push(
        answer.then(({ status }) => {
          times.push(performance.now() - at)
          return status
        }),
      )
    }
    await setTimeout(5)
  }
  clearInterval(timer)
  const statuses = await Promise.all(sent)
  const lost = statuses.filter((status) => status !== 200)
  const kinds = [...new Set(lost)].map((kind) => `${lost.filter((each) => each === kind).length} × ${kind}`)
  const p99 = times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)]
  return `${lost.length === 0 ? 0 : kinds.join(', ')} of ${statuses.length}, p99 ${Math.round(p99)} ms`
}

async function terminate(site) {
  const { status, text } = await ask(site, '/')
  if (status === 200) process.kill(JSON.parse(text).pid, 'SIGTERM')
}

function touch({ folder }) {
  const file = join(folder, 'app/tmp/restart.txt')
  writeFileSync(file, '')
  utimesSync(file, new Date(), new Date())
}

/** The processes of the app: those whose command line has the site's folder, or, with Passenger, whose working directory is the app's. */
function appsIn(folder) {
  return readdirSync('/proc').filter((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1')
      return /node|Passenger NodeApp/.test(command.split('\0')[0]) && command.includes(folder)
    } catch {
      return false
    }
  })
}

function memoryOf({ folder }) {
  const pids = appsIn(folder)
  const kilobytes = pids.map((pid) =>
    Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1]),
  )
  return { processes: pids.length, mebibytes: Math.round(kilobytes.reduce((a, b) => a + b, 0) / 1024) }
}

function versionsOf() {
  const { stdout } = spawnSync('/usr/sbin/apache2', ['-v'], { encoding: 'utf8' })
  const names = ['libapache2-mod-fcgid', 'libapache2-mod-passenger']
  const packages = spawnSync('dpkg-query', ['-W', ...names], { encoding: 'utf8' }).stdout.trim()
  return `${/Apache\/[\d.]+/.exec(stdout)?.[0]}, ${packages.replaceAll('\t', ' ').replaceAll('\n', ', ')}`
}
