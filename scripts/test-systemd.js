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

await main(async () => {
  const times = readTimes(process.argv.slice(2))
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
  const nginx = await Nginx.start('fastcgi', { path: join(folder, 'run/app.sock') })
  const { port } = nginx.address
  try {
    console.log(
      `${container.must('systemctl', '--version').split('\n', 1)[0]}, Node ${container.must(NODE, '--version')}`,
    )
    installUnits(container)
    check('socket activation: the first request starts the service', (await versionAt(port)) === site.version)
    check('the service is ready', container.must('systemctl', 'is-active', 'app.service') === 'active')
    const load = startLoad({ port, rate: RATE })
    for (const action of ['reload', 'restart']) {
      for (let time = 1; time <= times; time++) {
        site.write()
        const begin = performance.now()
        const status = await container.start('systemctl', action, 'app.service')
        const took = ((performance.now() - begin) / 1000).toFixed(1)
        const serves = await versionAt(port)
        check(
          `systemctl ${action} (${took} s): the new code serves when it returns`,
          status === 0 && serves === site.version,
        )
        await setTimeout(PAUSE)
      }
    }
    const { requests, failed, max } = await load.stop()
    check(
      `${times} reloads and ${times} restarts under load: ${failed.length} of ${requests} requests failed, the longest took ${(max / 1000).toFixed(1)} s`,
      failed.length === 0,
    )
    for (const { method, problem } of failed) console.log(`  ${method}: ${problem}`)

    const { version } = site
    site.writeBroken()
    check(
      'systemctl reload to an app that fails to start: fails',
      (await container.start('systemctl', 'reload', 'app.service')) !== 0,
    )
    check('the old code serves on', (await versionAt(port)) === version)
    site.write()
    await watchdog(container, port, site)
  } catch (error) {
    process.exitCode = 1
    console.error(error)
  } finally {
    if (process.exitCode) console.log(container.run('journalctl', '--no-pager', '--unit=app.service').stdout)
    await nginx.stop()
    await container.stop()
  }
}

function installUnits(container) {
  const config = ['config', 'systemd', `${FOLDER}/app.mjs`, '--name', 'app', '--workers', '2']
  const units = '/run/systemd/system'
  container.must(
    NODE,
    `${REPOSITORY}/packages/cli/dist/main.js`,
    ...config,
    '--socket',
    `${FOLDER}/run/app.sock`,
    '--output',
    `${units}/`,
  )
  container.must('mkdir', `${units}/app.service.d`)
  container.must(
    'sh',
    '-c',
    `printf '[Service]\\nWatchdogSec=${WATCHDOG}\\n' > ${units}/app.service.d/test.conf`,
  )
  container.must('systemctl', 'daemon-reload')
  container.must('systemctl', 'start', 'app.socket')
}

/** A master that has stopped is killed by systemd, and started again. */
async function watchdog(container, port, site) {
  const mainPid = () =>
    Number(container.must('systemctl', 'show', '--value', '--property=MainPID', 'app.service'))
  const pid = mainPid()
  const begin = performance.now()
  container.must('kill', '-STOP', String(pid))
  let isReplaced = false
  while (!isReplaced && performance.now() - begin < RESTARTS_IN) {
    await setTimeout(200)
    isReplaced = ![0, pid].includes(mainPid())
  }
  const serves = await versionAt(port)
  const took = ((performance.now() - begin) / 1000).toFixed(1)
  check(
    `the watchdog (WatchdogSec=${WATCHDOG}) replaces a stopped master (${took} s until it serves)`,
    isReplaced && serves === site.version,
  )
}

async function versionAt(port) {
  const response = await fetch(`http://127.0.0.1:${port}/version`)
  return await response.text()
}

function check(what, holds) {
  console.log(`${holds ? 'ok    ' : 'FAILED'} ${what}`)
  if (!holds) process.exitCode = 1
}
