// `npm run bench:mod_fcgid`: an app behind Apache mod_fcgid, with and without a shared process, behind Passenger, and a C program. Prints the
// table of docs/shared-hosting.md. The files are those that `fcgi-bridge init htaccess` writes, the settings those of `config apache-fcgid`,
// and the packages are bundled as they are published. `-- --install` installs Passenger. For each lost request, Apache's error log is printed.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { bundlePackages } from '../../scripts/bundle.js'
import { installPackages } from '../../scripts/debian.js'
import { main } from '../../scripts/lib/run.js'
import { GROUPS, isWhole } from './rows.js'
import { PASSENGER, SETUPS, startSite, stopSite } from './site.js'

await main(async () => {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '6' },
      rate: { type: 'string', default: '60' },
      // Requests per second in the rows with a high rate.
      fast: { type: 'string', default: '150' },
      // Milliseconds between two SIGTERMs.
      interval: { type: 'string', default: '600' },
      // The setups and rows whose names contain it.
      only: { type: 'string', default: '' },
      row: { type: 'string', default: '' },
      install: { type: 'boolean', default: false },
    },
  })
  const load = {
    seconds: Number(values.seconds),
    rate: Number(values.rate),
    fast: Number(values.fast),
    interval: Number(values.interval),
  }
  if (values.install) installPackages(['libapache2-mod-passenger'], 'Passenger', 'npm run bench:mod_fcgid')
  await bundlePackages()
  const columns = []
  for (const [name, setup] of Object.entries(SETUPS)) {
    if (!name.includes(values.only)) continue
    if (setup.kind === 'Passenger' && !existsSync(PASSENGER)) {
      console.error('Passenger is not installed. Its column is left out: install it with -- --install.')
      continue
    }
    columns.push({ name, cells: await measure(setup, load, values.row) })
  }
  const asked = `${load.rate} and ${load.fast} requests a second for ${load.seconds} s`
  console.log(`Node ${process.version}, ${versions()}; ${asked}\n`)
  console.log(`|  | ${columns.map(({ name }) => name).join(' | ')} |`)
  console.log(`| --- |${' --- |'.repeat(columns.length)}`)
  const rows = [...new Set(columns.flatMap(({ cells }) => [...cells.keys()]))]
  for (const row of rows)
    console.log(`| ${row} | ${columns.map(({ cells }) => cells.get(row) ?? '–').join(' | ')} |`)
})

/** Measures the rows, each group with an Apache of its own, and returns the cells by name of the row. */
async function measure(setup, load, only) {
  const cells = new Map()
  for (const { settings, rows } of GROUPS) {
    const chosen = rows.filter(({ name, isFor }) => name(load).includes(only) && (isFor ?? isWhole)(setup))
    if (chosen.length === 0) continue
    const site = await startSite(setup, settings(setup))
    try {
      for (const row of chosen) {
        // The other rows still count.
        const cell = await row.measure(site, load).catch((error) => `failed: ${error.message}`)
        cells.set(row.name(load), cell)
        console.error(`${setup.kind}: ${row.name(load)}: ${cell}`)
        const errors = site.newErrors()
        if (/ lost/.test(cell) && !cell.startsWith('0 ')) console.error(errors)
      }
    } finally {
      await stopSite(site)
    }
  }
  return cells
}

function versions() {
  const { stdout } = spawnSync('/usr/sbin/apache2', ['-v'], { encoding: 'utf8' })
  const names = ['libapache2-mod-fcgid', 'libapache2-mod-passenger']
  const packages = spawnSync('dpkg-query', ['-W', ...names], { encoding: 'utf8' }).stdout.trim()
  return `${/Apache\/[\d.]+/.exec(stdout)?.[0]}, ${packages.replaceAll('\t', ' ').replaceAll('\n', ', ')}`
}
