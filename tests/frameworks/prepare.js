// Installs and builds the projects of projects.js. Each is in a folder of the cache whose name contains a hash of everything that
// determines it, so it is made once. All checkouts share it.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  cpSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { binary, NEWEST } from '../../scripts/lib/nodes.js'
import { AS_OF, PROJECTS } from './projects.js'

// The user of a front server that root starts must be able to read it.
const CACHE =
  process.getuid?.() === 0
    ? '/var/cache/fcgi-bridge/frameworks'
    : join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'fcgi-bridge/frameworks')
const SOURCES = fileURLToPath(new URL('projects', import.meta.url))
// Two projects at a time: a build uses more than one core.
const BUILDERS = 2
const INSTALL = [
  'install',
  `--before=${AS_OF}`,
  '--ignore-scripts',
  '--no-audit',
  '--no-fund',
  '--no-package-lock',
]

/** Returns the path of the Node that runs a project. */
export function nodeOf(name) {
  return PROJECTS[name].newestNode ? binary(NEWEST) : process.execPath
}

/** Returns the environment in which a project is built and run: its Node comes first in PATH. */
export function environmentOf(name) {
  return { ...process.env, PATH: `${dirname(nodeOf(name))}${delimiter}${process.env.PATH}` }
}

/** Returns the folder of a project. Throws an error if it has not been installed and built. */
export function folderOf(name) {
  const folder = pathOf(name)
  if (existsSync(stampOf(folder))) return folder
  throw new Error(`The project ${name} is not built. Run: npm run test:frameworks`)
}

/**
 * Installs and builds a project, unless that has been done, and returns how long it took in seconds. Rejects with the output of a command
 * that fails.
 */
async function prepare(name) {
  const folder = pathOf(name)
  if (existsSync(stampOf(folder))) return 0
  const begin = Date.now()
  removeOthers(name)
  mkdirSync(folder, { recursive: true })
  cpSync(sourcesOf(name), folder, { recursive: true })
  const { packages, build = [], scripts = [], overrides } = PROJECTS[name]
  const manifest = { private: true, type: 'module', dependencies: packages, overrides }
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  await run(name, folder, 'npm', INSTALL)
  if (scripts.length > 0) await run(name, folder, 'npm', ['rebuild', ...scripts])
  for (const [command, ...args] of build) {
    await run(name, folder, command === 'node' ? nodeOf(name) : join('node_modules/.bin', command), args)
  }
  writeFileSync(stampOf(folder), '')
  return Math.round((Date.now() - begin) / 1000)
}

/**
 * Installs and builds projects. Prints how long each took. Resolves with the failures, as scripts/lib/vitest.js reports those of tests.
 */
export async function prepareAll(names) {
  const failures = []
  const rest = [...names]
  const work = async () => {
    for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
      try {
        const seconds = await prepare(name)
        console.log(seconds === 0 ? `${name} is built already.` : `Built ${name} in ${seconds} s.`)
      } catch (error) {
        console.error(`${name}: ${error.message}`)
        failures.push({ test: `The build of ${name}`, message: error.message.split('\n', 1)[0] })
      }
    }
  }
  await Promise.all(Array.from({ length: BUILDERS }, work))
  return failures
}

// Removes the earlier builds of a project, which would otherwise fill the disk.
function removeOthers(name) {
  if (!existsSync(CACHE)) return
  for (const entry of readdirSync(CACHE)) {
    if (entry.replace(/-[0-9a-f]+$/, '') === name) rmSync(join(CACHE, entry), { recursive: true })
  }
}

function pathOf(name) {
  const hash = createHash('sha256').update(JSON.stringify([AS_OF, PROJECTS[name], nodeVersion(name)]))
  for (const entry of readdirSync(sourcesOf(name), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort()) {
    hash.update(entry.slice(SOURCES.length)).update(readFileSync(entry))
  }
  return join(CACHE, `${name}-${hash.digest('hex').slice(0, 16)}`)
}

function sourcesOf(name) {
  return join(SOURCES, PROJECTS[name].sources ?? name)
}

function nodeVersion(name) {
  return PROJECTS[name].newestNode ? NEWEST : process.version
}

function stampOf(folder) {
  return join(folder, '.built')
}

async function run(name, folder, command, args) {
  const log = join(folder, 'prepare.log')
  const output = createWriteStream(log)
  await once(output, 'open')
  const env = {
    ...environmentOf(name),
    CI: 'true',
    NEXT_TELEMETRY_DISABLED: '1',
    NUXT_TELEMETRY_DISABLED: '1',
    ASTRO_TELEMETRY_DISABLED: '1',
  }
  const child = spawn(command, args, { cwd: folder, env, stdio: ['ignore', output, output] })
  const [code] = await once(child, 'close')
  output.end()
  if (code === 0) return
  throw new Error(
    `${[command, ...args].join(' ')} exited with ${code}:\n${readFileSync(log, 'utf8').slice(-4000)}`,
  )
}
