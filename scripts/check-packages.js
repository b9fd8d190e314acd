// Packs every package as it would be published, and lets publint and @arethetypeswrong/cli look at the result.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bin, main, UserError } from './lib/run.js'
import { pnpm, setup } from './setup.js'

/** Returns whether every package holds what it promises, and prints what does not. */
export function checkPackages() {
  const folder = mkdtempSync(join(tmpdir(), 'fcgi-bridge-'))
  try {
    pack(folder)
    const files = readdirSync(folder).map((name) => join(folder, name))
    // The packages are ES modules, which require() loads too in every Node that is supported.
    const attw = [bin('@arethetypeswrong/cli', 'dist/index.js'), '--profile', 'esm-only', '--format', 'ascii']
    const publint = [bin('publint', 'src/cli.js'), 'run', '--strict']
    return files.flatMap((file) => [holds(attw, file), holds(publint, file)]).every(Boolean)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Runs a tool on a package; what it prints is shown only if it finds something. */
function holds(tool, file) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...tool, file], { encoding: 'utf8' })
  if (status !== 0) console.log(stdout + stderr)
  return status === 0
}

/** Packs every public package into `folder`, as `npm publish` would send it. */
export function pack(folder) {
  const args = [
    '--recursive',
    '--filter',
    './packages/*',
    '--filter',
    '!@fcgi-bridge/testing',
    'pack',
    '--pack-destination',
    folder,
  ]
  if (!pnpm(args, { stdio: ['ignore', 'ignore', 'inherit'] }))
    throw new UserError('Packing the packages failed.')
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(() => {
    setup()
    if (!checkPackages()) throw new UserError('A package does not hold what it promises: see above.')
  })
}
