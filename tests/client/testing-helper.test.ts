// `gatewayFor` of fcgi-bridge/testing as a user installs it: the published packages in a separate folder, in Vitest and in Jest.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import { pack } from '../../scripts/check-packages.js'
import type { Exit } from '../support/fronts/program.ts'
import { Site } from '../support/fronts/site.ts'

const here = createRequire(import.meta.url)
const ofCommandLine = createRequire(new URL('../../packages/cli/package.json', import.meta.url))
const ofClient = createRequire(new URL('../../packages/client/package.json', import.meta.url))
const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
const NODE_24 = fileURLToPath(new URL('../../scripts/node_modules/node24/bin/node', import.meta.url))

// Vitest and Jest start slowly.
const TIMEOUT = 120_000

const EXPRESS_TEST = `
test('an Express app', async () => {
  const app = express()
  app.get('/cart', (req, res) => res.json({ ip: req.ip, secure: req.secure, user: req.fcgi.params.REMOTE_USER, at: req.baseUrl + req.path }))
  app.post('/up', express.text(), (req, res) => res.send(req.body.toUpperCase()))
  app.get('/fail', () => { throw new Error('the app failed') })
  const gateway = gatewayFor(app, { params: { HTTPS: 'on', REMOTE_USER: 'ann' }, onStderr: () => {} })
  await supertest(gateway).get('/cart').expect(200, { ip: '127.0.0.1', secure: true, user: 'ann', at: '/cart' })
  await supertest(gateway).post('/up').type('text/plain').send('hello').expect(200, 'HELLO')
  await supertest(gateway).get('/fail').expect(500)
  await supertest(gatewayFor(app, { mount: '/shop' })).get('/shop/cart').expect(200, /"at":"\\/shop\\/cart"/)
})`

const HONO_TEST = `
test('a Hono app', async () => {
  const app = new Hono()
  app.get('/hello/:name', (c) => c.text('hello ' + c.req.param('name')))
  await supertest(gatewayFor(app)).get('/hello/ann').expect(200, 'hello ann')
  const agent = supertest.agent(gatewayFor(app.fetch, { as: 'fetch' }))
  await agent.get('/hello/bob').expect(200, 'hello bob')
  await agent.get('/none').expect(404)
})
test('a server that listens until it is closed', async () => {
  const server = gatewayFor((request) => new Response(new URL(request.url).pathname)).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const response = await fetch('http://127.0.0.1:' + server.address().port + '/a', { headers: { connection: 'close' } })
  if ((await response.text()) !== '/a') throw new Error('wrong response')
  await new Promise((resolve) => server.close(resolve))
})`

let site: Site

beforeAll(async () => {
  site = new Site()
  install(site)
}, TIMEOUT)

afterAll(() => site.stop())

describe('Vitest', { timeout: TIMEOUT }, () => {
  test('an Express app and a Hono app', async () => {
    const imports = `
      import { gatewayFor } from 'fcgi-bridge/testing'
      import express from 'express'
      import { Hono } from 'hono'
      import supertest from 'supertest'
      import { test } from 'vitest'`
    site.makeFolder('vitest')
    site.write('vitest/app.test.mjs', `${imports}${EXPRESS_TEST}${HONO_TEST}`)
    const { exit, output } = await run(process.execPath, ['vitest/vitest.mjs', 'run'], 'vitest')
    expect(output).toMatch(/Tests +3 passed/)
    expect(output).not.toMatch(/close timed out|hanging/)
    expect(exit).toEqual({ code: 0, signal: null })
  })

  test("the README's test passes with the README's app", async () => {
    const blocks = [...README.matchAll(/^```js\n(.*?)^```$/gms)].map(([, text]) => text!)
    site.makeFolder('readme')
    site.write('readme/app.mjs', blocks.find((text) => text.includes('export default {'))!)
    site.write('readme/app.test.mjs', blocks.find((text) => text.includes('fcgi-bridge/testing'))!)
    const { exit, output } = await run(process.execPath, ['vitest/vitest.mjs', 'run'], 'readme')
    expect(output).toMatch(/Tests +1 passed/)
    expect(exit).toEqual({ code: 0, signal: null })
  })
})

