// Programs that esbuild has bundled, in a folder without node_modules, as they are deployed.
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { FastCgiDispatcher } from '@fcgi-bridge/client'
import { build } from 'esbuild'
import { request } from 'undici'
import { expect, test } from 'vitest'
import { installCommandLine } from '../support/fronts/command-line.ts'
import { accepting } from '../support/fronts/ports.ts'
import type { Program } from '../support/fronts/program.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'

const REGISTER = fileURLToPath(new URL('../../packages/cli/dist/register.js', import.meta.url))

let site: Site

siteForEachTest((each) => {
  site = each
  mkdirSync(site.path('deployed'))
})

/** Programs before they are bundled. */
const SOURCES = {
  'a program that listens': `
    import express from 'express'
    const app = express()
    app.get('/', (request, response) => response.send('bundled'))
    app.listen(3000)`,
  'a program that calls serve() of the Express adapter': `
    import express from 'express'
    import { serve } from '@fcgi-bridge/express-adapter'
    const app = express()
    app.get('/', (request, response) => response.send('bundled'))
    serve(app)`,
  'a program with createServer() of the Express adapter': `
    import { createServer } from '@fcgi-bridge/express-adapter'
    createServer((request, response) => response.end('bundled')).listen()`,
  'a program that calls serve() of the fetch adapter': `
    import { serve } from '@fcgi-bridge/fetch-adapter'
    serve({ fetch: () => new Response('bundled') })`,
  'a module that exports an app': `
    import express from 'express'
    const app = express()
    app.get('/', (request, response) => response.send('bundled'))
    export default app`,
}

async function bundle(source: string, format: 'cjs' | 'esm'): Promise<string> {
  const outfile = site.path(`deployed/server.${format === 'cjs' ? 'cjs' : 'mjs'}`)
  await build({
    stdin: { contents: source, resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
    bundle: true,
    platform: 'node',
    format,
    outfile,
    logLevel: 'silent',
    // As esbuild's documentation says: CommonJS packages in an ES module call require().
    ...(format === 'esm' && {
      banner: {
        js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)",
      },
    }),
  })
  return outfile
}

async function responseOf(program: Program): Promise<string> {
  expect(await accepting({ path: site.path('app.sock') }, () => !program.running)).toBe(true)
  const dispatcher = new FastCgiDispatcher({ path: site.path('app.sock') })
  const { body } = await request('http://test/', { dispatcher })
  const text = await body.text()
  await dispatcher.close()
  return text
}

const cases = Object.keys(SOURCES).flatMap((name) =>
  (['cjs', 'esm'] as const).map((format) => [name, format] as const),
)

test.each(cases)('%s, as %s', async (name, format) => {
  const file = await bundle(SOURCES[name as keyof typeof SOURCES], format)
  const env = { PATH: process.env.PATH!, FCGI_BRIDGE_LISTEN: site.path('app.sock') }
  const options = { cwd: site.path('deployed'), env }
  const commands = [
    [`${installCommandLine(site)}/fcgi-bridge`, 'serve', file],
    ...(name.includes('exports') ? [] : [[process.execPath, '--import', REGISTER, file]]),
    ...(name.includes('adapter') ? [[process.execPath, file]] : []),
  ]
  for (const [command, ...args] of commands) {
    const program = site.start(command!, args, options)
    expect(await responseOf(program)).toBe('bundled')
    expect(await program.stop()).toEqual({ code: 0, signal: null })
  }
})
