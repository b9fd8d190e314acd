// Packs every package as it would be published, and lets publint and @arethetypeswrong/cli look at the result.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bin, main, run, UserError } from './lib/run.js'
import { pnpm, setup } from './setup.js'

/** Returns whether every package holds what it promises, and prints what does not. */
export function checkPackages() {
  const folder = mkdtempSync(join(tmpdir(), 'fcgi-bridge-'))
  try {
    pack(folder)
    const files = readdirSync(folder).map((name) => join(folder, name))
    // The packages are ES modules; require() of them is Node's own.
    const attw = [
      bin('@arethetypeswrong/cli', 'dist/index.js'),
      '--profile',
      'esm-only',
      '--format',
      'ascii',
      '--quiet',
    ]
    const publint = [bin('publint', 'src/cli.js'), 'run', '--strict']
    const bad = files.filter((file) =>
      [attw, publint].some((tool) => !run(process.execPath, [...tool, file])),
    )
    return bad.length === 0
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Packs every package into `folder`, as `npm publish` would send it. */
export function pack(folder) {
  const args = ['--recursive', '--filter', './packages/*', 'pack', '--pack-destination', folder]
  if (!pnpm(args, { stdio: ['ignore', 'ignore', 'inherit'] }))
    throw new UserError('Packing the packages failed.')
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(() => {
    setup()
    if (!checkPackages()) throw new UserError('A package does not hold what it promises: see above.')
  })
}
