import type { Sample, Sampled } from './soak-site.ts'

const MIB = 1024 * 1024

export type Quantity = Exclude<keyof Sample, 'time'>

/** The allowed growth of each quantity over the second half of a run, from a line fitted to its samples. */
const BARS: Record<Quantity, number> = { heap: MIB, rss: 8 * MIB, handles: 2, descriptors: 2 }

/** The number of connections that a front server may keep open to an idle app, in addition to what was open at its start. */
const KEPT_CONNECTIONS = 8

/** The growth of a process that lived from before the middle of the run until its end. */
export interface Finding {
  name: string
  pid: number
  /** The growth of each quantity over the second half. */
  growth: Record<Quantity, number>
  /** The last sample of the run, when no request is running. */
  last: Sample
  /** The quantities that grew more than allowed. */
  rises: Quantity[]
}

/**
 * Finds the quantities that grow. `start` and `end` are the times of the traffic, in milliseconds since 1970. The last samples
 * were taken after it.
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

/** The slope of the least-squares line, per millisecond. */
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
