import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { Agent } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { compile } from '../../scripts/lib/compile.js'
import { freePorts } from '../../scripts/lib/free-ports.js'
import { endChild } from '../../scripts/lib/processes.js'
import { root } from '../../scripts/lib/run.js'
import { appsIn } from './processes.js'

const MODULES = '/usr/lib/apache2/modules'
export const PASSENGER = `${MODULES}/mod_passenger.so`
// As it is published.
const CLI = `${root}packages/cli/dist/bundle/main.js`

/** What is measured. */
export const SETUPS = {
  'mod_fcgid, processes of its own': { kind: 'own', modules: ['fcgid'] },
  // As a program without `init htaccess` has them. Only the memory is measured.
  "mod_fcgid, processes of its own, Node's default flags": { kind: 'own, default flags', modules: ['fcgid'] },
  'mod_fcgid, shared': { kind: 'shared', modules: ['fcgid'] },
  'mod_proxy_fcgi, shared': { kind: 'proxied', modules: ['proxy', 'proxy_fcgi', 'fcgid'] },
  // What no relay in Node can be below.
  'mod_fcgid, the least relays': { kind: 'least', modules: ['fcgid'] },
  // What no app, and no app in Node, can be below.
  'mod_proxy_fcgi, a C program': { kind: 'proxied C', modules: ['proxy', 'proxy_fcgi', 'fcgid'] },
  'mod_proxy_fcgi, a hand-written loop': { kind: 'proxied loop', modules: ['proxy', 'proxy_fcgi', 'fcgid'] },
  Passenger: { kind: 'Passenger', modules: ['passenger'] },
  'mod_fcgid, a C program': { kind: 'C', modules: ['fcgid'] },
}

// Those of `config apache-fcgid`.
const SETTINGS = {
  FcgidMaxRequestLen: 20971520,
  FcgidOutputBufferSize: 0,
  FcgidMaxProcessesPerClass: 20,
  FcgidMinProcessesPerClass: 0,
  FcgidIdleTimeout: 900,
  FcgidProcessLifeTime: 0,
  FcgidMaxRequestsPerProcess: 0,
  FcgidTerminationScore: 0,
  FcgidTimeScore: 4,
  FcgidErrorScanInterval: 1,
  FcgidZombieScanInterval: 1,
}

const APP = `import express from ${JSON.stringify(import.meta.resolve('express'))}
const app = express()
app.use((req, res) => setTimeout(() => res.json({ pid: process.pid }), Number(req.query.wait ?? 0)))
`

const C_HTACCESS = `Options +ExecCGI
AddHandler fcgid-script .fcgi
RewriteEngine On
RewriteCond %{REQUEST_FILENAME} !-f
RewriteRule ^ app.fcgi [L]
`

/** Starts an Apache of its own. `settings` replace those of mod_fcgid, or are lines for Passenger. */
export async function startSite(setup, settings) {
  const { kind, modules } = setup
  const folder = mkdtempSync(join(tmpdir(), 'fcgi-bridge-'))
  for (const each of ['', 'app', 'app/tmp', 'public']) {
    mkdirSync(join(folder, each), { recursive: true })
    chmodSync(join(folder, each), 0o777)
  }
  install(kind, folder)
  const held = await startHeld(kind, folder)
  const [port] = await freePorts(1)
  const config = join(folder, 'apache.conf')
  writeFileSync(config, apacheConfig(folder, port, kind, modules, settings))
  const [file, ...args] = asApache(['/usr/sbin/apache2', '-f', config, '-DFOREGROUND'])
  const apache = spawn(file, args, { stdio: 'inherit' })
  const log = join(folder, 'error.log')
  while (!(existsSync(log) && readFileSync(log, 'utf8').includes('resuming normal'))) {
    if (apache.exitCode !== null) throw new Error(`Apache did not start: ${config}`)
    await setTimeout(50)
  }
  let seen = statSync(log).size
  return {
    kind,
    folder,
    port,
    apache,
    held,
    agent: new Agent({ keepAlive: false, maxSockets: 1000 }),
    /** The requests of the rows that measure memory, so far. */
    sent: 0,
    /** The distinct lines of Apache's error log since the last call, without their times and numbers. */
    newErrors() {
      const text = readFileSync(log).subarray(seen)
      seen += text.length
      const lines = text
        .toString()
        .split('\n')
        .map((line) => line.replace(/^\[[^\]]*\] /, '').replace(/\d+/g, 'N'))
      return [...new Set(lines)].join('\n')
    },
  }
}

