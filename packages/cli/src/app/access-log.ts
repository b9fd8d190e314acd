import { type Paint, printable } from '../terminal.ts'
import type { LogEntry } from './exchange-log.ts'

/** The format of a log line: {@link formatShort} or {@link formatCombined}. */
export type LogFormat = 'short' | 'combined'

/** Formats `GET /cart?x=1 200 3.2 ms - 512`, like Morgan's `dev` format, with a coloured status. `-` stands for what is unknown. */
export function formatShort(entry: LogEntry, paint: Paint): string {
  const { method = '-', target = '-', status, duration, bytes, outcome } = entry
  const ending = outcome === 'ended' ? '' : ` ${paint('red', outcome)}`
  return `${method} ${printable(target)} ${paint(colorOf(status), String(status ?? '-'))} ${duration.toFixed(1)} ms - ${bytes}${ending}`
}

/** Formats a line in Apache's combined log format, which log analysers read. */
export function formatCombined(entry: LogEntry): string {
  const { remoteAddress = '-', remoteUser, method, target, protocol, status = '-', bytes } = entry
  const request = method === undefined ? '-' : `${method} ${target ?? '-'} ${protocol}`
  return [
    remoteAddress,
    '-',
    remoteUser === undefined ? '-' : quoted(remoteUser).replaceAll(' ', '\\x20'),
    `[${commonTime(entry.time)}]`,
    `"${quoted(request)}"`,
    status,
    bytes === 0 ? '-' : bytes,
    `"${quoted(entry.referrer ?? '-')}"`,
    `"${quoted(entry.userAgent ?? '-')}"`,
  ].join(' ')
}

function colorOf(status: number | undefined): 'red' | 'yellow' | 'cyan' | 'green' {
  if (status === undefined || status >= 500) return 'red'
  if (status >= 400) return 'yellow'
  return status >= 300 ? 'cyan' : 'green'
}

// 25/Nov/2026:20:50:00 +0000
function commonTime(time: Date): string {
  const [, day, month, year, clock] = /^\w+, (\d+) (\w+) (\d+) ([\d:]+)/.exec(time.toUTCString())!
  return `${day}/${month}/${year}:${clock} +0000`
}

// Escapes as Apache does, so that a client cannot inject log lines.
function quoted(text: string): string {
  return printable(text.replace(/["\\]/g, '\\$&')).replaceAll('\n', '\\n').replaceAll('\t', '\\t')
}
