import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createServer } from '../server/server.ts'

const require = createRequire(import.meta.url)
let folder: string

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'fcgi-bridge-')))
  mkdirSync(join(folder, 'store'))
  for (const name of ['first.cjs', 'later.cjs']) {
    writeFileSync(join(folder, 'store', name), 'module.exports = __filename')
  }
  symlinkSync('store', join(folder, 'package'))
})

afterEach(() => rmSync(folder, { recursive: true }))

// nodejs/node#51142 affects Node 20 and 22, as soon as the loader has cached a folder of the path.
it('leaves links resolvable for the modules that the app loads later', async () => {
  expect(require(join(folder, 'store', 'first.cjs'))).toBe(join(folder, 'store', 'first.cjs'))
  await using server = createServer(() => {})
  await server.listen({ path: join(folder, 'app.sock') })
  expect(require(join(folder, 'package', 'later.cjs'))).toBe(join(folder, 'store', 'later.cjs'))
})
