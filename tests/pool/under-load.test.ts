// What clients notice of workers that are recycled, killed and stuck. `FCGI_BRIDGE_ROLLS=20 npx vitest run tests/pool/under-load` takes a
// minute, with 200 requests per second.
import { setTimeout } from 'node:timers/promises'
import { FastCgiDispatcher } from '@fcgi-bridge/client'
import { createPool, type Pool } from '@fcgi-bridge/pool'
import { request } from 'undici'
import { expect, test } from 'vitest'
import type { Origin } from '../support/fronts/front.ts'
import { startNginx } from '../support/fronts/nginx.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'
import { LOAD_APP, Load } from './load.ts'
import { Timeline } from './timeline.ts'

const isLong = process.env.FCGI_BRIDGE_ROLLS !== undefined
/** Milliseconds. */
const DURATION = isLong ? 60_000 : 2000
/** Requests per second. */
const RATE = isLong ? 200 : 60
const MAX_REQUESTS = isLong ? 200 : 30
/** Requests at a time. */
const MOST = 40

let site: Site

siteForEachTest((each) => {
  site = each
  site.write(
    'server.mjs',
    `import { serve } from ${JSON.stringify(import.meta.resolve('@fcgi-bridge/fetch-adapter'))}
     ${LOAD_APP.replace('export default', 'const app =')}
     serve(app)`,
  )
})

test('recycling by maxRequests: no request fails, and there are always as many ready workers as wanted', {
  timeout: DURATION + 120_000,
}, async () => {
  await using pool = createPool({
    script: site.path('server.mjs'),
    workers: 2,
    maxRequests: MAX_REQUESTS,
    listen: { path: site.path('app.sock') },
  })
  await pool.start()
  const load = new Load(await nginx('app.sock'), RATE, MOST)
  const timeline = new Timeline(pool)
  timeline.watchReady()
  load.onFailure = (failure) => timeline.recordFailure('nginx', failure)
  await setTimeout(DURATION)
  await expect.poll(() => pool.status().restarts.requests ?? 0).toBeGreaterThan(1)
  await load.stop()
  timeline.stop()
  const { restarts } = pool.status()
  const { fewestReady } = timeline
  if (isLong) console.log({ requests: load.count, failed: load.failures.length, restarts, fewestReady })
  expect(timeline.report()).toBe('')
  expect(fewestReady).toBeGreaterThanOrEqual(2)
})

test('a reload to an app that crashes at its start: no request fails, and the old code continues to serve', async () => {
  await using pool = createPool({
    script: site.path('server.mjs'),
    workers: 2,
    listen: { path: site.path('app.sock') },
  })
  await pool.start()
  const load = new Load(await nginx('app.sock'), RATE, MOST)
  const timeline = new Timeline(pool)
  load.onFailure = (failure) => timeline.recordFailure('nginx', failure)
  let starts = 0
  pool.on('start', () => starts++)
  site.write('server.mjs', "throw new Error('no database')")
  await expect(pool.reload()).rejects.toMatchObject({ code: 'FCGI_ERR_POOL_RELOAD' })
  await setTimeout(DURATION)
  await load.stop()
  timeline.stop()
  expect(timeline.report()).toBe('')
  expect(load.count).toBeGreaterThan(0)
  // A reload that failed is not tried again.
  expect(starts).toBe(1)
  expect(pool.status()).toMatchObject({ state: 'running', reloads: { succeeded: 0, failed: 1 } })
})

test('a worker is killed: only requests that it was running fail, no GET behind nginx with a socket for each worker', async () => {
  await using pool = createPool({
    script: site.path('server.mjs'),
    workers: 2,
    perWorkerSockets: true,
    listen: { path: site.path('app.%i.sock') },
  })
  await pool.start()
  const load = new Load(await nginx('app.0.sock', 'app.1.sock'), RATE, MOST)
  await setTimeout(1000)
  const ended = new Promise<number>((resolve) => pool.once('exit', () => resolve(performance.now())))
  const started = new Promise<number>((resolve) => pool.once('start', () => resolve(performance.now())))
  process.kill(pool.status().workers[0]!.pid!, 'SIGKILL')
  expect((await started) - (await ended)).toBeLessThan(200)
  await expect.poll(() => ready(pool)).toBe(2)
  await setTimeout(500)
  await load.stop()
  expect(load.failures.filter(({ method }) => method === 'GET')).toEqual([])
  expect(load.failures.length).toBeLessThanOrEqual(MOST)
})

test('a worker is stuck: the other one serves, and its replacement serves the connections that wait on its socket', async () => {
  const stuckTimeout = 3000
  await using pool = createPool({
    script: site.path('server.mjs'),
    workers: 2,
    perWorkerSockets: true,
    stuckTimeout,
    listen: { path: site.path('app.%i.sock') },
  })
  await pool.start()
  const since = performance.now()
  const stuck = ask('app.0.sock', '/spin')
  stuck.catch(() => {})
  await setTimeout(200)
  const waiting = ask('app.0.sock', '/pid')
  const killed = new Promise<number>((resolve) => pool.once('kill', () => resolve(performance.now())))
  let slowest = 0
  for (let count = 0; count < 20; count++) {
    const begin = performance.now()
    expect(await ask('app.1.sock', '/load')).toBe('GET ')
    slowest = Math.max(slowest, performance.now() - begin)
  }
  expect(slowest).toBeLessThan(stuckTimeout)
  expect((await killed) - since).toBeLessThan(stuckTimeout + 3000)
  await expect(stuck).rejects.toThrow()
  expect(await waiting).toMatch(/^\d+$/)
})

function ready(pool: Pool): number {
  return pool.status().workers.filter(({ state }) => state === 'ready').length
}

async function nginx(...sockets: string[]): Promise<Origin> {
  const servers = sockets.map((name) => `server unix:${site.path(name)};`).join(' ')
  const [port] = await startNginx(
    site,
    1,
    ([port]) => `
      upstream app { ${servers} }
      server {
        listen 127.0.0.1:${port};
        location / { include /etc/nginx/fastcgi_params; fastcgi_pass app; }
      }`,
  )
  return { host: '127.0.0.1', port: port! }
}

async function ask(socket: string, path: string): Promise<string> {
  const dispatcher = new FastCgiDispatcher(site.path(socket), { maxIdleConnections: 0, onStderr() {} })
  const { body } = await request(`http://test${path}`, { dispatcher })
  return body.text()
}
