// Measures the CPU time and the log lines of a pool whose app crashes at each start: while the app works, its file is replaced with a broken one, and
// its workers are killed. Then measures the time until the corrected app serves.

import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { bundlePackages } from '../../scripts/bundle.js'
import { replaceFile } from '../../scripts/lib/replace-file.js'
import { bar, verdict } from './bar.js'
import { HELLO, PoolProcess } from './pool-process.js'

const BROKEN = "throw new Error('no database')\n"

const WORKERS = 2
/** Per cent of a core, and lines of the pool in a minute. */
const BARS = { cpu: 5, lines: 15 }

/**
 * @param {{ node: string, seconds?: number }} settings
 * @returns {Promise<import('./bar.js').Bar[]>}
 */
export async function measureCrashes({ node, seconds = 60 }) {
  await bundlePackages()
  const pool = await PoolProcess.start({ node, workers: WORKERS, app: HELLO })
  try {
    const file = join(pool.folder, HELLO.name)
    replaceFile(file, BROKEN)
    const workers = pool.workers
    for (const pid of workers) process.kill(pid, 'SIGKILL')
    const before = pool.cpu
    await setTimeout(seconds * 1000)
    const cpu = ((pool.cpu - before) / seconds) * 100
    // Before the reload, which adds lines.
    const lines = [...pool.lines]
    const own = lines.filter((line) => /^Worker \d+ \(/.test(line))
    const starts = own.length - workers.length
    replaceFile(file, HELLO.text)
    const begin = performance.now()
    await pool.command('reload', node)
    const bars = [
      bar(`an app that crashes at each start, CPU time`, cpu < BARS.cpu),
      bar(`an app that crashes at each start, log lines`, (own.length / seconds) * 60 < BARS.lines),
    ]
    console.log(`An app that throws an error when it is imported, ${WORKERS} workers, for ${seconds} s.\n
| | | target | |
| --- | --- | --- | --- |
| CPU of master and workers, % of a core | ${cpu.toFixed(1)} | < ${BARS.cpu} | ${verdict(bars[0])} |
| starts | ${starts} | | |
| log lines of the pool | ${own.length} | < ${BARS.lines} in a minute | ${verdict(bars[1])} |
| log lines of the workers | ${lines.length - own.length} | | |
| CPU of one start, s | ${((cpu * seconds) / 100 / starts).toFixed(2)} | | |
| from \`fcgi-bridge reload\` of the corrected app to ready, s | ${((performance.now() - begin) / 1000).toFixed(1)} | | |`)
    return bars
  } finally {
    await pool.stop()
  }
}
