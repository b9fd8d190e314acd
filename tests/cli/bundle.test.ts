// `fcgi-bridge bundle`: the file that it writes, started by Apache with mod_fcgid, as a CGI program, and by `fcgi-bridge serve`.
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { FastCgiDispatcher } from '@fcgi-bridge/client'
import { request } from 'undici'
import { describe, expect, onTestFailed, test } from 'vitest'
import { run } from '../../packages/cli/src/run.ts'
import { binary, NODES } from '../../scripts/lib/nodes.js'
import { send } from '../support/cases/http.ts'
import { startApache } from '../support/fronts/apache.ts'
import { fcgidDirectives } from '../support/fronts/apache-fcgid.ts'
import { sharedSite } from '../support/fronts/apache-php.ts'
import { COMMAND_LINE, installCommandLine } from '../support/fronts/command-line.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'

const require = createRequire(import.meta.url)
const EXPRESS = require.resolve('express')
// A native addon, and the package that picks the one for this machine with a dynamic require().
const LIGHTNINGCSS = createRequire(createRequire(require.resolve('vitest')).resolve('vite')).resolve(
  'lightningcss',
)

const EXPRESS_APP = `
const express = require(${JSON.stringify(EXPRESS)})
const fs = require('fs')
const path = require('path')
const app = express()
app.get('/throw', () => { throw new Error('no such product') })
app.get('/text', (req, res) => res.send(fs.readFileSync(path.join(__dirname, 'views/text.txt'), 'utf8')))
app.use((req, res) => res.json({
  at: req.originalUrl, mount: req.baseUrl, mode: process.env.NODE_ENV, cwd: process.cwd(), flags: process.execArgv,
}))
module.exports = app`

const MODULE_APP = `
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
const text = await readFile(new URL('./views/text.txt', import.meta.url), 'utf8')
const { lazy } = await import('./lazy.mjs')
const name = 'words'
const words = createRequire(import.meta.url)('./' + name + '.cjs')
export const ready = async () => { words.push('ready') }
export default { fetch: () => Response.json({ text, lazy, words, dirname: import.meta.dirname }) }`

/** How Apache runs the program. */
const HOSTS = {
  mod_fcgid: (site: Site) => ({ modules: ['fcgid'], server: fcgidDirectives(site) }),
  CGI: (site: Site) => ({ modules: ['cgid'], server: `ScriptSock ${site.path('cgid.sock')}` }),
}

// vitest's command sets it, and packages would be found there.
delete process.env.NODE_PATH

let site: Site
siteForEachTest((each) => {
  site = each
  for (const folder of ['app', 'app/views', 'app/tmp', 'public', 'public/shop']) site.makeFolder(folder)
  site.write('app/package.json', '{ "name": "shop" }')
  site.write('app/views/text.txt', 'a text')
  site.write('app/app.cjs', EXPRESS_APP)
  installCommandLine(site)
})

async function bundle(app: string, ...flags: string[]): Promise<{ status: number; text: string }> {
  let text = ''
  const output = { write: (more: string) => (text += more) }
  const status = await run(['bundle', site.path('app', app), ...flags], output, output)
  return { status, text }
}

/** Bundles an app, and returns the path of the file. */
async function bundled(app: string, ...flags: string[]): Promise<string> {
  const output = site.path('app/dist/out.cjs')
  const { status, text } = await bundle(app, '--output', output, ...flags)
  expect(text).toContain(`Wrote ${output}: `)
  expect(status).toBe(0)
  return output
}

/** Starts a bundle on a socket, and returns the response of the app to a path. An error that the app logs is in `log`. */
let log = ''
async function ask(
  path: string,
  program: string,
  args: string[] = [],
  node = process.execPath,
): Promise<string> {
  const socket = site.path('app.sock')
  const env = { PATH: process.env.PATH!, NODE_ENV: 'production', FCGI_BRIDGE_LISTEN: socket }
  const child = site.start(node, [...args, program], { env })
  await child.printed(/Serving .*app\.sock/)
  const dispatcher = new FastCgiDispatcher(socket, { maxIdleConnections: 0 })
  const { body } = await request(`http://test${path}`, { dispatcher })
  const text = await body.text()
  expect(await child.stop()).toEqual({ code: 0, signal: null })
  log = child.output
  return text
}

