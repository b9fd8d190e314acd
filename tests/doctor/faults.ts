import { describe, expect, test } from 'vitest'
import { run } from '../../packages/cli/src/run.ts'
import { Site } from '../support/fronts/site.ts'

/** Lines of a server's config, by their section. */
export type Config = Readonly<Record<string, readonly string[]>>

/** A fault in a config. */
export interface Fault {
  name: string
  /** The codes of the expected findings. There must be no others. */
  codes: readonly string[]
  /** The lines that are removed from the healthy config. */
  without?: RegExp
  /** The lines that are added to the healthy config. */
  wrong?: Config
  /**
   * The places for the lines of the doctor's fix: one place for all lines, or one for each line. Undefined: the fix only removes
   * lines, so the doctor describes it in words.
   */
  place?: string | readonly string[]
  /** Arguments of the doctor, in addition to the URL and the app. */
  args?: readonly string[]
}

/** A front server to be tested with faults in its config. */
export interface FrontSetup {
  name: string
  /** A config without faults. */
  healthy: Config
  /** The app's mount in that config: `''` or `/shop`. */
  prefix: string
  /** The codes of findings that no config of this server can avoid. */
  always?: readonly string[]
  /** Starts the server with a config. Returns its URL without the mount, and the doctor's arguments for the app or the probe. */
  start(site: Site, config: Config): Promise<{ origin: string; args: readonly string[] }>
}

interface Step {
  where: string
  lines: string[]
}

interface Report {
  of: string
  healthy: boolean
  hint?: string
  findings: { code: string; level: string; fix: Step & { otherwise?: Step } }[]
}

/** Milliseconds. The tests start many processes at the same time, so they are slow on a loaded machine. */
export const TIMEOUT = 120_000

/**
 * Defines tests for a front server. The doctor must find nothing in the healthy config. For each fault it must find that fault and
 * no other. The lines of its fix are then added to the config, and it must find nothing.
 */
export function testFaults(setup: FrontSetup, faults: readonly Fault[]): void {
  const { name, healthy, always = [] } = setup
  describe.concurrent(name, () => {
    test('the doctor finds no fault in a good config', { timeout: TIMEOUT }, async () => {
      expectFound(await withSite((site) => ask(site, setup, healthy)), always)
    })

    for (const fault of faults)
      test(fault.name, { timeout: TIMEOUT }, async () => {
        const wrong = change(healthy, fault.without, fault.wrong)
        const before = await withSite((site) => ask(site, setup, wrong, fault.args))
        expectFound(before, [...fault.codes, ...always])
        const lines = before.report.findings
          .filter(({ code }) => !always.includes(code))
          .flatMap(({ fix }) => fix.lines)
        expect(lines.length > 0).toBe(fault.place !== undefined)
        const fixed = change(healthy, fault.without, placed(lines, fault.place))
        const after = await withSite((site) => ask(site, setup, fixed, fault.args))
        expectFound(after, always)
      })
  })
}

function expectFound({ report, code }: { report: Report; code: number }, codes: readonly string[]): void {
  expect(codesOf(report)).toEqual([...codes].sort())
  const isHealthy = report.findings.every(({ level }) => level === 'note')
  expect(report.healthy).toBe(isHealthy)
  expect(code).toBe(isHealthy ? 0 : 6)
}

/**
 * Runs the doctor with `--json` in this process: these tests run it two hundred times, and the start of a process costs more than the
 * examination. `args` are the URL and more arguments.
 */
export async function askDoctor(...args: string[]): Promise<{ report: Report; code: number }> {
  let text = ''
  const stdout = { write: (more: string) => (text += more) }
  const code = await run(['doctor', ...args, '--json'], stdout, { write: () => true })
  const report: Report & { error?: unknown } = JSON.parse(text)
  if (report.error !== undefined) throw new Error(text)
  return { report, code }
}

/** The sorted codes of the findings. */
export function codesOf({ findings }: Report): string[] {
  return findings.map(({ code }) => code).sort()
}

async function ask(
  site: Site,
  { start, prefix }: FrontSetup,
  config: Config,
  more: readonly string[] = [],
): Promise<{ report: Report; code: number }> {
  const { origin, args } = await start(site, config)
  return askDoctor(origin + prefix, ...args, ...more)
}

/** Runs `use` with a new site, and kills its servers afterwards. */
export async function withSite<T>(use: (site: Site) => Promise<T>): Promise<T> {
  const site = new Site()
  try {
    return await use(site)
  } catch (error) {
    console.error(site.report())
    throw error
  } finally {
    await site.kill()
  }
}

function change(config: Config, without: RegExp | undefined, more: Config = {}): Config {
  const places = new Set([...Object.keys(config), ...Object.keys(more)])
  return Object.fromEntries(
    [...places].map((place) => {
      const kept = (config[place] ?? []).filter((line) => !without?.test(line))
      return [place, [...kept, ...(more[place] ?? [])]]
    }),
  )
}

function placed(lines: readonly string[], place: Fault['place'] = []): Config {
  if (typeof place === 'string') return { [place]: lines }
  const places: Record<string, string[]> = {}
  for (const [index, line] of lines.entries()) {
    const at = place[index]!
    // Two findings may have the same line as their fix.
    if (!places[at]?.includes(line)) places[at] = [...(places[at] ?? []), line]
  }
  return places
}
