// `fcgi-bridge init php` on a host where Apache runs mod_php and nothing else.
import { readFileSync, rmdirSync, statSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, onTestFailed, test } from 'vitest'
import { run } from '../../packages/cli/src/run.ts'
import { send } from '../support/cases/http.ts'
import { startApache } from '../support/fronts/apache.ts'
import { modPhp, sharedSite } from '../support/fronts/apache-php.ts'
import { COMMAND_LINE } from '../support/fronts/command-line.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'

// What index.php starts.
process.argv[1] = COMMAND_LINE

const APP = `export default {
  fetch: (request, { mount }) => Response.json({ pid: process.pid, url: new URL(request.url).pathname, mount, cwd: process.cwd() }),
}`

let site: Site
siteForEachTest((each) => {
  site = each
  site.makeFolder('app')
  site.write('app/package.json', '{ "type": "module" }')
  site.makeFolder('public')
})

async function init(...args: string[]): Promise<{ status: number; text: string }> {
  let text = ''
  const output = { write: (more: string) => (text += more) }
  return { status: await run(['init', 'php', ...args], output, output), text }
}

/** Writes the files, starts Apache, and returns where it listens. Ends the app after the test. */
async function start(
  app: string,
  settings: Record<string, string> = {},
  directives = '',
): Promise<{ host: string; port: number }> {
  onTestFailed(() => console.error(site.report()))
  const file = site.write('app/app.js', app)
  expect(await init(file, '--output', site.path('public/shop'))).toMatchObject({ status: 0 })
  site.makeFolder('app/tmp')
  const php = modPhp(site, { error_log: site.path('php.log'), ...settings })
  const { ports } = await startApache(site, {
    ...php,
    server: `${php.server}\n${directives}`,
    hosts: [sharedSite(site.path('public'))],
  })
  return { host: '127.0.0.1', port: ports[0]! }
}

/** Ends an app that outlives Apache, and waits until it has gone. */
async function end(pid: number): Promise<void> {
  process.kill(pid, 'SIGTERM')
  while (isRunning(pid)) await setTimeout(10)
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('the app that index.php starts', () => {
  test('is started once for many first requests, in its folder, with its mount; a later request starts it again', async () => {
    const origin = await start(APP)
    const responses = await Promise.all(Array.from({ length: 12 }, () => send(origin, '/shop/cart?x=1')))
    const bodies = responses.map(({ text }) => JSON.parse(text))
    const { pid } = bodies[0]
    for (const body of bodies)
      expect(body).toEqual({ pid, url: '/shop/cart', mount: '/shop', cwd: site.path('app') })
    // It has none of Apache's connections, and its log is its own.
    expect(statSync(site.path('app/tmp/app.log')).mode & 0o777).toBe(0o600)
    await end(pid)
    const next = JSON.parse((await send(origin, '/shop/')).text)
    expect(next.pid).not.toBe(pid)
    await end(next.pid)
  })

  test.each(['app/tmp/restart.txt', 'public/shop/restart.txt'])(
    'is restarted when %s is touched',
    async (restartFile) => {
      const origin = await start(APP)
      const { pid } = JSON.parse((await send(origin, '/shop/')).text)
      site.write(restartFile, '')
      let next = pid
      await expect
        .poll(async () => (next = JSON.parse((await send(origin, '/shop/')).text).pid), { timeout: 30_000 })
        .not.toBe(pid)
      await end(next)
    },
  )

  test('is not found: 503 for the client, the reason in the error log of PHP', async () => {
    const origin = await start('export default 3')
    const { status, text } = await send(origin, '/shop/')
    expect({ status, text }).toEqual({
      status: 503,
      text: "503. The app did not respond. The reason is in PHP's error log, and in tmp/app.log in the folder of the app.\n",
    })
    expect(readFileSync(site.path('php.log'), 'utf8')).toContain('The app does not start (exit status 3)')
  })

  test('cannot be started where proc_open is disabled: the error log has the command', async () => {
    const origin = await start(APP, { disable_functions: 'proc_open' })
    const { status, text } = await send(origin, '/shop/')
    expect(status).toBe(503)
    expect(text).toContain('proc_open is in disable_functions. Start it with cron.')
    expect(readFileSync(site.path('php.log'), 'utf8')).toMatch(
      /proc_open is in disable_functions.*@reboot .*app\.js/,
    )
  })
})

test('two apps of one project do not get the requests of each other', async () => {
  const origin = await start(APP)
  const file = site.write('app/admin.js', APP)
  expect(await init(file, '--output', site.path('public/admin'))).toMatchObject({ status: 0 })
  const [shop, admin] = [await send(origin, '/shop/'), await send(origin, '/admin/')]
  const pids = [shop, admin].map(({ text }) => JSON.parse(text).pid)
  expect(new Set(pids).size).toBe(2)
  for (const pid of pids) await end(pid)
})

test('a folder in which PHP cannot write is a 503 with the commands to run', async () => {
  const origin = await start(APP)
  // A file instead of the folder.
  rmdirSync(site.path('app/tmp'))
  site.write('app/tmp', '')
  const { status, text } = await send(origin, '/shop/')
  expect(status).toBe(503)
  expect(text).toContain(
    'which may not write to tmp in the folder of the app. Run these commands there, as your own user:',
  )
  expect(text).toMatch(/^ {2}setfacl -m u:\S+:rwX 'tmp' 'tmp\/app\.log'$/m)
  expect(text).not.toContain(site.folder)
  expect(readFileSync(site.path('php.log'), 'utf8')).toContain(`may not write to ${site.path('app/tmp')}`)
})

test('an app that PHP does not start and that does not run is a 503 with the name of its socket', async () => {
  const origin = await start(APP)
  const socket = site.path('elsewhere.sock')
  expect(await init('--socket', socket, '--output', site.path('public/remote'))).toMatchObject({ status: 0 })
  const { text } = await send(origin, '/remote/')
  expect(text).toContain('The app does not listen on elsewhere.sock')
  expect(text).not.toContain(site.folder)
  expect(readFileSync(site.path('php.log'), 'utf8')).toContain(`The app does not listen on ${socket}`)
})

test('a body over post_max_size is a 413 that says so', async () => {
  const origin = await start(APP, { post_max_size: '1K' }, 'php_admin_flag enable_post_data_reading On')
  const response = await send(origin, '/shop/', { method: 'POST', body: 'x'.repeat(2000) })
  expect(response.status).toBe(413)
  expect(response.text).toContain('Raise post_max_size in .user.ini')
  expect(readFileSync(site.path('php.log'), 'utf8')).toContain('PHP drops request bodies over 1024 bytes')
})

describe('the command', () => {
  test('overwrites nothing', async () => {
    const app = site.write('app/app.js', APP)
    site.write('public/.htaccess', 'mine')
    const first = await init(app, '--output', site.path('public'))
    expect(first.status).toBe(0)
    expect(first.text).toContain('Add these lines at its end')
    expect(readFileSync(site.path('public/.htaccess'), 'utf8')).toBe('mine')
    expect(await init(app, '--output', site.path('public'))).toMatchObject({
      status: 1,
      text: expect.stringContaining('exists already'),
    })
  })

  test('refuses a folder in which the files of the app would be public', async () => {
    const app = site.write('app/app.js', APP)
    expect(await init(app, '--output', site.path('app'))).toMatchObject({
      status: 2,
      text: expect.stringContaining('would be public'),
    })
  })

  test('needs an app or an address', async () => {
    expect(await init('--output', site.path('public'))).toMatchObject({ status: 2 })
  })
})