describe.each(Object.keys(HOSTS) as (keyof typeof HOSTS)[])('under %s', (host) => {
  test('the file serves the app, as app.fcgi does', async () => {
    onTestFailed(() => console.error(site.report()))
    const shop = site.path('public/shop')
    expect(await run(['init', 'htaccess', site.path('app/app.cjs'), '--output', shop], SILENT, SILENT)).toBe(
      0,
    )
    const before = statSync(`${shop}/app.fcgi`).ino
    expect(await bundle('app.cjs', '--output', `${shop}/app.fcgi`)).toMatchObject({ status: 0 })
    // mod_fcgid starts new processes only for a new file.
    expect(statSync(`${shop}/app.fcgi`).ino).not.toBe(before)
    const { ports } = await startApache(site, {
      ...HOSTS[host](site),
      hosts: [sharedSite(site.path('public'))],
    })
    const origin = { host: '127.0.0.1', port: ports[0]! }
    expect(JSON.parse((await send(origin, '/shop/cart?x=1')).text)).toEqual({
      at: '/shop/cart?x=1',
      mount: '/shop',
      mode: 'production',
      cwd: site.path('app'),
      flags: ['--max-semi-space-size=1'],
    })
    expect((await send(origin, '/shop/text')).text).toBe('a text')
    // The stack goes to the log, not to the client.
    expect((await send(origin, '/shop/throw')).text).not.toContain('no such product')
  })

  test('a file whose app fails is a 500 that names the log', async () => {
    site.write(
      'app/app.cjs',
      "if (process.env.GATEWAY_INTERFACE || !process.env.FAKE) throw new Error('no database')",
    )
    const shop = site.path('public/shop')
    const log = site.path('app/tmp/app.log')
    expect(await run(['init', 'htaccess', site.path('app/app.cjs'), '--output', shop], SILENT, SILENT)).toBe(
      0,
    )
    await bundle('app.cjs', '--output', `${shop}/app.fcgi`, '--no-cache', '--log-file', log)
    const { ports } = await startApache(site, {
      ...HOSTS[host](site),
      hosts: [sharedSite(site.path('public'))],
    })
    const { status, text } = await send({ host: '127.0.0.1', port: ports[0]! }, '/shop/')
    expect({ status, text }).toEqual({
      status: 500,
      text: '500. The app could not be started. The error is in tmp/app.log in the folder of the app. After a correction, the app starts again within five seconds.\n',
    })
    expect(readFileSync(log, 'utf8')).toContain('no database')
  })
})

describe('an app', () => {
  test('of ES modules keeps await, import(), dynamic require() and the place of its files', async () => {
    site.write('app/app.mjs', MODULE_APP)
    site.write('app/lazy.mjs', "export const lazy = 'lazy'")
    site.write('app/words.cjs', "module.exports = ['word']")
    expect(JSON.parse(await ask('/', await bundled('app.mjs')))).toEqual({
      text: 'a text',
      lazy: 'lazy',
      words: ['word', 'ready'],
      dirname: site.path('app'),
    })
  })

  test('that calls listen() of an HTTP server', async () => {
    site.write(
      'app/app.cjs',
      "require('http').createServer((req, res) => res.end('listens')).listen(process.env.PORT || 3000)",
    )
    expect(await ask('/', await bundled('app.cjs'))).toBe('listens')
  })

  test('that calls serve() of an adapter', async () => {
    const adapter = JSON.stringify(require.resolve('@fcgi-bridge/express-adapter'))
    site.write('app/app.mjs', `import { serve } from ${adapter}\nserve((req, res) => res.end('serves'))`)
    expect(await ask('/', await bundled('app.mjs'))).toBe('serves')
  })

  test('runs under fcgi-bridge serve, also with workers, with its named exports', async () => {
    site.write(
      'app/app.mjs',
      "export const ready = async () => { globalThis.isReady = true }\nexport const fetch = () => new Response('ready: ' + globalThis.isReady)",
    )
    const output = await bundled('app.mjs')
    for (const flags of [[], ['--workers', '2']]) {
      const program = site.start(
        process.execPath,
        [COMMAND_LINE, 'serve', output, '--path', site.path('s.sock'), ...flags],
        {},
      )
      await program.printed(/Serving .*s\.sock/)
      const dispatcher = new FastCgiDispatcher(site.path('s.sock'), { maxIdleConnections: 0 })
      expect(await (await request('http://test/', { dispatcher })).body.text()).toBe('ready: true')
      await program.stop()
    }
  })

  test('with a native addon, and with a package that finds its addon itself', async () => {
    const addon = createRequire(LIGHTNINGCSS).resolve(nativePackage())
    site.write(
      'app/app.cjs',
      `const addon = require(${JSON.stringify(addon)})\nmodule.exports.fetch = (request) => new Response(typeof addon.transform)`,
    )
    expect(await ask('/', await bundled('app.cjs'))).toBe('function')
    site.write(
      'app/app.cjs',
      `const { transform } = require(${JSON.stringify(LIGHTNINGCSS)})\nmodule.exports.fetch = (request) => new Response(typeof transform)`,
    )
    const failed = await bundle('app.cjs', '--output', site.path('app/dist/out.cjs'))
    expect(failed.status).toBe(3)
    expect(failed.text).toContain('load it from node_modules: --external PACKAGE')
    expect(await ask('/', await bundled('app.cjs', '--external', LIGHTNINGCSS))).toBe('function')
  })
})

