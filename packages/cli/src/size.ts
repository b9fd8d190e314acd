import { InvalidArgumentError } from 'commander'

// Front servers hold sizes in a signed 32 bit number somewhere.
const MAX = 2 ** 31 - 1
const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }

/** A size of the command line, `500k`, `10m`, `1g` or bytes, as a number of bytes. */
export function parseSize(text: string): number {
  const match = /^(\d{1,12})([kmg]?)$/i.exec(text)
  const bytes = Number(match?.[1]) * UNITS[match?.[2]?.toLowerCase() ?? '']!
  if (match === null || bytes === 0 || bytes > MAX) {
    throw new InvalidArgumentError('It takes a size such as 500k or 10m, below 2g.')
  }
  return bytes
}

/** The same the other way round: a whole number of the largest unit that does. */
export function formatSize(bytes: number): string {
  const unit = ['g', 'm', 'k'].find((name) => bytes % UNITS[name]! === 0) ?? ''
  return `${bytes / UNITS[unit]!}${unit}`
}
