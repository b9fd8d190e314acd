// Reloads while requests come: not one may fail, whichever front server sends them. `npm run soak` does it for ten minutes.
import { expect, onTestFailed, test } from 'vitest'
import { Site } from '../support/fronts/site.ts'
import { POOL_FRONTS } from './fronts.ts'
import { LOAD_APP, Load } from './load.ts'
import { startPool } from './pool-program.ts'

const RELOADS = 3
/** Requests per second. */
const RATE = 100
/** Requests at a time. */
const MOST = 40

/** A busy machine takes ten seconds for a reload. */
const TIMEOUT = 180_000

test.each(POOL_FRONTS)('$name: no request fails', { timeout: TIMEOUT }, async ({ socket, start }) => {
  const site = new Site()
  onTestFailed(() => console.error(site.report()))
  try {
    site.write('app.mjs', LOAD_APP)
    const pool = await startPool(site, 'app.mjs', { socket, flags: ['--workers', '2'] })
    const origin = await start(site, pool.at)
    const load = new Load(origin, RATE, MOST)
    for (let reload = 0; reload < RELOADS; reload++) {
      expect(await pool.command('reload')).toEqual({ ok: true })
    }
    await load.stop()
    expect(load.failures).toEqual([])
    expect(load.count).toBeGreaterThan(RELOADS * 10)
    const { reloads, requests } = await pool.status()
    expect(reloads).toEqual({ succeeded: RELOADS, failed: 0 })
    // What the workers count with each heartbeat, and at their end.
    expect(requests).toBeGreaterThan(0)
  } finally {
    await site.stop()
  }
})
