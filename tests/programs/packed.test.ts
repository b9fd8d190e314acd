// The packages as they are published: packed, and unpacked in an empty folder, as npm does it.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { FastCgiDispatcher } from '@fcgi-bridge/client'
import { request } from 'undici'
import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest'
import { pack } from '../../scripts/check-packages.js'
import type { Program } from '../support/fronts/program.ts'
import { Site } from '../support/fronts/site.ts'

const { resolve } = createRequire(new URL('../../packages/cli/package.json', import.meta.url))

const APP =
  'export default { fetch: (request) => Response.json([new URL(request.url).pathname, process.pid]) }'

let site: Site
beforeAll(() => {
  site = new Site()
  const packed = site.makeFolder('packed')
  pack(packed)
  for (const file of readdirSync(packed)) {
    const [, scope, name = 'fcgi-bridge'] = /^(?:(fcgi-bridge)-([a-z-]+?)|fcgi-bridge)-\d/.exec(file)!
    const folder = site.path('node_modules', scope === undefined ? name : `@${scope}/${name}`)
    mkdirSync(folder, { recursive: true })
    const { status } = spawnSync('tar', ['-xzf', join(packed, file), '-C', folder, '--strip-components=1'])
    expect(status).toBe(0)
  }
  for (const name of ['chokidar', 'commander', 'undici']) {
    const main = resolve(name)
    const folder = main.slice(0, main.lastIndexOf(`/node_modules/${name}/`) + `/node_modules/${name}`.length)
    symlinkSync(folder, site.path('node_modules', name))
  }
  site.write('package.json', '{ "type": "module" }')
  site.write('app.js', APP)
})
afterAll(() => site.stop())

function start(...args: string[]): Program {
  onTestFailed(() => console.error(site.report()))
  return site.start(process.execPath, [program(), ...args], { cwd: site.folder })
}

function program(): string {
  const folder = site.path('node_modules/fcgi-bridge')
  return join(folder, JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).bin['fcgi-bridge'])
}

async function ask(path: string, app: string): Promise<string> {
  const dispatcher = new FastCgiDispatcher(app, { maxIdleConnections: 0 })
  return await (await request(`http://test${path}`, { dispatcher })).body.text()
}

test('fcgi-bridge --help and --version', async () => {
  expect(await start('--help').exited).toEqual({ code: 0, signal: null })
  const version = start('--version')
  await version.printed(/^\d+\.\d+\.\d+$/m)
})

test('fcgi-bridge serve, alone and with workers that are watched', async () => {
  const alone = start('serve', 'app.js', '--path', site.path('alone.sock'))
  await alone.printed(/^Serving .*alone\.sock/m)
  expect(await ask('/a', site.path('alone.sock'))).toMatch(/^\["\/a",\d+\]$/)
  expect(await alone.stop()).toEqual({ code: 0, signal: null })
  const pool = start('serve', 'app.js', '--path', site.path('pool.sock'), '--workers', '2', '--slow', '1s')
  await pool.printed(/^Serving .*2 workers.*pool\.sock/m)
  expect(await ask('/b', site.path('pool.sock'))).toMatch(/^\["\/b",\d+\]$/)
  expect(await pool.stop()).toEqual({ code: 0, signal: null })
})

test('fcgi-bridge config checks the app, and init writes files', async () => {
  const config = start('config', 'nginx', 'app.js', '--socket', '/run/app.sock')
  await config.printed(/fastcgi_pass/)
  expect(await config.exited).toEqual({ code: 0, signal: null })
  const init = start('init', 'php', 'app.js', '--output', 'public')
  await init.printed(/^Wrote .*public\/index\.php/m)
})

