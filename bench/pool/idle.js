// What the master of a pool costs while nothing happens: its memory and its CPU time, without and with the status pages.

import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { bundlePackages } from '../../scripts/bundle.js'
import { freePorts } from '../../scripts/lib/free-ports.js'
import { bar, verdict } from './bar.js'
import { HELLO, PoolProcess } from './pool-process.js'

/** Milliseconds from the start of a pool to its measurement. The garbage of the start is collected in this time. */
const SETTLE_TIME = 5000
const MEBIBYTE = 2 ** 20

/** Bytes, and per cent of a core. */
const BARS = { memory: 60 * MEBIBYTE, cpu: 0.5 }

/**
 * Prints a row for each way to run a pool.
 * @param {{ node: string, workers: number, seconds?: number }} settings
 * @returns {Promise<import('./bar.js').Bar[]>}
 */
export async function measureIdle({ node, workers, seconds = 30 }) {
  await bundlePackages()
  const [port] = await freePorts(1)
  const ways = [
    { name: 'no status pages', flags: () => [] },
    { name: '`--status`', flags: (folder) => ['--status', join(folder, 'status.sock')] },
    { name: '`--status-http`', flags: () => ['--status-http', `127.0.0.1:${port}`], page: port },
  ]
  const results = []
  console.log(`The master with ${workers} workers, for ${seconds} s.\n
| | resident | not shared | CPU, % of a core | |
| --- | --- | --- | --- | --- |`)
  for (const { name, flags, page } of ways) {
    const pool = await PoolProcess.start({ node, workers, app: HELLO, flags })
    try {
      // Request the page once: the figures include what its first request loads.
      if (page !== undefined) await (await fetch(`http://127.0.0.1:${page}/metrics`)).text()
      await setTimeout(SETTLE_TIME)
      const before = pool.masterCpu
      await setTimeout(seconds * 1000)
      const cpu = ((pool.masterCpu - before) / seconds) * 100
      const { resident, own } = pool.memory
      const bars = [bar(`${name}, memory`, resident < BARS.memory), bar(`${name}, CPU time`, cpu < BARS.cpu)]
      results.push(...bars)
      console.log(
        `| ${name} | ${mebibytes(resident)} | ${mebibytes(own)} | ${cpu.toFixed(2)} | ${verdict(...bars)} |`,
      )
    } finally {
      await pool.stop()
    }
  }
  console.log(`\nTarget: less than ${mebibytes(BARS.memory)} and ${BARS.cpu} %.`)
  return results
}

function mebibytes(bytes) {
  return `${(bytes / MEBIBYTE).toFixed(1)} MiB`
}