describe('Jest, with --experimental-vm-modules', { timeout: TIMEOUT }, () => {
  test('in ES modules', async () => {
    const imports = `
      import { gatewayFor } from 'fcgi-bridge/testing'
      import express from 'express'
      import { Hono } from 'hono'
      import supertest from 'supertest'`
    await runJest('jest-modules', 'app.test.mjs', `${imports}${EXPRESS_TEST}${HONO_TEST}`)
  })

  test('in CommonJS, with import()', async () => {
    const imports = `
      const express = require('express')
      const { Hono } = require('hono')
      const supertest = require('supertest')
      let gatewayFor
      beforeAll(async () => {
        ({ gatewayFor } = await import('fcgi-bridge/testing'))
      })`
    await runJest('jest-commonjs', 'app.test.cjs', `${imports}${EXPRESS_TEST}${HONO_TEST}`)
  })

  test('in CommonJS, with require(), under Node 24', async () => {
    const imports = `
      const { gatewayFor } = require('fcgi-bridge/testing')
      const express = require('express')
      const { Hono } = require('hono')
      const supertest = require('supertest')`
    await runJest('jest-require', 'app.test.cjs', `${imports}${EXPRESS_TEST}${HONO_TEST}`, NODE_24)
  })
})

async function runJest(folder: string, name: string, text: string, node = process.execPath): Promise<void> {
  site.makeFolder(folder)
  site.write(`${folder}/package.json`, '{ "jest": { "testEnvironment": "node" } }')
  site.write(`${folder}/${name}`, text)
  const args = [
    'jest/bin/jest.js',
    '--ci',
    '--cacheDirectory',
    site.path('jest-cache'),
    '--detectOpenHandles',
  ]
  const { exit, output } = await run(node, args, folder, { NODE_OPTIONS: '--experimental-vm-modules' })
  expect(output).toMatch(/Tests: +3 passed, 3 total/)
  expect(output).not.toMatch(/did not exit|open handle/)
  expect(exit).toEqual({ code: 0, signal: null })
}

/** Runs a program of node_modules in a folder of the site, and waits until it exits. */
async function run(
  node: string,
  [file, ...args]: string[],
  folder: string,
  variables: Record<string, string> = {},
): Promise<{ exit: Exit; output: string }> {
  const { NODE_OPTIONS: _, VITEST: __, ...env } = process.env
  const program = site.start(node, [site.path('node_modules', file!), ...args], {
    cwd: site.path(folder),
    env: { ...env, NO_COLOR: '1', ...variables },
  })
  onTestFailed(() => console.error(program.output))
  const exit = await program.exited
  return { exit, output: program.output }
}

/** Creates the node_modules that `npm install fcgi-bridge express hono supertest vitest jest` would create. */
function install(site: Site): void {
  const tarballs = site.makeFolder('tarballs')
  pack(tarballs)
  for (const file of readdirSync(tarballs)) {
    const name = file.replace(/-\d+\.\d+\.\d+\.tgz$/, '').replace(/^fcgi-bridge-(?=.)/, '@fcgi-bridge/')
    const folder = site.makeFolder('node_modules', name)
    execFileSync('tar', ['-xzf', site.path('tarballs', file), '-C', folder, '--strip-components=1'])
  }
  for (const name of ['express', 'hono', 'supertest', 'jest']) link(site, name, here)
  link(site, 'vitest', createRequire(new URL('../../package.json', import.meta.url)))
  for (const name of ['commander', 'chokidar']) link(site, name, ofCommandLine)
  link(site, 'undici', ofClient)
}

function link(site: Site, name: string, from: NodeJS.Require): void {
  const paths = from.resolve.paths(name)!
  const found = paths.map((path) => `${path}/${name}`).find((path) => existsSync(path))
  const at = site.path('node_modules', name)
  mkdirSync(dirname(at), { recursive: true })
  symlinkSync(realpathSync(found!), at)
}
