// Replaces the workers of a pool while all front servers send requests to it: by a reload every two seconds, and by a limit of requests. No
// request may fail. `npm run soak` has an option for the duration. The short runs among the other tests use two front servers.
import { setTimeout } from 'node:timers/promises'
import { createPool, type Pool, type PoolOptions } from '@fcgi-bridge/pool'
import { expect, test } from 'vitest'
import { POOL_FRONTS } from '../pool/fronts.ts'
import { LOAD_APP, Load } from '../pool/load.ts'
import { Timeline } from '../pool/timeline.ts'
import type { Listening } from '../support/fronts/ports.ts'
import { Site } from '../support/fronts/site.ts'
import { MINUTES_VARIABLE } from './variables.js'

/** Duration of a run without `npm run soak`, in milliseconds. */
const SHORT = 6000
/** Time from one reload to the next, in milliseconds. */
const PERIOD = 2000
/** Requests per second, all front servers together. */
const RATE = 200

const WORKERS = 2
/** Lines of a front server's log that are printed if its requests failed. */
const LOG_LINES = 60

const minutes = process.env[MINUTES_VARIABLE]
const duration = minutes === undefined ? SHORT : Number(minutes) * 60_000
/** Workers are recycled for a minute at most. */
const recycling = Math.min(duration, 60_000)
/** Requests after which a worker is replaced. A short run has few. */
const MAX_REQUESTS = minutes === undefined ? 30 : 200
// A short run shares the machine with other tests, so it uses fewer front servers and requests. At most `maxActive` requests of each front
// server run at a time. Otherwise, on a slow machine, the queues of the app's sockets would overflow, which has nothing to do with reloads.
const fronts = minutes === undefined ? POOL_FRONTS.slice(0, 2) : POOL_FRONTS
const rate = minutes === undefined ? 40 : RATE
const maxActive = minutes === undefined ? 20 : 40

test('reloads every two seconds: no request fails', { timeout: duration + 300_000 }, async () => {
  const times: number[] = []
  await underLoad({}, async (pool, end) => {
    while (performance.now() < end) {
      const begin = performance.now()
      await pool.reload()
      times.push(performance.now() - begin)
      await setTimeout(Math.max(0, PERIOD - (performance.now() - begin)))
    }
    const sorted = times.toSorted((a, b) => a - b)
    return `${times.length} reloads, the median took ${Math.round(sorted[times.length >> 1]!)} ms`
  })
})

test(`maxRequests ${MAX_REQUESTS}: no request fails, and there are never fewer ready workers than wanted`, {
  timeout: recycling + 300_000,
}, async () => {
  const timeline = await underLoad(
    { maxRequests: MAX_REQUESTS },
    async (pool, end, timeline) => {
      timeline.watchReady()
      await setTimeout(end - performance.now())
      await expect.poll(() => pool.status().restarts.requests ?? 0, { timeout: 60_000 }).toBeGreaterThan(0)
      const { requests: replaced } = pool.status().restarts
      return `${replaced} workers replaced after about ${MAX_REQUESTS} requests, at least ${timeline.fewestReady} of ${WORKERS} ready`
    },
    recycling,
  )
  expect(timeline.fewestReady).toBe(WORKERS)
})

/**
 * Sends requests through all front servers while `run` does something with the pool until `end`. Its result is the title of the table. Expects
 * that no request fails.
 */
async function underLoad(
  options: Partial<PoolOptions>,
  run: (pool: Pool, end: number, timeline: Timeline) => Promise<string>,
  time = duration,
): Promise<Timeline> {
  const app = new Site()
  const sites = fronts.map(() => new Site())
  const script = app.write(
    'server.mjs',
    `import { serve } from ${JSON.stringify(import.meta.resolve('@fcgi-bridge/fetch-adapter'))}
     ${LOAD_APP.replace('export default', 'const app =')}
     serve(app)`,
  )
  const listen = [{ port: 0 }, { path: app.path('app.sock'), mode: 0o666 }]
  const pool = createPool({ script, workers: WORKERS, listen, ...options })
  const timeline = new Timeline(pool)
  try {
    await pool.start()
    const [tcp, path] = pool.status().addresses as [{ port: number }, string]
    const at: Record<'tcp' | 'unix', Listening> = {
      tcp: { host: '127.0.0.1', port: tcp.port },
      unix: { path },
    }
    const origins = await Promise.all(
      fronts.map(({ socket, start }, index) => start(sites[index]!, at[socket])),
    )
    const loads = origins.map((origin, index) => {
      const load = new Load(origin, rate / fronts.length, maxActive)
      load.onFailure = (failure) => timeline.recordFailure(fronts[index]!.name, failure)
      return load
    })
    const title = await run(pool, performance.now() + time, timeline).finally(() =>
      Promise.all(loads.map((load) => load.stop())),
    )
    if (minutes !== undefined) console.log(table(title, loads))
    const failed = fronts.flatMap(({ name }, index) =>
      loads[index]!.failures.length > 0 ? [{ name, index }] : [],
    )
    const logs = failed.map(({ name, index }) => `The log of ${name}:\n${endOf(sites[index]!.report())}`)
    // What explains the failures goes to standard error. The assertion below shows only the failures.
    if (failed.length > 0) console.error([timeline.report(), ...logs].join('\n\n'))
    expect(failed.map(({ name, index }) => [name, loads[index]!.failures])).toEqual([])
    expect(Math.min(...loads.map(({ count }) => count))).toBeGreaterThan(0)
    return timeline
  } finally {
    timeline.stop()
    await pool.close()
    for (const site of [...sites, app]) await site.stop()
  }
}

/** The last lines of a log. */
function endOf(log: string): string {
  return log.trimEnd().split('\n').slice(-LOG_LINES).join('\n')
}

function table(title: string, loads: readonly Load[]): string {
  const rows = loads.map((load, index) => {
    const [middle, high] = [0.5, 0.99].map((share) => Math.round(load.percentile(share)))
    return `| ${fronts[index]!.name} | ${load.count} | ${load.failures.length} | ${middle} ms | ${high} ms |`
  })
  return [
    title,
    '',
    '| front server | requests | failed | p50 | p99 |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}
