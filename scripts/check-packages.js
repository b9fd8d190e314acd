// Packs every package as `npm publish` would, and checks the result with publint and @arethetypeswrong/cli.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bin, main, runQuietly, UserError } from './lib/run.js'
import { pnpm, setup } from './setup.js'

/** Resolves with whether every package passes both tools, and prints what they report. */
async function checkPackages() {
  const folder = mkdtempSync(join(tmpdir(), 'fcgi-bridge-'))
  try {
    pack(folder)
    const files = readdirSync(folder).map((name) => join(folder, name))
    // The packages are ES modules. require() loads them as well in every supported Node.
    const attw = [bin('@arethetypeswrong/cli', 'dist/index.js'), '--profile', 'esm-only', '--format', 'ascii']
    const publint = [bin('publint', 'src/cli.js'), 'run', '--strict']
    const passed = await Promise.all([attw, publint].map((tool) => allPass(tool, files)))
    return passed.every(Boolean)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Runs a tool on each package. Prints the tool's output only if it fails. @param {string[]} tool @param {string[]} files */
async function allPass(tool, files) {
  const [script = '', ...args] = tool
  const passed = []
  for (const file of files) passed.push(await runQuietly(script, ...args, file))
  return passed.every(Boolean)
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
  await main(async () => {
    setup()
    if (!(await checkPackages())) throw new UserError('A package has faults: see above.')
  })
}
