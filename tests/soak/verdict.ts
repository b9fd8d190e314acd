import type { Sample, Sampled } from './soak-site.ts'

const MIB = 1024 * 1024

export type Quantity = Exclude<keyof Sample, 'time'>

/** The most that each may grow over the second half of a run, by the line through its samples. */
const BARS: Record<Quantity, number> = { heap: MIB, rss: 8 * MIB, handles: 2, descriptors: 2 }

/** What a front server may keep open to an app while nothing runs, beside what was open at the app's start. */
const KEPT_CONNECTIONS = 8

/** Of a process that lived from before the middle of the run until its end. */
export interface Finding {
  name: string
  pid: number
  /** By how much each grew over the second half. */
  growth: Record<Quantity, number>
  /** At the end of the run, when nothing runs any more. */
  last: Sample
  /** What is not flat. */
  rises: Quantity[]
}

/**
 * Looks for what grows. `start` and `end` are those of the traffic, in milliseconds since 1970; the last samples were
 * taken behind it.
 */
export function judge(processes: readonly Sampled[], start: number, end: number): Finding[] {
  const middle = (start + end) / 2
  return processes
    .filter(({ samples }) => samples[0]!.time < middle && samples.at(-1)!.time > end)
    .map(({ name, pid, samples }) => {
      const half = samples.filter(({ time }) => time >= middle && time <= end)
      const growth = Object.fromEntries(
        quantities.map((quantity) => [quantity, slope(half, quantity) * (end - middle)]),
      ) as Record<Quantity, number>
      const last = samples.at(-1)!
      const isLeft = last.descriptors - samples[0]!.descriptors > KEPT_CONNECTIONS
      const rises = quantities.filter(
        (quantity) => growth[quantity] > BARS[quantity] || (quantity === 'descriptors' && isLeft),
      )
      return { name, pid, growth, last, rises }
    })
}

const quantities = Object.keys(BARS) as Quantity[]

/** Of the line of least squares, per millisecond. */
function slope(samples: readonly Sample[], quantity: Quantity): number {
  const meanTime = mean(samples.map(({ time }) => time))
  const meanValue = mean(samples.map((sample) => sample[quantity]))
  let above = 0
  let below = 0
  for (const sample of samples) {
    above += (sample.time - meanTime) * (sample[quantity] - meanValue)
    below += (sample.time - meanTime) ** 2
  }
  return below === 0 ? 0 : above / below
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
