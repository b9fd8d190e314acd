// Reloads a pool every two seconds while all front servers send requests to it: none may fail. `npm run soak` has an option for the
// duration. The short run among the other tests uses two front servers.
import { setTimeout } from 'node:timers/promises'
import { createPool } from '@fcgi-bridge/pool'
import { expect, onTestFailed, test } from 'vitest'
import { POOL_FRONTS } from '../pool/fronts.ts'
import { LOAD_APP, Load } from '../pool/load.ts'
import type { Listening } from '../support/fronts/ports.ts'
import { Site } from '../support/fronts/site.ts'
import { MINUTES_VARIABLE } from './variables.js'

/** Duration of a run without `npm run soak`, in milliseconds. */
const SHORT = 6000
/** Time from one reload to the next, in milliseconds. */
const PERIOD = 2000
/** Requests per second, all front servers together. */
const RATE = 200

const minutes = process.env[MINUTES_VARIABLE]
const duration = minutes === undefined ? SHORT : Number(minutes) * 60_000
// A short run shares the machine with other tests, so it uses fewer front servers and requests. At maxActive `maxActive` requests of each front server
// run at a time. Otherwise, on a slow machine, the queues of the app's sockets would overflow, which has nothing to do with reloads.
const fronts = minutes === undefined ? POOL_FRONTS.slice(0, 2) : POOL_FRONTS
const rate = minutes === undefined ? 40 : RATE
const maxActive = minutes === undefined ? 20 : 40

test('reloads under load', { timeout: duration + 300_000 }, async () => {
  const app = new Site()
  const sites = fronts.map(() => new Site())
  onTestFailed(() => console.error(sites.map((site) => site.report()).join('\n')))
  const script = app.write(
    'server.mjs',
    `import { serve } from ${JSON.stringify(import.meta.resolve('@fcgi-bridge/fetch-adapter'))}
     ${LOAD_APP.replace('export default', 'const app =')}
     serve(app)`,
  )
  const listen = [{ port: 0 }, { path: app.path('app.sock'), mode: 0o666 }]
  const pool = createPool({ script, workers: 2, listen })
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
    const loads = origins.map((origin) => new Load(origin, rate / fronts.length, maxActive))
    const times: number[] = []
    for (const end = performance.now() + duration; performance.now() < end; ) {
      const begin = performance.now()
      await pool.reload()
      times.push(performance.now() - begin)
      await setTimeout(Math.max(0, PERIOD - (performance.now() - begin)))
    }
    await Promise.all(loads.map((load) => load.stop()))
    if (minutes !== undefined) console.log(table(loads, times))
    const failures = loads.flatMap((load, index) =>
      load.failures.map((failure) => ({ front: fronts[index]!.name, ...failure })),
    )
    expect(failures).toEqual([])
    expect(Math.min(...loads.map(({ count }) => count))).toBeGreaterThan(0)
  } finally {
    await pool.close()
    for (const site of [...sites, app]) await site.stop()
  }
})

function table(loads: readonly Load[], times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b)
  const rows = loads.map((load, index) => {
    const [middle, high] = [0.5, 0.99].map((share) => Math.round(load.percentile(share)))
    return `| ${fronts[index]!.name} | ${load.count} | ${load.failures.length} | ${middle} ms | ${high} ms |`
  })
  return [
    `${times.length} reloads, the median took ${Math.round(sorted[times.length >> 1]!)} ms`,
    '',
    '| front server | requests | failed | p50 | p99 |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}
