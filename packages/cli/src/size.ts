import { InvalidArgumentError } from 'commander'

// Some front servers hold sizes in a signed 32-bit number.
const MAX = 2 ** 31 - 1
const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }

/** Parses a size, `500k`, `10m`, `1g` or bytes, and returns bytes. Throws InvalidArgumentError for 0 and from 2 GiB. */
export function parseSize(text: string): number {
  const bytes = bytesOf(text)
  if (bytes === undefined || bytes > MAX) {
    throw new InvalidArgumentError('It takes a size such as 500k or 10m, below 2g.')
  }
  return bytes
}

/** Parses an amount of memory, as {@link parseSize} does, without its upper limit. */
export function parseMemory(text: string): number {
  const bytes = bytesOf(text)
  if (bytes === undefined) throw new InvalidArgumentError('It takes a size such as 512m or 2g.')
  return bytes
}

function bytesOf(text: string): number | undefined {
  const match = /^(\d{1,12})([kmg]?)$/i.exec(text)
  const bytes = Number(match?.[1]) * UNITS[match?.[2]?.toLowerCase() ?? '']!
  return match === null || bytes === 0 ? undefined : bytes
}

/** Formats bytes as a whole number of the largest unit that divides them: the inverse of {@link parseSize}. */
export function formatSize(bytes: number): string {
  const unit = ['g', 'm', 'k'].find((name) => bytes % UNITS[name]! === 0) ?? ''
  return `${bytes / UNITS[unit]!}${unit}`
}
