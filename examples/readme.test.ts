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

// What a new user pastes from the README, as it stands there.
const blocks = readBlocks(readFileSync(new URL('../README.md', import.meta.url), 'utf8'))
const [expressServer, fetchApp, fetchServer, shim] = blocks.js!
const [virtualHost, htaccess] = blocks.apache!
const ANSWER = { status: 200, body: 'Hello 127.0.0.1, this is example.com\n' }

let site: Site
beforeEach(() => {
  site = new Site()
})
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') console.error(site.report())
  await site.stop()
})

describe.each([
  ['express', { 'server.mjs': expressServer! }],
  ['fetch', { 'app.mjs': fetchApp!, 'server.mjs': fetchServer! }],
])('the README, with its %s app', (example, files) => {
  beforeEach(() => {
    writeApp(example)
    for (const [name, text] of Object.entries(files)) site.write(`app/${name}`, text)
    writeExecutable('app/app.fcgi', shim!)
  })

  it('answers behind Apache mod_fcgid', async () => {
    const config = replacePlaces(virtualHost!, [['/srv/app', site.path('app')]])
    expect(await send(await startVirtualHost(site, ['fcgid'], config), 'GET', '/')).toEqual(ANSWER)
  })

  it('answers behind Apache mod_fcgid with nothing but an .htaccess', async () => {
    site.write('app/.htaccess', htaccess!)
    const config = `<VirtualHost *:80>
      DocumentRoot "${site.path('app')}"
      <Directory "${site.path('app')}">
        AllowOverride All
        Require all granted
      </Directory>
    </VirtualHost>`
    expect(await send(await startVirtualHost(site, ['fcgid'], config), 'GET', '/')).toEqual(ANSWER)
  })

  it('answers behind nginx', async () => {
    const address = await startProgram(site, site.path('app/server.mjs'), 'tcp')
    const config = replacePlaces(blocks.nginx![0]!, [['127.0.0.1:9000', address]])
    expect(await send(await startNginxSite(site, config), 'GET', '/')).toEqual(ANSWER)
  })

  it('answers behind lighttpd', async () => {
    expect(await send(await startLighttpdSite(site, lighttpdConfig()), 'GET', '/')).toEqual(ANSWER)
  })

  it('answers as a link in a project of ES modules', async () => {
    site.write('app/package.json', '{ "type": "module" }')
    writeExecutable('app/start.js', shim!.replace('__dirname', 'import.meta.dirname'))
    symlinkSync('start.js', site.path('app/linked.fcgi'))
    const config = replacePlaces(lighttpdConfig(), [['app/app.fcgi', 'app/linked.fcgi']])
    expect(await send(await startLighttpdSite(site, config), 'GET', '/')).toEqual(ANSWER)
  })
})

describe("the README's Express app behind Apache mod_fcgid", () => {
  const route = `app.get('/fail', () => { throw new Error('secret detail of ' + process.cwd()) })
    app.get('/cwd', (req, res) => res.send(process.cwd()))\n`

  beforeEach(() => {
    writeApp('express')
    site.write('app/server.mjs', expressServer!.replace('serve(app)', `${route}serve(app)`))
  })

  it('tells the client nothing of an error', async () => {
    writeExecutable('app/app.fcgi', shim!)
    const config = replacePlaces(virtualHost!, [['/srv/app', site.path('app')]])
    const port = await startVirtualHost(site, ['fcgid'], config)
    const { status, body } = await send(port, 'GET', '/fail')
    expect(status).toBe(500)
    expect(body).toContain('Internal Server Error')
    expect(body).not.toMatch(/secret detail|server\.mjs| at /)
    expect((await send(port, 'GET', '/cwd')).body).toBe(site.path('app'))
  })

  it('works in its own folder, outside of the public one', async () => {
    site.makeFolder('public')
    site.write('public/.htaccess', htaccess!)
    const outside = shim!
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

/** The folder of an app, with what `npm install` of the README would put there. */
function writeApp(example: string): void {
  site.makeFolder('app')
  symlinkSync(
    fileURLToPath(new URL(`${example}/node_modules`, import.meta.url)),
    site.path('app/node_modules'),
  )
}

function lighttpdConfig(): string {
  return replacePlaces(blocks.lighttpd![0]!, [
    ['/srv/app', site.path('app')],
    ['/run/lighttpd/app.sock', site.path('spawned.sock')],
  ])
}

function writeExecutable(name: string, text: string): void {
  chmodSync(site.write(name, text), 0o755)
}

/** The fenced blocks of a Markdown text, those in lists too, by language. */
function readBlocks(markdown: string): Record<string, string[]> {
  const blocks: Record<string, string[]> = {}
  for (const [, language, text] of markdown.matchAll(/^ *```(\w+)\n(.*?)^ *```$/gms)) {
    blocks[language!] = [...(blocks[language!] ?? []), text!]
  }
  return blocks
}
