import { chmodSync, readFileSync, symlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Site } from '../tests/support/fronts/site.ts'
import {
  replacePlaces,
  send,
  startLighttpdSite,
  startNginxSite,
  startProgram,
  startVirtualHost,
} from './testing/fronts.ts'

// The code blocks that a new user copies from the README, unchanged.
const blocks = readBlocks(readFileSync(new URL('../README.md', import.meta.url), 'utf8'))
const expressServer = findBlock('js', "from 'express'")
const fetchApp = findBlock('js', 'async fetch(')
const fetchServer = findBlock('js', "from '@fcgi-bridge/fetch-adapter'")
const launcher = findBlock('js', '#!/usr/bin/env node')
const virtualHost = findBlock('apache', 'ScriptAlias "/"')
const htaccess = findBlock('apache', 'AddHandler fcgid-script')
const nginxConfig = findBlock('nginx', 'fastcgi_pass app;')
const lighttpdConfig = findBlock('lighttpd', 'mod_fastcgi')
const RESPONSE = { status: 200, body: 'Hello 127.0.0.1, this is example.com\n' }

let site: Site
beforeEach(() => {
  site = new Site()
})
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') console.error(site.report())
  await site.stop()
})

describe.each([
  ['express', { 'server.mjs': expressServer }],
  ['fetch', { 'app.mjs': fetchApp, 'server.mjs': fetchServer }],
])('the README, with its %s app', (example, files) => {
  beforeEach(() => {
    writeApp(example)
    for (const [name, text] of Object.entries(files)) site.write(`app/${name}`, text)
    writeExecutable('app/app.fcgi', launcher)
  })

  it('responds behind Apache mod_fcgid', async () => {
    const config = replacePlaces(virtualHost, [['/srv/app', site.path('app')]])
    expect(await send(await startVirtualHost(site, ['fcgid'], config), 'GET', '/')).toEqual(RESPONSE)
  })

  it('responds behind Apache mod_fcgid configured by an .htaccess only', async () => {
    site.write('app/.htaccess', htaccess)
    const config = `<VirtualHost *:80>
      DocumentRoot "${site.path('app')}"
      <Directory "${site.path('app')}">
        AllowOverride All
        Require all granted
      </Directory>
    </VirtualHost>`
    expect(await send(await startVirtualHost(site, ['fcgid'], config), 'GET', '/')).toEqual(RESPONSE)
  })

  it('responds behind nginx', async () => {
    const address = await startProgram(site, site.path('app/server.mjs'), 'tcp')
    const config = replacePlaces(nginxConfig, [['127.0.0.1:9000', address]])
    expect(await send(await startNginxSite(site, config), 'GET', '/')).toEqual(RESPONSE)
  })

  it('responds behind lighttpd', async () => {
    expect(await send(await startLighttpdSite(site, placeLighttpdConfig()), 'GET', '/')).toEqual(RESPONSE)
  })

  it('responds through a link in a project of ES modules', async () => {
    site.write('app/package.json', '{ "type": "module" }')
    writeExecutable('app/start.js', launcher.replaceAll('__dirname', 'import.meta.dirname'))
    symlinkSync('start.js', site.path('app/linked.fcgi'))
    const config = replacePlaces(placeLighttpdConfig(), [['app/app.fcgi', 'app/linked.fcgi']])
    expect(await send(await startLighttpdSite(site, config), 'GET', '/')).toEqual(RESPONSE)
  })
})

describe("the README's Express app behind Apache mod_fcgid", () => {
  const route = `app.get('/fail', () => { throw new Error('secret detail of ' + process.cwd()) })
    app.get('/cwd', (req, res) => res.send(process.cwd()))\n`

  beforeEach(() => {
    writeApp('express')
    site.write('app/server.mjs', expressServer.replace('serve(app)', `${route}serve(app)`))
  })

  it('sends the client no detail of an error', async () => {
    writeExecutable('app/app.fcgi', launcher)
    const config = replacePlaces(virtualHost, [['/srv/app', site.path('app')]])
    const port = await startVirtualHost(site, ['fcgid'], config)
    const { status, body } = await send(port, 'GET', '/fail')
    expect(status).toBe(500)
    expect(body).toContain('Internal Server Error')
    expect(body).not.toMatch(/secret detail|server\.mjs| at /)
    expect((await send(port, 'GET', '/cwd')).body).toBe(site.path('app'))
  })

  it('runs in its own folder, outside of the public folder', async () => {
    site.makeFolder('public')
    site.write('public/.htaccess', htaccess)
    const outside = launcher
      .replace('__dirname', JSON.stringify(site.path('app')))
      .replace('./server.mjs', site.path('app/server.mjs'))
    writeExecutable('public/app.fcgi', outside)
    const config = `<VirtualHost *:80>
      DocumentRoot "${site.path('public')}"
      <Directory "${site.path('public')}">
        AllowOverride All
        Require all granted
      </Directory>
    </VirtualHost>`
    const port = await startVirtualHost(site, ['fcgid'], config)
    expect((await send(port, 'GET', '/cwd')).body).toBe(site.path('app'))
    expect((await send(port, 'GET', '/fail')).body).not.toMatch(/secret detail/)
  })
})

/** Creates the app's folder, with the packages that the README's `npm install` would install. */
function writeApp(example: string): void {
  site.makeFolder('app')
  symlinkSync(
    fileURLToPath(new URL(`${example}/node_modules`, import.meta.url)),
    site.path('app/node_modules'),
  )
}

function placeLighttpdConfig(): string {
  return replacePlaces(lighttpdConfig, [
    ['/srv/app', site.path('app')],
    ['/run/lighttpd/app.sock', site.path('spawned.sock')],
  ])
}

function writeExecutable(name: string, text: string): void {
  chmodSync(site.write(name, text), 0o755)
}

/** Finds the only code block in `language` that contains `text`. */
function findBlock(language: string, text: string): string {
  const found = blocks[language]?.filter((block) => block.includes(text)) ?? []
  if (found.length !== 1) throw new Error(`${found.length} ${language} blocks of README.md contain: ${text}`)
  return found[0]!
}

/** The fenced code blocks of a Markdown text by language, including those in lists. */
function readBlocks(markdown: string): Record<string, string[]> {
  const blocks: Record<string, string[]> = {}
  for (const [, language, text] of markdown.matchAll(/^ *```(\w+)\n(.*?)^ *```$/gms)) {
    blocks[language!] = [...(blocks[language!] ?? []), text!]
  }
  return blocks
}
