import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadModule } from './load-module.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync('/tmp/fcgi-bridge-')
})
afterEach(() => rmSync(folder, { recursive: true }))

/** The message of the error for a module whose import fails with `error`. */
async function message(error: unknown): Promise<string> {
  const failure = await loadModule('/srv/app.js', () => Promise.reject(error)).catch(
    (reason: unknown) => reason,
  )
  return (failure as Error).message
}

function missing(text: string, code = 'ERR_MODULE_NOT_FOUND'): Error {
  return Object.assign(new Error(text), { code })
}

test('a missing package: install it', async () => {
  for (const error of [
    missing("Cannot find package 'express' imported from /srv/app.js"),
    missing("Cannot find module 'express'\nRequire stack:\n- /srv/app.js", 'MODULE_NOT_FOUND'),
  ]) {
    expect(await message(error)).toMatch(/run `npm install` in the folder of the app\.$/)
  }
})

test('a missing file: check its path and its extension', async () => {
  for (const error of [
    missing("Cannot find module '/srv/routes' imported from /srv/app.js"),
    missing("Cannot find module './routes'\nRequire stack:\n- /srv/app.js", 'MODULE_NOT_FOUND'),
  ]) {
    const text = await message(error)
    expect(text).toMatch(/Check the path in the import\. An ES module must name the file with its extension/)
    expect(text).not.toContain('npm install')
  }
})

test.each([
  [
    'module.exports in an ES module',
    'export default 1; module.exports = 1',
    '.mjs',
    'Write `export default app`',
  ],
  ['require in an ES module', "require('node:fs')", '.mjs', 'in place of `require()`'],
  ['__dirname in an ES module', 'export default __dirname', '.mjs', 'Write `import.meta.dirname`'],
  ['import in a CommonJS module', "import 'node:fs'", '.cjs', 'Rename it to .mjs'],
  ['export in a CommonJS module', 'export default 1', '.cjs', 'Rename it to .mjs'],
])('%s: the error says what to write', async (_, source, extension, advice) => {
  const file = join(folder, `app${extension}`)
  writeFileSync(file, source)
  // Imported by Node, because vitest transforms the modules that it imports itself.
  const importer = join(folder, 'importer.mjs')
  writeFileSync(
    importer,
    `import(${JSON.stringify(file)}).catch(({ name, message }) => console.log(JSON.stringify({ name, message })))`,
  )
  const { stdout } = spawnSync(process.execPath, [importer], { encoding: 'utf8' })
  const thrown = JSON.parse(stdout) as { name: string; message: string }
  const error =
    thrown.name === 'ReferenceError' ? new ReferenceError(thrown.message) : new SyntaxError(thrown.message)
  error.stack = `${file}:1\n${error.stack}`
  expect(await message(error)).toContain(advice)
})