function install(kind, folder) {
  if (kind === 'C') {
    copyFileSync(compileProgram(), join(folder, 'public/app.fcgi'))
    writeFileSync(join(folder, 'public/.htaccess'), C_HTACCESS)
    return
  }
  const end = kind === 'Passenger' ? 'app.listen(3000)' : 'export default app'
  writeFileSync(join(folder, 'app/package.json'), '{ "type": "module" }')
  writeFileSync(join(folder, 'app/app.js'), `${APP}${end}\n`)
  if (kind === 'Passenger') return
  const args = [join(folder, 'app/app.js'), '--output', join(folder, 'public')]
  const { status, stderr } = spawnSync(process.execPath, [CLI, 'init', 'htaccess', ...args], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  const program = join(folder, 'public/app.fcgi')
  const flags = kind === 'own, default flags' ? '' : '--max-semi-space-size=1 '
  const text = readFileSync(program, 'utf8').replace(
    '--max-semi-space-size=1',
    `${flags}--conditions=published`,
  )
  writeFileSync(program, kind.startsWith('own') ? text.replace(/, '--shared', '[^']*'/, '') : text)
  if (kind === 'least') copyFileSync(installLeastRelay(folder), program)
}

/** Writes a program that relays to the holder of the site, and does nothing else. Returns its path. */
export function installLeastRelay(folder) {
  const [line] = readFileSync(join(folder, 'public/app.fcgi'), 'utf8').split('\n')
  const text = readFileSync(new URL('least-relay.cjs', import.meta.url), 'utf8')
  const path = join(folder, 'least-relay.fcgi')
  const socket = join(sharedFolder(folder), 'app.sock')
  writeFileSync(path, `${line}\n${text.replace('HOLDER', JSON.stringify(socket))}`, { mode: 0o755 })
  return path
}

// The folder of the holder's socket, as `init htaccess` has written it into the site's .htaccess.
function sharedFolder(folder) {
  const text = readFileSync(join(folder, 'public/.htaccess'), 'utf8')
  const path = /-f '([^']*)\/app\.ready'/.exec(text)?.[1]
  if (path === undefined) throw new Error('The .htaccess has no path of app.ready.')
  return path
}

// The program that listens on the holder's socket, where Apache does not start it.
async function startHeld(kind, folder) {
  if (!['least', 'proxied C', 'proxied loop'].includes(kind)) return undefined
  const shared = sharedFolder(folder)
  const socket = join(shared, 'app.sock')
  const node = [process.execPath, '--max-semi-space-size=1']
  const spawnFcgi = ['spawn-fcgi', '-n', '-s', socket, '--']
  const commands = {
    least: [
      ...[...node, '--conditions=published', CLI, 'serve', join(folder, 'app/app.js')],
      ...['--shared', shared],
    ],
    'proxied C': [...spawnFcgi, join(folder, 'app/program')],
    'proxied loop': [...spawnFcgi, ...node, join(folder, 'app/least-app.cjs')],
  }
  if (kind !== 'least') {
    mkdirSync(shared, { recursive: true })
    chmodSync(shared, 0o777)
    copyFileSync(compileProgram(), join(folder, 'app/program'))
    copyFileSync(new URL('least-app.cjs', import.meta.url), join(folder, 'app/least-app.cjs'))
    // The .htaccess finds the app running.
    writeFileSync(join(shared, 'app.ready'), '')
  }
  const [file, ...args] = asApache(commands[kind])
  const env = { PATH: process.env.PATH, NODE_ENV: 'production' }
  const held = spawn(file, args, { stdio: ['ignore', 'ignore', 'inherit'], env })
  while (!existsSync(socket)) await setTimeout(20)
  return held
}

function compileProgram() {
  return compile(fileURLToPath(new URL('program.c', import.meta.url)), ['-lfcgi'])
}

function apacheConfig(folder, port, kind, modules, settings) {
  const loaded = ['mpm_event', 'authz_core', 'setenvif', 'env', 'mime', 'alias', 'rewrite', ...modules]
  const isPassenger = kind === 'Passenger'
  const fcgid = Object.entries({ ...SETTINGS, ...settings }).map(([name, value]) => `${name} ${value}`)
  const server = isPassenger
    ? `PassengerRoot /usr/lib/ruby/vendor_ruby/phusion_passenger/locations.ini
PassengerInstanceRegistryDir ${folder}
PassengerMaxPoolSize 1
PassengerUserSwitching off
PassengerNodejs ${process.execPath}
PassengerDisableSecurityUpdateCheck on
${Object.entries(settings)
  .map(([name, value]) => `${name} ${value}`)
  .join('\n')}`
    : `FcgidIPCDir ${folder}\nFcgidProcessTableFile ${folder}/fcgid.shm\n${fcgid.join('\n')}`
  return `ServerRoot ${folder}
ServerName bench.test
PidFile ${folder}/apache.pid
ErrorLog ${folder}/error.log
TypesConfig /dev/null
Mutex pthread default
${loaded.map((each) => `LoadModule ${each}_module ${MODULES}/mod_${each}.so`).join('\n')}
StartServers 2
MinSpareThreads 1
MaxSpareThreads 512
ServerLimit 2
ThreadLimit 128
ThreadsPerChild 128
MaxRequestWorkers 256
MaxKeepAliveRequests 0
KeepAliveTimeout 60
Listen 127.0.0.1:${port}
${server}
<VirtualHost 127.0.0.1:${port}>
  DocumentRoot ${folder}/public
  ${isPassenger ? `PassengerAppRoot ${folder}/app\nPassengerAppType node\nPassengerStartupFile app.js` : ''}
  <Directory ${folder}/public>
    Require all granted
    AllowOverride FileInfo Options
  </Directory>
</VirtualHost>
`
}

/** The words of a command that runs as Apache's user if this process is root's: Apache does not serve as root. */
export function asApache(command) {
  if (process.getuid?.() !== 0) return command
  const user = [
    '--reuid=www-data',
    '--regid=www-data',
    '--clear-groups',
    '--inh-caps=+dac_override',
    '--ambient-caps=+dac_override',
  ]
  return ['setpriv', ...user, '--', ...command]
}

/** Stops Apache, and waits until the app has ended. */
export async function stopSite({ apache, held, folder, agent }) {
  agent.destroy()
  await endChild(apache)
  if (held !== undefined) await endChild(held)
  while (appsIn(folder).length > 0) await setTimeout(100)
  rmSync(folder, { recursive: true, force: true })
}
