// Reloads while requests arrive from each front server: none may fail. `npm run soak` does it for ten minutes.
import { expect, onTestFailed, test } from 'vitest'
import { Site } from '../support/fronts/site.ts'
import { POOL_FRONTS, SOME_POOL_FRONTS } from './fronts.ts'
import { LOAD_APP, Load } from './load.ts'
import { startPool } from './pool-program.ts'

/** `FCGI_BRIDGE_ROLLS=20 npx vitest run tests/pool/reload` measures for longer, and with more requests per second. */
const asked = process.env.FCGI_BRIDGE_ROLLS
const RELOADS = Number(asked ?? 3)
const fronts = asked === undefined ? SOME_POOL_FRONTS : POOL_FRONTS
/** Requests per second. */
const RATE = asked === undefined ? 100 : 200
/** Requests at a time. */
const MOST = 40

/** A busy machine takes ten seconds for a reload. */
const TIMEOUT = 120_000 + RELOADS * 20_000

test.each(fronts)('$name: no request fails', { timeout: TIMEOUT }, async ({ name, socket, start }) => {
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
    if (asked !== undefined) {
      const [middle, high] = [0.5, 0.99].map((share) => Math.round(load.percentile(share)))
      console.log(`| ${name} | ${load.count} | ${load.failures.length} | ${middle} ms | ${high} ms |`)
    }
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
