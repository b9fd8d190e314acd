// Packs every package as `npm publish` would, and checks the result with publint and @arethetypeswrong/cli.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bin, main, UserError } from './lib/run.js'
import { pnpm, setup } from './setup.js'

/** Returns whether every package passes both tools, and prints what they report. */
function checkPackages() {
  const folder = mkdtempSync(join(tmpdir(), 'fcgi-bridge-'))
  try {
    pack(folder)
    const files = readdirSync(folder).map((name) => join(folder, name))
    // The packages are ES modules. require() loads them as well in every supported Node.
    const attw = [bin('@arethetypeswrong/cli', 'dist/index.js'), '--profile', 'esm-only', '--format', 'ascii']
    const publint = [bin('publint', 'src/cli.js'), 'run', '--strict']
    return files.flatMap((file) => [passes(attw, file), passes(publint, file)]).every(Boolean)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Runs a tool on a package. Prints the tool's output only if it fails. */
function passes(tool, file) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...tool, file], { encoding: 'utf8' })
  if (status !== 0) console.log(stdout + stderr)
  return status === 0
}

/** Packs every public package into `folder`, as `npm publish` would. */
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
    if (!checkPackages()) throw new UserError('A package has faults: see above.')
  })
}
