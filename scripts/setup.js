// Brings a fresh clone to where everything runs: dependencies from the lockfile, then the build. With nothing
// to do it prints nothing and takes well under a second, so every other command can begin with it.

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { bin, main, root, run, UserError } from './lib/run.js'

const NODE_FLOOR = [20, 19]
// A fresh machine has npm and not pnpm. This one is pinned so that everybody reads the lockfile alike.
const PNPM = 'pnpm@10.34.8'
// Inside node_modules, so that it goes when they go.
const STAMP = `${root}node_modules/.setup-stamp`

/** Installs and builds what is missing or out of date. */
export function setup() {
  checkNode()
  install()
  if (!run(process.execPath, [bin('typescript', 'bin/tsc'), '-b'])) throw new UserError('The build failed.')
}

/** Runs the pinned pnpm through npx, and returns whether it succeeded. */
export function pnpm(args, options) {
  // With CI set pnpm asks nothing, and so works without a terminal too.
  const env = { ...process.env, CI: 'true' }
  return run('npx', ['--yes', PNPM, ...args], { env, ...options })
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  const [floorMajor, floorMinor] = NODE_FLOOR
  if (major > floorMajor || (major === floorMajor && minor >= floorMinor)) return
  throw new UserError(
    `Node ${NODE_FLOOR.join('.')} or later is needed, and this is ${process.version}. Install a newer one from https://nodejs.org and run this again.`,
  )
}

function install() {
  const wanted = fingerprint()
  if (readIfThere(STAMP) === wanted) return
  console.log('Installing the dependencies…')
  if (!pnpm(['install', '--frozen-lockfile'])) {
    throw new UserError(
      'Installing the dependencies failed: see above. Nothing else was changed; run this again.',
    )
  }
  writeFileSync(STAMP, wanted)
}

/** What decides which packages are installed: the lockfile and every package.json. Times lie after a checkout. */
function fingerprint() {
  const hash = createHash('sha256')
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
  for (const file of files) hash.update(`${file}\0${readIfThere(root + file) ?? ''}\0`)
  return hash.digest('hex')
}

function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw error
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) main(setup)
