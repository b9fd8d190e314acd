// `fcgi-bridge init htaccess` on a host where Apache reads an .htaccess and lets its users change nothing else.
import { chmodSync, existsSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { describe, expect, onTestFailed, test } from 'vitest'
import { run } from '../../packages/cli/src/run.ts'
import { askDoctor } from '../doctor/faults.ts'
import { send } from '../support/cases/http.ts'
import { startApache } from '../support/fronts/apache.ts'
import { fcgidDirectives } from '../support/fronts/apache-fcgid.ts'
import { sharedSite } from '../support/fronts/apache-php.ts'
import { COMMAND_LINE } from '../support/fronts/command-line.ts'
import { startLighttpd } from '../support/fronts/lighttpd.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'

// What app.fcgi starts.
process.argv[1] = COMMAND_LINE

const APP = `
console.log('the app is loading')
export default {
  async fetch(request, { mount }) {
    const body = await request.text()
    return Response.json({
      url: new URL(request.url).pathname, mount, body, auth: request.headers.get('authorization'),
      mode: process.env.NODE_ENV, cwd: process.cwd(), flags: process.execArgv,
    })
  },
}`

const SILENT = { write: () => true }

const TOKEN = 'a-long-secret-of-mine'

const FAILING = "throw new Error('no database')"

const versionedApp = (version: number) => `export default { fetch: () => new Response('version ${version}') }`

/** How Apache runs the program: as mod_fcgid does, and as CGI where there is no mod_fcgid. Hosts load mod_dir, which serves an index.html. */
const HOSTS = {
  mod_fcgid: (site: Site) => ({ modules: ['dir', 'fcgid'], server: fcgidDirectives(site) }),
  CGI: (site: Site) => ({ modules: ['dir', 'cgid'], server: `ScriptSock ${site.path('cgid.sock')}` }),
}

let site: Site
siteForEachTest(
  (each) => {
    site = each
    site.makeFolder('app')
    site.write('app/package.json', '{ "type": "module" }')
    site.makeFolder('app/tmp')
    site.makeFolder('public/shop')
  },
  async (each) => {
    // Under CGI, the holder of the app runs in the background.
    const held = each.processes().filter(({ command }) => command.includes('app.fcgi serve'))
    for (const { pid } of held) process.kill(pid)
    await each.stop()
  },
)

function readLog(): string {
  const file = site.path('app/tmp/app.log')
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

async function init(app: string): Promise<{ status: number; text: string }> {
  let text = ''
  const output = { write: (more: string) => (text += more) }
  const file = site.write('app/app.js', app)
  const status = await run(['init', 'htaccess', file, '--output', site.path('public/shop')], output, output)
  return { status, text }
}

async function start(host: keyof typeof HOSTS, app: string): Promise<{ host: string; port: number }> {
  onTestFailed(() => console.error(site.report()))
  expect((await init(app)).status).toBe(0)
  const { ports } = await startApache(site, {
    ...HOSTS[host](site),
    hosts: [sharedSite(site.path('public'))],
  })
  return { host: '127.0.0.1', port: ports[0]! }
}

describe.each(Object.keys(HOSTS) as (keyof typeof HOSTS)[])('%s', (host) => {
  test('the app has every URL of its folder, except those of files', async () => {
    const origin = await start(host, APP)
    site.write('public/shop/logo.txt', 'a file')
    const response = await send(origin, '/shop/cart', {
      method: 'POST',
      body: 'x=1',
      headers: ['Authorization', 'Bearer a'],
    })
    expect(JSON.parse(response.text)).toEqual({
      url: '/shop/cart',
      mount: '/shop',
      body: 'x=1',
      auth: 'Bearer a',
      mode: 'production',
      cwd: site.path('app'),
      flags: ['--max-semi-space-size=1'],
    })
    expect((await send(origin, '/shop/logo.txt')).text).toBe('a file')
    site.write('public/shop/index.html', 'the index')
    site.makeFolder('public/shop/images')
    for (const url of ['/shop/', '/shop/images/', '/shop/images/a%20b/c']) {
      const { text } = await send(origin, url)
      expect(JSON.parse(text)).toMatchObject({ url, mount: '/shop' })
    }
    expect((await send(origin, '/shop/index.html')).text).toBe('the index')
    // Apache adds the slash to the URL of a folder.
    expect((await send(origin, '/shop')).status).toBe(301)
    expect((await send(origin, '/shop/images')).status).toBe(301)
    expect(readFileSync(site.path('app/tmp/app.log'), 'utf8')).toContain('the app is loading')
  })

  test('an app that does not start is a 500 that names the log, and the log has the error', async () => {
    const origin = await start(host, FAILING)
    const { status, text } = await send(origin, '/shop/')
    const log = site.path('app/tmp/app.log')
    expect({ status, text }).toEqual({
      status: 500,
      text: `500. The app could not be started. The error is in tmp/app.log in the folder of the app. After a correction, the app starts again within five seconds.\n`,
    })
    expect(readFileSync(log, 'utf8')).toMatch(/Error: no database[\s\S]*app\.js:1/)
    expect(statSync(log).mode & 0o777).toBe(0o600)
  })

  test('an app that exports nothing is a 500 at once, and is served once it exports an app', async () => {
    const origin = await start(host, "import 'node:http'\n")
    expect((await send(origin, '/shop/')).status).toBe(500)
    expect(readFileSync(site.path('app/tmp/app.log'), 'utf8')).toContain('exports nothing')
    site.write('app/app.js', versionedApp(1))
    await expect.poll(async () => (await send(origin, '/shop/')).text, { timeout: 20_000 }).toBe('version 1')
  })

  test('an app that exports nothing and waits is a 503 soon after restart.txt was touched, and then the corrected app', async () => {
    const origin = await start(host, "console.log('loading')\nsetInterval(() => {}, 1000)\n")
    const waiting = send(origin, '/shop/')
    await expect.poll(readLog, { timeout: 20_000 }).toContain('loading')
    site.write('app/app.js', versionedApp(1))
    site.write('app/tmp/restart.txt', '')
    const { status, text } = await waiting
    expect({ status, text }).toEqual({
      status: 503,
      text: '503. The app is restarting, because a restart file changed while it was loading. Load this page again.\n',
    })
    await expect.poll(async () => (await send(origin, '/shop/')).text, { timeout: 20_000 }).toBe('version 1')
  })

  test('restart.txt that is touched while an app loads restarts it, and its first request is served', async () => {
    const origin = await start(
      host,
      `
      import { existsSync } from 'node:fs'
      console.log('loading')
      while (!existsSync('tmp/go')) await new Promise((resolve) => setTimeout(resolve, 50))
      ${versionedApp(1)}`,
    )
    const waiting = send(origin, '/shop/')
    await expect.poll(readLog, { timeout: 20_000 }).toContain('loading')
    site.write('app/app.js', versionedApp(2))
    site.write('app/tmp/restart.txt', '')
    site.write('app/tmp/go', '')
    expect((await waiting).text).toBe('version 1')
    await expect.poll(async () => (await send(origin, '/shop/')).text, { timeout: 20_000 }).toBe('version 2')
  })

  test('the log has the line of a syntax error', async () => {
    const origin = await start(host, 'const a = 1\nthis is no program\n')
    expect((await send(origin, '/shop/')).status).toBe(500)
    const log = readFileSync(site.path('app/tmp/app.log'), 'utf8')
    expect(log).toContain(`${site.path('app/app.js')}:2\nthis is no program`)
  })

  test('a log that cannot be opened is a 500 that says so, and a missing folder of the log is created', async () => {
    const origin = await start(host, APP)
    rmdirSync(site.path('app/tmp'))
    // A file instead of the folder.
    site.write('app/tmp', '')
    const { status, text } = await send(origin, '/shop/')
    expect(status).toBe(500)
    expect(text).toContain('Cannot open the log file tmp/app.log in the folder of the app: ENOTDIR')
    expect(text).not.toContain(site.folder)
    rmSync(site.path('app/tmp'))
    chmodSync(site.path('app'), 0o777)
    await expect.poll(async () => (await send(origin, '/shop/')).status, { timeout: 20_000 }).toBe(200)
  })

  test('a Node that is too old is a 500 that says so', async () => {
    const origin = await start(host, APP)
    // Each version of Node here is new enough, so require a newer one than all of them.
    const program = site.path('public/shop/app.fcgi')
    writeFileSync(program, readFileSync(program, 'utf8').replace('version[0] < 20', 'version[0] < 2000'))
    const { status, text } = await send(origin, '/shop/', { method: 'POST', body: 'x'.repeat(100_000) })
    expect(status).toBe(500)
    expect(text).toContain(`It needs Node 20.19 or later, and this is Node ${process.versions.node}`)
  })
})

test('an Apache that runs no programs does not show app.fcgi', async () => {
  expect((await init(APP)).status).toBe(0)
  const { ports } = await startApache(site, { modules: [], hosts: [sharedSite(site.path('public'))] })
  const { status, text } = await send({ host: '127.0.0.1', port: ports[0]! }, '/shop/')
  expect(status).toBe(403)
  expect(text).not.toContain('PROGRAM')
})

test('the doctor examines the site while app.fcgi has a token, and the app is served again without it', async () => {
  const { host, port } = await start('mod_fcgid', APP)
  const url = `http://${host}:${port}/shop/`
  const program = site.path('public/shop/app.fcgi')
  const edit = (from: string, to: string) =>
    writeFileSync(program, readFileSync(program, 'utf8').replace(`TOKEN = '${from}'`, `TOKEN = '${to}'`))
  await send({ host, port }, '/shop/')
  edit('', TOKEN)
  const ask = async () => (await askDoctor(url, '--token', TOKEN)).report.findings
  await expect.poll(ask, { timeout: 20_000 }).toEqual([])
  edit(TOKEN, '')
  const served = async () => (await send({ host, port }, '/shop/')).text
  await expect.poll(served, { timeout: 20_000 }).toContain('"mount":"/shop"')
})

test('tmp/restart.txt restarts the app of mod_fcgid, and no request is lost', async () => {
  const origin = await start('mod_fcgid', versionedApp(1))
  expect((await send(origin, '/shop/')).text).toBe('version 1')
  let isDone = false
  const failed: string[] = []
  const load = (async () => {
    while (!isDone) {
      const { status, text } = await send(origin, '/shop/load')
      if (status !== 200) failed.push(`${new Date().toISOString()} ${status} ${text}`)
    }
  })()
  for (const version of [2, 3, 4]) {
    site.write('app/app.js', versionedApp(version))
    site.write('app/tmp/restart.txt', '')
    await expect
      .poll(async () => (await send(origin, '/shop/')).text, { timeout: 30_000 })
      .toBe(`version ${version}`)
  }
  isDone = true
  await load
  expect(failed).toEqual([])
})

test("an app that lighttpd starts and that fails is a 500, and lighttpd's log has the error", async () => {
  const app = site.write('app/app.js', FAILING)
  const [port] = await startLighttpd(
    site,
    1,
    () => `
    server.modules = ("mod_fastcgi")
    fastcgi.server = ("/" => ((
      "bin-path" => "${process.execPath} ${COMMAND_LINE} serve ${app}",
      "socket" => "${site.path('spawned.sock')}",
      "max-procs" => 1,
      "check-local" => "disable",
      "fix-root-scriptname" => "enable"
    )))`,
  )
  const { status, text } = await send({ host: '127.0.0.1', port: port! }, '/')
  expect({ status, text }).toEqual({
    status: 500,
    text: '500. The app could not be started. The error is in the error log of the web server. After a correction, the app starts again within five seconds.\n',
  })
  await site.logged('Error: no database')
})

test('two apps of one project do not get the requests of each other', async () => {
  const origin = await start('mod_fcgid', versionedApp(1))
  const file = site.write('app/admin.js', versionedApp(2))
  expect(await run(['init', 'htaccess', file, '--output', site.path('public/admin')], SILENT, SILENT)).toBe(0)
  const ask = async (path: string) => (await send(origin, path)).text
  expect([await ask('/shop/'), await ask('/admin/'), await ask('/shop/')]).toEqual([
    'version 1',
    'version 2',
    'version 1',
  ])
})

test('an app that waits and neither exports an app nor listens is a 500 within 40 seconds', async () => {
  const origin = await start('mod_fcgid', 'setInterval(() => {}, 1000)')
  const { status, text } = await send(origin, '/shop/')
  expect({ status, text }).toMatchObject({ status: 500, text: expect.stringContaining('app.log') })
}, 60_000)

test('one app in two folders of the site has two processes, with two environments and mounts', async () => {
  const app = `export default {
    fetch: (request, { mount }) => Response.json([mount, process.env.SHOP_NAME]),
  }`
  const origin = await start('mod_fcgid', app)
  const folder = site.path('public/test')
  expect(await run(['init', 'htaccess', site.path('app/app.js'), '--output', folder], SILENT, SILENT)).toBe(0)
  const program = `${folder}/app.fcgi`
  writeFileSync(program, readFileSync(program, 'utf8').replace('NODE_ENV=', 'SHOP_NAME=Test NODE_ENV='))
  const ask = async (path: string) => JSON.parse((await send(origin, path)).text)
  expect([await ask('/shop/'), await ask('/test/'), await ask('/shop/')]).toEqual([
    ['/shop', null],
    ['/test', 'Test'],
    ['/shop', null],
  ])
})

test('`config htaccess` writes the .htaccess of `init htaccess`', async () => {
  await init(APP)
  const path = site.path('public/shop/.htaccess')
  const lines = readFileSync(path, 'utf8')
  rmSync(path)
  expect(await run(['config', 'htaccess', site.path('app/app.js'), '--output', path], SILENT, SILENT)).toBe(0)
  expect(readFileSync(path, 'utf8')).toContain(lines)
})

test('a site inside a project of ES modules gets a package.json of its own', async () => {
  const origin = await start('mod_fcgid', versionedApp(1))
  site.write('public/package.json', '{ "type": "module" }')
  const inner = site.path('public/inner')
  const file = site.path('app/app.js')
  expect(await run(['init', 'htaccess', file, '--output', inner], SILENT, SILENT)).toBe(0)
  expect((await send(origin, '/inner/')).text).toBe('version 1')
  // Here it cannot have one.
  let text = ''
  const output = { write: (more: string) => (text += more) }
  expect(await run(['init', 'htaccess', file, '--output', site.path('public')], output, output)).toBe(2)
  expect(text).toContain(`${site.path('public/package.json')} has "type": "module"`)
})

test('an .htaccess of another init is not added to', async () => {
  const file = site.write('app/app.js', APP)
  const folder = site.path('public/shop')
  expect(await run(['init', 'php', file, '--output', folder], SILENT, SILENT)).toBe(0)
  expect((await init(APP)).text).toContain('Replace them with these')
})

test('the command prints what only the host can change', async () => {
  expect((await init(APP)).text).toContain('FcgidMaxRequestLen 20971520')
})
