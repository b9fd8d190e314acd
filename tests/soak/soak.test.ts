// Sends mixed traffic and samples the resources of the app processes. `npm run soak` does this for half an hour and keeps the
// results. The short run among the other tests proves that the tool works and that no request fails.
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

/** Duration of a run without `npm run soak`, in milliseconds. */
const SHORT = 6000

const minutes = process.env[MINUTES_VARIABLE]
const duration = minutes === undefined ? SHORT : Number(minutes) * 60_000
const interval = Math.max(500, duration / 300)
const starting = 120_000

/** Both apps, each reached in three ways. */
const PROGRAMS = 3 * APPS.length

test('mixed traffic through nginx and under mod_fcgid', { timeout: duration + starting }, async () => {
  const site = new SoakSite(interval)
  let log = ''
  onTestFailed(() => console.error(log))
  try {
    site.control.send(SAID, 'continue')
    const targets = await startTargets(site)
    const traffic = new Traffic(targets, { clients: 2, pause: 20 })
    // mod_fcgid starts an app at its first request.
    await site.until((processes) => namesOf(processes) === PROGRAMS)
    const start = Date.now()
    await setTimeout(duration)
    const end = Date.now()
    await traffic.stop()
    // Take the last samples while no request is running.
    const rest = Date.now()
    const isAtRest = ({ samples }: Sampled) => samples[0]!.time <= start && samples.at(-1)!.time > rest
    await site.until((processes) => namesOf(processes.filter(isAtRest)) === PROGRAMS)

    const processes = site.sampled()
    const findings = judge(processes, start, end)
    const svg = plot(processes)
    const text = report({ start, end, traffic, processes, findings })
    if (minutes !== undefined) {
      mkdirSync(RESULTS, { recursive: true })
      writeFileSync(new URL('soak.svg', RESULTS), svg)
      writeFileSync(new URL('README.md', RESULTS), text)
      console.log(text)
    }

    expect(traffic.failures).toEqual([])
    expect(Object.entries(traffic.done).filter(([, count]) => count === 0)).toEqual([])
    expect(svg.match(/<path class="(own|third)"/g)).toHaveLength(4 * processes.length)
    // One process for each app and way to reach it, each alive for the whole run.
    expect(namesOf(findings)).toBe(PROGRAMS)
    if (minutes !== undefined) expect(findings.filter(({ rises }) => rises.length > 0)).toEqual([])
  } finally {
    log = site.report()
    await site.stop()
  }
})

/** The number of different programs. */
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
