import { describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../support/fronts/command-line.ts'
import { Site } from '../support/fronts/site.ts'

/** Lines of a server's config, by the place that they are in. */
export type Config = Readonly<Record<string, readonly string[]>>

/** Something that is wrong with a config. */
export interface Diagnosis {
  name: string
  /** The codes that the doctor is to find, and no others. */
  codes: readonly string[]
  /** Lines of the healthy config that are not there. */
  without?: RegExp
  /** Lines that are there instead. */
  wrong?: Config
  /**
   * Where the lines that the doctor prints go: one place for all, or one for each line. None where what is wrong has only to
   * be taken out, and the doctor says so in words.
   */
  place?: string | readonly string[]
  /** What the doctor is asked, beside the URL and the app. */
  args?: readonly string[]
}

/** A front server that can be set up wrongly. */
export interface Patient {
  name: string
  /** A config that nothing is wrong with. */
  healthy: Config
  /** The mount in it: `''`, or `/shop`. */
  prefix: string
  /** What the doctor finds however it is set up. */
  left?: readonly string[]
  /** Starts it with a config. Gives its URL, without the mount, and how the doctor gets behind it. */
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
  findings: { code: string; level: string; mend: Step & { otherwise?: Step } }[]
}

/** Several servers and command lines run at once, on machines that do other things besides. */
export const TIMEOUT = 120_000

/**
 * For each diagnosis: the server is set up wrongly, the doctor finds that and nothing else; the lines that it prints are
 * put into the config, and it finds nothing. And nothing in the healthy config.
 */
export function describeDiagnoses(patient: Patient, diagnoses: readonly Diagnosis[]): void {
  const { name, healthy, left = [] } = patient
  describe.concurrent(name, () => {
    test('nothing is wrong with a good config', { timeout: TIMEOUT }, async () => {
      expectFound(await withSite((site) => ask(site, patient, healthy)), left)
    })

    for (const diagnosis of diagnoses)
      test(diagnosis.name, { timeout: TIMEOUT }, async () => {
        const wrong = change(healthy, diagnosis.without, diagnosis.wrong)
        const ill = await withSite((site) => ask(site, patient, wrong, diagnosis.args))
        expectFound(ill, [...diagnosis.codes, ...left])
        const lines = ill.report.findings
          .filter(({ code }) => !left.includes(code))
          .flatMap(({ mend }) => mend.lines)
        expect(lines.length > 0).toBe(diagnosis.place !== undefined)
        const mended = change(healthy, diagnosis.without, placed(lines, diagnosis.place))
        const well = await withSite((site) => ask(site, patient, mended, diagnosis.args))
        expectFound(well, left)
      })
  })
}

function expectFound(
  { report, code }: { report: Report; code: number | null },
  codes: readonly string[],
): void {
  expect(codesOf(report)).toEqual([...codes].sort())
  const isHealthy = report.findings.every(({ level }) => level === 'note')
  expect(report.healthy).toBe(isHealthy)
  expect(code).toBe(isHealthy ? 0 : 6)
}

/** Asks the doctor, with JSON; `args` is the URL and what follows. */
export async function askDoctor(
  site: Site,
  ...args: string[]
): Promise<{ report: Report; code: number | null }> {
  const program = site.start(process.execPath, [COMMAND_LINE, 'doctor', ...args, '--json'])
  const { code } = await program.exited
  const [line] = await program.printed(/^\{.*\}$/m)
  const report: Report & { error?: unknown } = JSON.parse(line)
  if (report.error !== undefined) throw new Error(line)
  return { report, code }
}

/** The codes of what was found, sorted. */
export function codesOf({ findings }: Report): string[] {
  return findings.map(({ code }) => code).sort()
}

async function ask(
  site: Site,
  { start, prefix }: Patient,
  config: Config,
  more: readonly string[] = [],
): Promise<{ report: Report; code: number | null }> {
  const { origin, args } = await start(site, config)
  return askDoctor(site, origin + prefix, ...args, ...more)
}

/** Runs `use` with a site of its own, whose servers are killed then. */
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

function placed(lines: readonly string[], place: Diagnosis['place'] = []): Config {
  if (typeof place === 'string') return { [place]: lines }
  const places: Record<string, string[]> = {}
  for (const [index, line] of lines.entries()) {
    const at = place[index]!
    // Two findings may be mended by the same line.
    if (!places[at]?.includes(line)) places[at] = [...(places[at] ?? []), line]
  }
  return places
}
