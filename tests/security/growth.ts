// Measures how the CPU time of some work grows with the size of its input.

// From an eighth of the size to the full size, quadratic time grows 64-fold and linear time 8-fold. The margin is for caches and
// garbage collection.
const RATIO_MAX = 12
// Other processes disturb a measurement. Quadratic time never passes, however often it is measured.
const TRIES = 12

// In milliseconds. Shorter times are ignored: they cannot be used for an attack, and are mostly fixed costs and garbage collection.
const floorFor = (size: number): number => 20 + size * 0.00015

/** One input of a program. */
export interface Input {
  /** The largest size that is accepted, in characters. */
  max: number
  /** Settles when the program has processed or rejected the input. */
  feed(text: string): Promise<unknown>
}

// The units that parsers search for, split at, trim, decode and join.
const UNITS = [
  ...[
    ' ',
    '\t',
    ',',
    ', ',
    ' ,',
    ';',
    '.',
    '/',
    '/..',
    '\\',
    '%',
    '%2e',
    '"',
    '=',
    ':',
    '-',
    'a.',
    'xn--',
    'a',
    '?',
  ],
  '\xe9',
]

// The text before and after the repeated unit. A leading blank makes a parser trim, and `xn--` makes it decode a label.
const FRAMES: readonly { before: string; after: string; units: readonly string[] }[] = [
  { before: '', after: '', units: UNITS },
  { before: 'a', after: 'a', units: UNITS },
  { before: '\ta', after: 'a', units: [' ', '\t', ', ', ' ,'] },
  { before: 'a', after: 'a\t', units: [' ', '\t'] },
  { before: 'xn--', after: '', units: ['a', 'b', 'c', 'a-', '\xe9'] },
]

/**
 * Feeds an input with each of {@link FRAMES} around each of its units, repeated until the text has an eighth of the largest size, and then
 * until it has the largest size. Resolves with a line for each text that takes more than linear time.
 */
export async function findSuperlinear({ max, feed }: Input): Promise<string[]> {
  const found: string[] = []
  for (const { before, after, units } of FRAMES) {
    for (const unit of units) {
      const make = (size: number): string => {
        const count = Math.floor((size - before.length - after.length) / unit.length)
        return before + unit.repeat(count) + after
      }
      const times = await growth((size) => feed(make(size)), max)
      if (times !== undefined)
        found.push(`${JSON.stringify(before + unit)}…${JSON.stringify(after)}: ${times}`)
    }
  }
  return found
}

// The smaller size comes first, so that quadratic time is found before it takes a minute.
async function growth(work: (size: number) => Promise<unknown>, max: number): Promise<string | undefined> {
  for (const large of [Math.floor(max / 8), max]) {
    let time = await cpuTime(() => work(large))
    const floor = floorFor(large)
    if (time < floor) continue
    const small = Math.floor(large / 8)
    let smallTime = Number.POSITIVE_INFINITY
    for (let tries = 0; ; tries++) {
      smallTime = Math.min(smallTime, await cpuTime(() => work(small)))
      if (time < floor || time / smallTime <= RATIO_MAX) break
      if (tries === TRIES) {
        return `${smallTime.toFixed(1)} ms for ${small} characters, ${time.toFixed(1)} ms for ${large}`
      }
      time = Math.min(time, await cpuTime(() => work(large)))
    }
  }
  return undefined
}

/** The CPU time of this process and all its threads, in milliseconds. */
async function cpuTime(work: () => Promise<unknown>): Promise<number> {
  const begin = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(begin)
  return (user + system) / 1000
}
