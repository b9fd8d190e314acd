// Sets up a fresh clone: installs the dependencies from the lockfile, then builds and bundles. If there is nothing to do, it prints nothing
// and takes well under a second, so every other script runs it first.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bin, main, root, run, UserError } from './lib/run.js'

const NODE_FLOOR = [20, 19]
// A fresh machine has npm but not pnpm. The version is pinned because versions of pnpm read the lockfile differently.
const PNPM = 'pnpm@10.34.8'
// Inside node_modules, so that it is deleted with them.
const STAMP = `${root}node_modules/.setup-stamp`
const BUNDLE_STAMP = `${root}node_modules/.bundle-stamp`
// The command that pnpm links for the examples. It warns if the file does not exist yet.
const COMMAND = `${root}packages/cli/dist/main.js`

/** Installs and builds whatever is missing or out of date. */
export function setup() {
  checkNode()
  install()
  if (!run(process.execPath, [bin('typescript', 'bin/tsc'), '-b'])) throw new UserError('The build failed.')
  bundle()
}

/** Runs the pinned pnpm through npx, and returns whether it succeeded. */
export function pnpm(args, options) {
  // With CI set, pnpm asks no questions, so it works without a terminal.
  const env = { ...process.env, CI: 'true' }
  return run('npx', ['--yes', PNPM, ...args], { env, ...options })
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  const [floorMajor, floorMinor] = NODE_FLOOR
  if (major > floorMajor || (major === floorMajor && minor >= floorMinor)) return
  throw new UserError(
    `This is Node ${process.version}, and Node ${NODE_FLOOR.join('.')} or later is needed. Install a newer one from https://nodejs.org and run this again.`,
  )
}

function install() {
  const current = fingerprint()
  if (readIfExists(STAMP) === current) return
  console.log('Installing the dependencies…')
  if (!existsSync(COMMAND)) {
    mkdirSync(dirname(COMMAND), { recursive: true })
    writeFileSync(COMMAND, '')
  }
  if (!pnpm(['install', '--frozen-lockfile'])) {
    throw new UserError(
      'Installing the dependencies failed: see above. Nothing else was changed. Fix the problem and run this again.',
    )
  }
  writeFileSync(STAMP, current)
}

/** Bundles the packages, unless their sources are those of the last bundles. */
function bundle() {
  const current = bundleFingerprint()
  if (readIfExists(BUNDLE_STAMP) === current && existsSync(`${root}packages/cli/dist/bundle/main.js`)) return
  if (!run(process.execPath, [`${root}scripts/bundle.js`]))
    throw new UserError('Bundling the packages failed.')
  writeFileSync(BUNDLE_STAMP, current)
}

/** A hash of all files that determine the bundles. */
function bundleFingerprint() {
  const sources = readdirSync(`${root}packages`).flatMap((name) => {
    const folder = `packages/${name}`
    const names = readdirSync(`${root}${folder}/src`, { recursive: true, encoding: 'utf8' })
    const isSource = (file) => file.endsWith('.ts') && !file.endsWith('.test.ts')
    return [`${folder}/package.json`, ...names.filter(isSource).map((file) => `${folder}/src/${file}`)]
  })
  return hashOf(['pnpm-lock.yaml', 'scripts/bundle.js', ...sources.sort()])
}

/** A hash of all files that determine the installed packages. A checkout changes modification times, so they are not compared. */
function fingerprint() {
  const files = [
    'pnpm-lock.yaml',
    'pnpm-workspace.yaml',
    'package.json',
    'bench/package.json',
    'scripts/package.json',
    'tests/package.json',
  ]
  for (const folder of ['packages', 'examples']) {
    for (const name of readdirSync(root + folder).sort()) files.push(`${folder}/${name}/package.json`)
  }
  return hashOf(files)
}

/** A hash of the names and the contents of files in the repository. */
function hashOf(files) {
  const hash = createHash('sha256')
  for (const file of files) hash.update(`${file}\0${readIfExists(root + file) ?? ''}\0`)
  return hash.digest('hex')
}

function readIfExists(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw error
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) main(setup)
