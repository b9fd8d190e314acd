import { InvalidArgumentError } from 'commander'

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  '': 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** Parses a duration, `500ms`, `30s`, `5m`, `12h`, `1d` or seconds, and returns milliseconds. Throws InvalidArgumentError. */
export function parseDuration(text: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|[smhd]?)$/.exec(text)
  if (match === null) throw new InvalidArgumentError('It takes a duration such as 500ms, 30s, 5m or 12h.')
  return Number(match[1]) * UNITS[match[2]!]!
}

/** Formats milliseconds for people: `350 ms`, `3.2 s`, `12 min`, `5 h`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`
  const seconds = milliseconds / 1000
  if (seconds < 120) return `${Number(seconds.toFixed(1))} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
}
