// One process holds the app of a site with an .htaccess, and all others relay to it.
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, onTestFailed, test } from 'vitest'
import { run } from '../../packages/cli/src/run.ts'
import { open, readUntil, send } from '../support/cases/http.ts'
import { startApache } from '../support/fronts/apache.ts'
import { fcgidDirectives } from '../support/fronts/apache-fcgid.ts'
import { sharedSite } from '../support/fronts/apache-php.ts'
import { COMMAND_LINE } from '../support/fronts/command-line.ts'
import type { Origin } from '../support/fronts/front.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'
import { OpenLoop } from '../support/open-loop.ts'

// What app.fcgi starts.
process.argv[1] = COMMAND_LINE

const APP = `
import { appendFileSync } from 'node:fs'
appendFileSync(process.cwd() + '/holders', process.pid + '\\n')
let count = 0
let left = 0
// An event each 20 ms until the client leaves.
function events(signal) {
  let timer
  signal.addEventListener('abort', () => left++)
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue('data: first\\n\\n')
      timer = setInterval(() => controller.enqueue('data: more\\n\\n'), 20)
    },
    cancel() { clearInterval(timer) },
  })
  return new Response(body.pipeThrough(new TextEncoderStream()), { headers: { 'Content-Type': 'text/event-stream' } })
}
export default {
  async fetch(request, { mount }) {
    const url = new URL(request.url)
    if (url.pathname === '/shop/events') return events(request.signal)
    const wait = Number(url.searchParams.get('wait'))
    if (wait) await new Promise((resolve) => setTimeout(resolve, wait))
    const body = await request.text()
    return Response.json({
      pid: process.pid, color: process.env.COLOR, left, count: ++count, url: url.pathname, mount, body: body.length, auth: request.headers.get('authorization'),
    })
  },
}`

const HOSTS = {
  mod_fcgid: (site: Site) => ({ modules: ['fcgid'], server: fcgid(site) }),
  'mod_fcgid and mod_proxy_fcgi': (site: Site) => ({
    modules: ['proxy', 'proxy_fcgi', 'fcgid'],
    server: fcgid(site),
  }),
  CGI: (site: Site) => ({ modules: ['cgid'], server: `ScriptSock ${site.path('cgid.sock')}` }),
}

const fcgid = (site: Site) => `${fcgidDirectives(site)}
  FcgidTerminationScore 0
  FcgidTimeScore 4
  FcgidErrorScanInterval 1
  FcgidZombieScanInterval 1
  FcgidMaxProcessesPerClass 20
  FcgidMaxRequestLen 20971520
  FcgidMinProcessesPerClass 0`

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
    for (const pid of holders()) kill(pid, 'SIGTERM')
    await each.kill()
  },
)

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended.
  }
}

async function start(host: keyof typeof HOSTS): Promise<Origin> {
  onTestFailed(() => console.error(site.report()))
  const file = site.write('app/app.js', APP)
  const output = { write: () => true }
  expect(await run(['init', 'htaccess', file, '--output', site.path('public/shop')], output, output)).toBe(0)
  const { ports } = await startApache(site, {
    ...HOSTS[host](site),
    hosts: [sharedSite(site.path('public'))],
  })
  return { host: '127.0.0.1', port: ports[0]! }
}

/** The processes that have loaded the app so far. */
function holders(): number[] {
  try {
    return readFileSync(site.path('app/holders'), 'utf8').trim().split('\n').map(Number)
  } catch {
    return []
  }
}

async function ask(origin: Origin, path = '/shop/', options = {}): Promise<Record<string, unknown>> {
  const { text } = await send(origin, path, options)
  return JSON.parse(text)
}

describe.each(Object.keys(HOSTS) as (keyof typeof HOSTS)[])('%s', (host) => {
  test('concurrent first requests load the app once', async () => {
    const origin = await start(host)
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        ask(origin, '/shop/cart?wait=300', {
          method: 'POST',
          body: 'x'.repeat(i * 50_000),
          headers: ['Authorization', 'Bearer a'],
        }),
      ),
    )
    expect(answers.map(({ body }) => body)).toEqual(Array.from({ length: 12 }, (_, i) => i * 50_000))
    expect(new Set(answers.map(({ pid }) => pid))).toEqual(new Set(holders()))
    expect(holders()).toHaveLength(1)
    expect(await ask(origin, '/shop/cart')).toMatchObject({ url: '/shop/cart', mount: '/shop', count: 13 })
  })

  test('the holder is killed with SIGKILL: the next request starts another one', async () => {
    const origin = await start(host)
    const { pid } = await ask(origin)
    kill(pid as number, 'SIGKILL')
    await expect.poll(() => send(origin, '/shop/').then(({ status }) => status)).toBe(200)
    expect((await ask(origin)).pid).not.toBe(pid)
    expect(holders()).toHaveLength(2)
  })

  test('SIGTERM to the holder and restart.txt lose no request', async () => {
    const origin = await start(host)
    await Promise.all(Array.from({ length: 6 }, () => ask(origin, '/shop/?wait=200')))
    const load = new OpenLoop(origin, '/shop/?wait=15', host === 'CGI' ? 1 : 10)
    for (let round = 0; round < 2; round++) {
      const before = holders().length
      if (round % 2 === 1) site.write('app/tmp/restart.txt', String(round))
      else kill(holders().at(-1)!, 'SIGTERM')
      await expect.poll(() => holders().length, { timeout: 20_000 }).toBe(before + 1)
      await ask(origin)
    }
    const { failed } = await load.stop()
    expect(failed).toEqual([])
  }, 120_000)

  test('an event stream begins at once, and the app notices that its client has left', async () => {
    const origin = await start(host)
    await ask(origin)
    const stream = await open(origin, '/shop/events')
    expect(await readUntil(stream, 'data: first')).toContain('data: first')
    expect(await ask(origin)).toMatchObject({ left: 0 })
    stream.destroy()
    await expect.poll(async () => (await ask(origin)).left).toBe(1)
  })

  test('an edit of app.fcgi takes effect, and no request is lost', async () => {
    const origin = await start(host)
    await Promise.all(Array.from({ length: 4 }, () => ask(origin, '/shop/?wait=200')))
    const before = site.processes().map(({ pid }) => pid)
    const load = new OpenLoop(origin, '/shop/?wait=15', host === 'CGI' ? 1 : 10)
    const program = site.path('public/shop/app.fcgi')
    writeFileSync(program, readFileSync(program, 'utf8').replace('-S ', '-S COLOR=blue '))
    await expect.poll(async () => (await ask(origin)).color, { timeout: 20_000 }).toBe('blue')
    const old = () =>
      site.processes().filter(({ pid, command }) => command.includes('app.fcgi') && before.includes(pid))
    await expect.poll(old, { timeout: 20_000 }).toEqual([])
    expect(await ask(origin)).toMatchObject({ color: 'blue' })
    const { failed } = await load.stop()
    expect(failed).toEqual([])
  }, 60_000)
})
