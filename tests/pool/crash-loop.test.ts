// An app that worked, and then crashes at each start.
import { createPool } from '@fcgi-bridge/pool'
import { expect, test } from 'vitest'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'

const GOOD = `
import { serve } from ${JSON.stringify(import.meta.resolve('@fcgi-bridge/fetch-adapter'))}
serve(() => new Response('hello'))`

/** The shortest times from a worker's end to the next start, in milliseconds: 0.6 s and 1.8 s, less 20 % that vary by chance. */
const SHORTEST_WAITS = [480, 1440]

let site: Site

siteForEachTest((each) => {
  site = each
  site.write('server.mjs', GOOD)
})

test('each start waits longer, one worker is tried at a time, and a reload starts the corrected app at once', {
  timeout: 60_000,
}, async () => {
  await using pool = createPool({
    script: site.path('server.mjs'),
    workers: 2,
    listen: { path: site.path('app.sock') },
  })
  await pool.start()
  site.write('server.mjs', "throw new Error('no database')")
  let diedAt = 0
  const waits: number[] = []
  pool.on('exit', () => {
    diedAt = performance.now()
  })
  pool.on('start', () => waits.push(performance.now() - diedAt))
  for (const { pid } of pool.status().workers) process.kill(pid!, 'SIGKILL')
  await expect.poll(() => waits.length, { timeout: 50_000 }).toBe(1 + SHORTEST_WAITS.length)
  await expect.poll(() => pool.status().workers).toEqual([])
  const [first, ...others] = waits
  // Both workers died, and one of them was replaced at once.
  expect(first).toBeLessThan(SHORTEST_WAITS[0]!)
  for (const [index, wait] of others.entries()) expect(wait).toBeGreaterThanOrEqual(SHORTEST_WAITS[index]!)
  expect(pool.status().state).toBe('degraded')

  // The next start would be in 4 s or more.
  site.write('server.mjs', GOOD)
  const reloaded = pool.reload()
  await Promise.resolve()
  expect(pool.status().workers).toMatchObject([{ slot: 0 }, { slot: 1 }])
  await reloaded
  expect(pool.status().state).toBe('running')
})
