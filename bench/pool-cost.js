// `node bench/pool-cost.js --workers 16 --seconds 30`: what the master of a pool costs while it has nothing to do.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { main, root } from '../scripts/lib/run.js'

// sysconf(_SC_CLK_TCK) is 100 on every Linux that Node supports.
const TICKS = 100

await main(async () => {
  const { values } = parseArgs({
    options: {
      workers: { type: 'string', default: '16' },
      seconds: { type: 'string', default: '30' },
    },
  })
  const folder = mkdtempSync(join(tmpdir(), 'fcgi-bridge-'))
  writeFileSync(join(folder, 'app.mjs'), "export default { fetch: () => new Response('hello') }\n")
  const args = ['serve', 'app.mjs', '--path', join(folder, 'app.sock'), '--workers', values.workers]
  const master = spawn(process.execPath, [`${root}packages/cli/dist/main.js`, ...args], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  try {
    for await (const chunk of master.stderr) if (String(chunk).startsWith('Serving')) break
    // Garbage of the start is collected meanwhile.
    await setTimeout(5000)
    const before = cpuOf(master.pid)
    await setTimeout(Number(values.seconds) * 1000)
    const cpu = ((cpuOf(master.pid) - before) / Number(values.seconds)) * 100
    const { Rss: rss, Pss: pss, Private: own } = memoryOf(master.pid)
    const mebibytes = (kilobytes) => `${(kilobytes / 1024).toFixed(1)} MiB`
    console.log(`Node ${process.version}, ${values.workers} workers without requests, ${values.seconds} s`)
    console.log(
      `master: ${mebibytes(rss)} RSS (${mebibytes(pss)} PSS, ${mebibytes(own)} private), ${cpu.toFixed(2)} % of a core`,
    )
  } finally {
    master.kill()
    await once(master, 'exit')
    rmSync(folder, { recursive: true })
  }
})

/** Seconds of processor time that a process has used. */
function cpuOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}

/** Kilobytes. */
function memoryOf(pid) {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')
  const value = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(rollup)?.[1])
  return { Rss: value('Rss'), Pss: value('Pss'), Private: value('Private_Clean') + value('Private_Dirty') }
}
