// Mixed traffic for some time, and what the apps' processes hold meanwhile. `npm run soak` runs this for half an hour, and
// keeps what it found; among the other tests it shows that the tool works, and that nothing fails.
import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { expect, onTestFailed, test } from 'vitest'
import { apacheFcgid } from '../support/fronts/apache-fcgid.ts'
import { APPS } from '../support/fronts/front.ts'
import { nginx } from '../support/fronts/nginx.ts'
import { plot } from './plot.ts'
import { report } from './report.ts'
import { type Sampled, SoakSite } from './soak-site.ts'
import { SAID, type Target, Traffic } from './traffic.ts'
import { MINUTES_VARIABLE } from './variables.js'
import { judge } from './verdict.ts'

const RESULTS = new URL('results/', import.meta.url)

/** Without `npm run soak`, in milliseconds. */
const SHORT = 6000

const asked = process.env[MINUTES_VARIABLE]
const duration = asked === undefined ? SHORT : Number(asked) * 60_000
const interval = Math.max(500, duration / 300)
const starting = 120_000

/** Both apps, in three ways each. */
const PROGRAMS = 3 * APPS.length

test('mixed traffic through nginx and under mod_fcgid', { timeout: duration + starting }, async () => {
  const site = new SoakSite(interval)
  let log = ''
  onTestFailed(() => console.error(log))
  try {
    site.control.say(SAID, 'go')
    const targets = await startTargets(site)
    const traffic = new Traffic(targets, { clients: 2, pause: 20 })
    // mod_fcgid starts its apps at their first requests.
    await site.until((processes) => namesOf(processes) === PROGRAMS)
    const start = Date.now()
    await setTimeout(duration)
    const end = Date.now()
    await traffic.stop()
    // The last samples are of processes at rest.
    const rest = Date.now()
    const isAtRest = ({ samples }: Sampled) => samples[0]!.time <= start && samples.at(-1)!.time > rest
    await site.until((processes) => namesOf(processes.filter(isAtRest)) === PROGRAMS)

    const processes = site.sampled()
    const findings = judge(processes, start, end)
    const svg = plot(processes)
    const text = report({ start, end, traffic, processes, findings })
    if (asked !== undefined) {
      mkdirSync(RESULTS, { recursive: true })
      writeFileSync(new URL('soak.svg', RESULTS), svg)
      writeFileSync(new URL('README.md', RESULTS), text)
      console.log(text)
    }

    expect(traffic.failures).toEqual([])
    expect(Object.entries(traffic.done).filter(([, count]) => count === 0)).toEqual([])
    expect(svg.match(/<path class="(own|third)"/g)).toHaveLength(4 * processes.length)
    // Every app, however it is reached; each was there from the beginning to the end.
    expect(namesOf(findings)).toBe(PROGRAMS)
    if (asked !== undefined) expect(findings.filter(({ rises }) => rises.length > 0)).toEqual([])
  } finally {
    log = site.report()
    await site.stop()
  }
})

/** How many programs these are of. */
function namesOf(processes: readonly { name: string }[]): number {
  return new Set(processes.map(({ name }) => name)).size
}

/** Both apps, through nginx in every mode, and under mod_fcgid behind a ScriptAlias. */
async function startTargets(site: SoakSite): Promise<Target[]> {
  const fronts = [
    { front: nginx, modes: nginx.modes },
    { front: apacheFcgid, modes: apacheFcgid.modes.filter(({ name }) => name === 'ScriptAlias') },
  ]
  const targets: Target[] = []
  for (const { front, modes } of fronts) {
    const running = await front.start(site)
    for (const mode of modes) {
      for (const app of APPS) {
        const name = `${app}: ${front.name}, ${mode.name}`
        targets.push({ name, mode, origin: running.origin(mode.name, app) })
      }
    }
  }
  return targets
}
