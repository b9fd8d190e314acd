// The npm client with Verdaccio as its registry: over nginx and FastCGI, and with Verdaccio's own HTTP server.

import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { freePorts } from '../../scripts/lib/free-ports.js'
import { send } from '../support/cases/http.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'
import { type Started, startBehindNginx, startHttp } from './compared.ts'
import { environmentOf, folderOf } from './prepare.js'
import type { FrameworkProgram } from './programs/program.js'
import { PROGRAMS } from './programs.js'

const NAME = 'large-package'

let site: Site

siteForEachTest((each) => {
  site = each
})

describe('npm, with Verdaccio as its registry', () => {
  test('publishes 3 MB, installs it in an empty folder and finds it', async () => {
    const [port] = await freePorts(1)
    const file = randomBytes(3_000_000)
    const http = await useRegistry(await startHttp(site, verdaccio('http'), port!), 'http', file)
    const fastCgi = await useRegistry(await startBehindNginx(site, verdaccio('fcgi'), port!), 'fcgi', file)
    expect(fastCgi).toEqual(http)
    expect(http.user).toBe('zoe')
    // npm 11 has the package's name as a key.
    expect(JSON.stringify(http.published)).toContain(`"id":"${NAME}@1.0.0"`)
    expect(http.installed).toBe(createHash('sha256').update(file).digest('hex'))
    expect(http.found).toEqual([NAME])
    expect(http.missing).toContain('E404')
    expect(http.publishedAgain).toMatch(/cannot publish over/i)
    // npm starts 14 times, which takes 77 s on a busy machine.
  }, 240_000)
})

/** Verdaccio with the configuration of its project, which keeps users and packages in a folder of the site. */
function verdaccio(name: string): FrameworkProgram {
  const program = PROGRAMS.find(({ project }) => project === 'verdaccio')!
  const folder = site.makeFolder(`registry-${name}`)
  const config = join(folder, 'config.yaml')
  writeFileSync(config, readFileSync(join(folderOf('verdaccio'), 'config.yaml')))
  return { ...program, start: program.start.map((word) => (word === 'config.yaml' ? config : word)) }
}

/** Uses the registry as a developer does, and returns what npm reports. */
async function useRegistry({ origin, program }: Started, name: string, file: Buffer) {
  const registry = `http://${origin.host}:${origin.port}/`
  const npm = npmFor(registry, name, await register(origin))
  const user = (await npm('.', 'whoami')).output.trim()
  const source = npm.folder('source')
  writeFileSync(join(source, 'package.json'), JSON.stringify({ name: NAME, version: '1.0.0' }))
  writeFileSync(join(source, 'data.bin'), file)
  const published = JSON.parse((await npm(source, 'publish', '--json')).output)
  const publishedAgain = (await npm(source, 'publish', '--json')).output
  const empty = npm.folder('empty')
  await npm(empty, 'install', NAME)
  const installed = createHash('sha256')
    .update(readFileSync(join(empty, 'node_modules', NAME, 'data.bin')))
    .digest('hex')
  const lock = readFileSync(join(empty, 'package-lock.json'), 'utf8').replaceAll(registry, 'REGISTRY/')
  const found = JSON.parse((await npm('.', 'search', 'large', '--json')).output) as { name: string }[]
  const view = JSON.parse((await npm('.', 'view', NAME, 'dist', '--json')).output)
  const missing = (await npm('.', 'view', 'missing-package', '--json')).output
  expect(program?.running).toBe(true)
  return {
    user,
    published,
    publishedAgain: publishedAgain.replaceAll(registry, 'REGISTRY/').replace(/\S+-debug-\d+\.log/g, ''),
    installed,
    lock,
    found: found.map(({ name }) => name),
    view: { ...view, tarball: view.tarball.replace(registry, 'REGISTRY/') },
    missing: missing.replaceAll(registry, 'REGISTRY/').replace(/\S+-debug-\d+\.log/g, ''),
  }
}

/** Creates a user, as `npm adduser` does. Returns the token. */
async function register(origin: Started['origin']): Promise<string> {
  const user = { name: 'zoe', password: 'a long password', email: 'zoe@example.com', type: 'user' }
  const { status, text } = await send(origin, '/-/user/org.couchdb.user:zoe', {
    method: 'PUT',
    headers: ['Content-Type', 'application/json'],
    body: JSON.stringify(user),
  })
  expect(status, text).toBe(201)
  return JSON.parse(text).token
}

/** Returns a function that runs npm in a folder. It has its own cache and no settings of this machine's user. */
function npmFor(registry: string, name: string, token: string) {
  const home = site.makeFolder(`npm-${name}`)
  const settings = join(home, '.npmrc')
  writeFileSync(settings, `registry=${registry}\n${registry.replace('http:', '')}:_authToken=${token}\n`)
  const own = { npm_config_userconfig: settings, npm_config_cache: join(home, 'cache'), HOME: home }
  // Settings of the npm that runs the tests would take precedence.
  const inherited = Object.entries(environmentOf('verdaccio')).filter(([name]) => !/^npm_/i.test(name))
  const env = { ...Object.fromEntries(inherited), ...own, NO_UPDATE_NOTIFIER: '1' }
  const run = async (folder: string, ...words: string[]) => {
    const cwd = folder === '.' ? home : folder
    const program = site.start('npm', [...words, '--loglevel=error', '--no-audit', '--no-fund'], { cwd, env })
    const { code } = await program.exited
    return { code, output: program.output }
  }
  return Object.assign(run, {
    folder: (name: string) => {
      const folder = join(home, name)
      mkdirSync(dirname(folder), { recursive: true })
      mkdirSync(folder)
      return folder
    },
  })
}