test('fcgi-bridge init htaccess writes an app.fcgi that starts the app', async () => {
  const init = start('init', 'htaccess', 'app.js', '--output', 'shop')
  expect(await init.exited).toEqual({ code: 0, signal: null })
  const program = site.path('shop/app.fcgi')
  // Without a holder, which would outlive the request.
  writeFileSync(program, readFileSync(program, 'utf8').replace(/, '--shared', '[^']*'/, ''))
  const env = {
    ...process.env,
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_PROTOCOL: 'HTTP/1.1',
    SERVER_NAME: 'example.com',
    SERVER_PORT: '80',
    REQUEST_METHOD: 'GET',
    REQUEST_URI: '/e',
    SCRIPT_NAME: '',
  }
  const answered = site.start(program, [], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  await answered.printed(/^\["\/e",\d+\]$/m)
  expect(await answered.exited).toEqual({ code: 0, signal: null })
})

test('fcgi-bridge init htaccess writes an app.fcgi that holds the app for other processes', async () => {
  const init = start('init', 'htaccess', 'app.js', '--output', 'store')
  await init.printed(/^Wrote .*store\/app\.fcgi/m)
  // Without a socket from a front server, it holds the app for the processes that have one.
  const holder = site.start(process.execPath, [site.path('store/app.fcgi')], { cwd: site.folder })
  const [, folder = ''] = /'--shared', '([^']*)'/.exec(readFileSync(site.path('store/app.fcgi'), 'utf8'))!
  const socket = join(folder, 'app.sock')
  await expect.poll(() => existsSync(socket)).toBe(true)
  expect(await ask('/store/e', socket)).toMatch(/^\["\/store\/e",\d+\]$/)
  expect(await holder.stop()).toEqual({ code: 0, signal: null })
})

test('fcgi-bridge dev serves the app and its inspector', async () => {
  const dev = start('dev', 'app.js', '--port', '0')
  const [, url] = await dev.printed(/(http:\/\/(?:localhost|127\.0\.0\.1):\d+)/)
  expect(await (await request(`${url}/c`)).body.text()).toMatch(/^\["\/c",\d+\]$/)
  expect(await (await request(`${url}/__fcgi`)).body.text()).toContain('<html')
  await dev.stop()
})

test('fcgi-bridge bundle names the command that installs esbuild', async () => {
  const bundle = start('bundle', 'app.js')
  await bundle.printed(/fcgi-bridge bundle needs esbuild, .* npm install --save-dev esbuild/)
  expect(await bundle.exited).toEqual({ code: 1, signal: null })
})

test('node --import fcgi-bridge/register, and fcgi-bridge/testing', async () => {
  site.write(
    'http.js',
    "import { createServer } from 'node:http'\ncreateServer((req, res) => res.end('http')).listen(3000, () => console.log('listening'))",
  )
  const env = { ...process.env, FCGI_BRIDGE_LISTEN: site.path('http.sock') }
  const registered = site.start(process.execPath, ['--import', 'fcgi-bridge/register', 'http.js'], {
    cwd: site.folder,
    env,
  })
  await registered.printed(/listening/)
  expect(await ask('/', site.path('http.sock'))).toBe('http')
  expect(await registered.stop()).toEqual({ code: 0, signal: null })
  site.write(
    'test.js',
    `import { gatewayFor } from 'fcgi-bridge/testing'
     import app from './app.js'
     const server = gatewayFor(app).listen(0, '127.0.0.1', async () => {
       const response = await fetch('http://127.0.0.1:' + server.address().port + '/d')
       console.log(await response.text())
       server.close()
     })`,
  )
  const tested = site.start(process.execPath, ['test.js'], { cwd: site.folder })
  await tested.printed(/^\["\/d",\d+\]$/m)
  expect(await tested.exited).toEqual({ code: 0, signal: null })
})

test('a Node that is too old ends with an error that names the version', async () => {
  // Node before 20.16 has no getBuiltinModule.
  const old = ['--import', 'data:text/javascript,process.getBuiltinModule = undefined']
  site.write('old.mjs', "import '@fcgi-bridge/fetch-adapter'")
  for (const args of [
    [program(), '--version'],
    ['old.mjs'],
    ['--import', 'fcgi-bridge/register', 'app.js'],
  ]) {
    const started = site.start(process.execPath, [...old, ...args], { cwd: site.folder })
    expect(await started.exited).toEqual({ code: 1, signal: null })
    expect(started.output).toContain('Error: fcgi-bridge needs Node 20.19 or later. This is Node ')
  }
})
