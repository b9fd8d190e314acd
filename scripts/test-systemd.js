// `npm run test:systemd`: runs a pool under Debian 13's systemd, with the units that `fcgi-bridge config systemd` prints: socket activation,
// `systemctl reload` and `restart` under load, a reload to a broken app, and the watchdog. It takes about a minute, plus the time to make the
// folder with Debian 13, which `npm run test:trixie` uses, too.

import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Nginx } from '../bench/lib/nginx.js'
import { startLoad } from '../bench/reloads/load.js'
import { installPackages } from './debian.js'
import { binary, NEWEST } from './lib/nodes.js'
import { main, root, UserError } from './lib/run.js'
import { makeTrixie } from './lib/trixie.js'
import { setup } from './setup.js'
import { Container } from './systemd/container.js'
import { Site } from './systemd/site.js'

/** Requests per second, a third of them POST. */
const RATE = 100
/** Milliseconds from the end of a reload or restart to the next. */
const PAUSE = 1500
/** Seconds. The printed unit has 30. */
const WATCHDOG = 6
const RESTARTS_IN = 60_000

const FOLDER = '/srv/site'
const NODE = '/usr/local/bin/node'
const REPOSITORY = '/srv/fcgi-bridge'
// The packages as they are published.
const CONDITION = '--conditions=published'
const CLI = `${REPOSITORY}/packages/cli/dist/bundle/main.js`
const SOCKET = `${FOLDER}/run/app.sock`

await main(async () => {
  const times = readTimes(process.argv.slice(2))
  // systemd-nspawn needs it, and nginx, because only www-data may connect to the socket.
  if (process.getuid?.() !== 0) throw new UserError('Run the test as root: sudo npm run test:systemd')
  setup()
  installPackages(
    ['systemd-container', 'nginx'],
    'The test with systemd needs programs',
    'npm run test:systemd',
  )
  const folder = mkdtempSync(join(tmpdir(), 'fcgi-bridge-systemd-'))
  // The service runs as a dynamic user.
  chmodSync(folder, 0o755)
  try {
    await testIn(folder, times)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

function readTimes(args) {
  const { values } = parseArgs({ args, options: { times: { type: 'string', default: '3' } } })
  const times = Number(values.times)
  if (!(times > 0)) throw new UserError('--times takes the number of reloads, and of restarts.')
  return times
}

async function testIn(folder, times) {
  const site = new Site(folder)
  site.write()
  console.log('Booting systemd…')
  const container = await Container.boot({
    folder: makeTrixie(),
    readable: { [REPOSITORY]: root.replace(/\/$/, ''), [NODE]: binary(NEWEST) },
    writable: { [FOLDER]: folder },
  })
  let nginx
  try {
    const [version] = (await container.must('systemctl', '--version')).split('\n', 1)
    console.log(`${version}, Node ${await container.must(NODE, '--version')}`)
    await installUnits(container)
    const first = await servedBy(container)
    check('socket activation: the first request starts the service', first === site.version)
    // The first worker may have responded before the second one was ready.
    check('the service becomes ready', (await systemctl(container, 'start')) === 0)
    nginx = await Nginx.start('fastcgi', { path: join(folder, 'run/app.sock') })
    await underLoad(container, site, nginx, times)
    await brokenApp(container, site)
    await watchdog(container, site)
  } catch (error) {
    process.exitCode = 1
    console.error(error)
  } finally {
    if (process.exitCode) {
      console.log((await container.run('journalctl', '--no-pager', '--unit=app.service')).stdout)
    }
    await nginx?.stop()
    await container.stop()
  }
}

/** Reloads and restarts the service while nginx sends requests to it. */
async function underLoad(container, site, nginx, times) {
  const load = startLoad({ port: nginx.address.port, rate: RATE })
  let result
  try {
    for (const action of ['reload', 'restart']) {
      for (let time = 1; time <= times; time++) await renew(container, site, action)
    }
  } finally {
    result = await load.stop()
  }
  const { requests, failed, max } = result
  check(
    `${times} reloads and ${times} restarts under load: ${failed.length} of ${requests} requests failed, the longest took ${(max / 1000).toFixed(1)} s`,
    failed.length === 0,
  )
  for (const { method, problem, at } of failed) console.log(`  ${at} ${method}: ${problem}`)
  if (failed.length > 0) console.log(nginx.errorLog)
}

/** Changes the app, and reloads or restarts the service. */
async function renew(container, site, action) {
  site.write()
  const begin = performance.now()
  const status = await systemctl(container, action)
  const took = ((performance.now() - begin) / 1000).toFixed(1)
  const serves = await servedBy(container)
  check(
    `systemctl ${action} (${took} s): exit status ${status}, version ${serves} of the app serves, ${site.version} was expected`,
    status === 0 && serves === site.version,
  )
  await setTimeout(PAUSE)
}

async function brokenApp(container, site) {
  const { version } = site
  site.writeBroken()
  const status = await systemctl(container, 'reload')
  check('systemctl reload to an app that fails to start: fails', status !== 0)
  check('the old code continues to serve', (await servedBy(container)) === version)
  site.write()
}

async function installUnits(container) {
  const units = '/run/systemd/system'
  const config = ['config', 'systemd', `${FOLDER}/app.mjs`, '--name', 'app', '--workers', '2']
  await container.must(NODE, CONDITION, CLI, ...config, '--socket', SOCKET, '--output', `${units}/`)
  await container.must('mkdir', `${units}/app.service.d`)
  const settings = `[Service]\\nWatchdogSec=${WATCHDOG}\\nEnvironment=NODE_OPTIONS=${CONDITION}\\n`
  await container.must('sh', '-c', `printf '${settings}' > ${units}/app.service.d/test.conf`)
  await container.must('systemctl', 'daemon-reload')
  await container.must('systemctl', 'start', 'app.socket')
}

/** A master that has stopped is killed by systemd, and started again. */
async function watchdog(container, site) {
  const mainPid = async () =>
    Number(await container.must('systemctl', 'show', '--value', '--property=MainPID', 'app.service'))
  const pid = await mainPid()
  const begin = performance.now()
  await container.must('kill', '-STOP', String(pid))
  let isReplaced = false
  while (!isReplaced && performance.now() - begin < RESTARTS_IN) {
    await setTimeout(200)
    isReplaced = ![0, pid].includes(await mainPid())
  }
  const serves = await servedBy(container)
  const took = ((performance.now() - begin) / 1000).toFixed(1)
  check(
    `the watchdog (WatchdogSec=${WATCHDOG}) replaces a stopped master (${took} s until it serves)`,
    isReplaced && serves === site.version,
  )
}

/** Runs `systemctl ACTION app.service`, and resolves with its exit status. */
async function systemctl(container, action) {
  return (await container.run('systemctl', action, 'app.service')).status
}

/** The version of the app that responds on a new connection. Connections that nginx keeps may still reach the old version. */
async function servedBy(container) {
  return container.must(NODE, CONDITION, CLI, 'request', SOCKET, '/version')
}

function check(what, holds) {
  console.log(`${holds ? 'ok    ' : 'FAILED'} ${what}`)
  if (!holds) process.exitCode = 1
}