describe('the compiled code', () => {
  test('is ignored by another version of Node, and when it is damaged', async () => {
    const output = await bundled('app.cjs')
    for (const name of NODES)
      expect(JSON.parse(await ask('/', output, [], binary(name)))).toMatchObject({ at: '/' })
    const text = readFileSync(output, 'utf8')
    writeFileSync(output, text.replace(/(\/\* The compiled code\n.{1000}).{1000}/, '$1'))
    expect(JSON.parse(await ask('/', output))).toMatchObject({ at: '/' })
  })

  test('is accepted by the Node that made it', async () => {
    const output = await bundled('app.cjs')
    site.write(
      'watch.cjs',
      `const vm = require('vm')
       const { Script } = vm
       vm.Script = class extends Script {
         constructor(...args) { super(...args); console.log('rejected:', this.cachedDataRejected) }
       }`,
    )
    const program = site.start(
      process.execPath,
      ['--max-semi-space-size=1', '--require', site.path('watch.cjs'), output],
      {
        env: { FCGI_BRIDGE_LISTEN: site.path('app.sock') },
      },
    )
    await program.printed(/rejected: false/)
  })

  test('is made without a request, or not at all, if the user wants that', async () => {
    site.write(
      'app/app.cjs',
      "console.error('the app runs'); module.exports = (req, res) => { require('fs').writeFileSync(__dirname + '/asked', ''); res.end('ok') }",
    )
    await bundled('app.cjs', '--no-request')
    expect(existsSync(site.path('app/asked'))).toBe(false)
    await bundled('app.cjs')
    expect(existsSync(site.path('app/asked'))).toBe(true)
    const output = await bundled('app.cjs', '--no-cache')
    expect(readFileSync(output, 'utf8')).not.toContain('/* The compiled code')
    expect(await ask('/', output)).toBe('ok')
  })
})

describe('stack traces', () => {
  test('have the lines of the file, or of the sources with --source-map', async () => {
    const place = /Error: no such product\s+at .*?(?:\()?(\/\S+):(\d+):\d+/
    const plain = await bundled('app.cjs')
    await ask('/throw', plain)
    const [, file, line] = place.exec(log)!
    expect(file).toBe(plain)
    expect(readFileSync(plain, 'utf8').split('\n')[Number(line) - 1]).toContain('no such product')
    const mapped = await bundled('app.cjs', '--source-map')
    await ask('/throw', mapped, ['--enable-source-maps'])
    const source = place.exec(log)!
    expect(source.slice(1)).toEqual([site.path('app/app.cjs'), '6'])
    expect(readFileSync(mapped, 'utf8')).toMatch(/^#!.* --enable-source-maps /)
  })
})

describe('an error says what to do', () => {
  test('for a package that is not installed', async () => {
    site.write('app/app.mjs', "import 'no-such-package'\nexport default {}")
    const { status, text } = await bundle('app.mjs')
    expect(status).toBe(3)
    expect(text).toContain('Could not resolve "no-such-package"')
    expect(text).toContain('app.mjs:1:7')
    expect(text).toContain('add --external PACKAGE')
  })

  test('for an app that does not start, and the old file stays', async () => {
    const output = await bundled('app.cjs')
    const before = readFileSync(output, 'utf8')
    site.write('app/app.cjs', "throw new Error('no database')")
    const { status, text } = await bundle('app.cjs', '--output', output)
    expect(status).toBe(3)
    expect(text).toMatch(
      /The bundle of .*app\.cjs does not start: it ended with status 3\.[\s\S]*no database[\s\S]*--no-cache/,
    )
    expect(readFileSync(output, 'utf8')).toBe(before)
    expect(readdirSync(site.path('app/dist'))).toEqual(['out.cjs'])
  })

  test('for a name that Node would take for an ES module', async () => {
    site.write('app/package.json', '{ "type": "module" }')
    const { status, text } = await bundle('app.cjs', '--output', site.path('app/app.fcgi'))
    expect(status).toBe(2)
    expect(text).toContain('has "type": "module". Name the file .cjs')
  })

  test('files and packages that must stay are listed', async () => {
    const { text } = await bundle('app.cjs', '--external', EXPRESS)
    expect(text).toContain(`loaded from node_modules when it runs:\n  ${EXPRESS}\n`)
    expect(text).toContain(`Leave those files where they are:\n  ${site.path('app/app.cjs')}\n`)
  })
})

const SILENT = { write: () => true }

function nativePackage(): string {
  const { optionalDependencies } = createRequire(LIGHTNINGCSS)('../package.json')
  const names = Object.keys(optionalDependencies)
  const found = names.find((name) => {
    try {
      return createRequire(LIGHTNINGCSS).resolve(name)
    } catch {
      // For another platform.
      return undefined
    }
  })
  return found!
}
