import { type Paint, painter, printable } from '../terminal.ts'
import type { Finding, Level, Step } from './finding.ts'

/** What came of an examination. */
export interface Report {
  /** What was examined: the URL of a front server, or the address of an app. */
  of: string
  /** What the front server says that it is; undefined where it does not, or there is none. */
  software: string | undefined
  findings: Finding[]
  /** The names of the checks that found nothing. */
  passed: string[]
  /** What was not looked at, and how it would be. */
  hint?: string
}

const LOOKS: Record<Level, { sign: string; style: 'red' | 'yellow' | 'cyan' }> = {
  error: { sign: '✗', style: 'red' },
  warning: { sign: '!', style: 'yellow' },
  note: { sign: '·', style: 'cyan' },
}

/** A report of a front server, of which nothing was found to be well. */
export function reportOf(url: URL, software: string | undefined, findings: Finding[]): Report {
  return { of: url.href, software, findings, passed: [] }
}

/** Whether all is well: notes are no matter. */
export function isHealthy({ findings }: Report): boolean {
  return findings.every(({ level }) => level === 'note')
}

/** A report for people. */
export function formatReport(report: Report, paint: Paint = painter(process.stdout)): string {
  const { of, software, findings, passed, hint } = report
  const paragraphs = [
    `${paint('bold', of)}${software === undefined ? '' : ` (${printable(software)})`}`,
    ...findings.map((finding) => formatFinding(finding, paint)),
    ...(passed.length > 0 ? [`${paint('green', '✓')} ${passed.join(', ')}`] : []),
    ...(hint === undefined ? [] : [hint]),
    summaryOf(findings, passed.length > 0),
  ]
  return `${paragraphs.join('\n\n')}\n`
}

function formatFinding({ code, level, seen, why, mend }: Finding, paint: Paint): string {
  const { sign, style } = LOOKS[level]
  const steps = mend.otherwise === undefined ? [mend] : [mend, mend.otherwise]
  return [
    `${paint(style, `${sign} ${printable(seen)}`)} ${paint('dim', `[${code}]`)}`,
    `  ${why}`,
    ...steps.flatMap((step) => formatStep(step, paint)),
  ].join('\n')
}

function formatStep({ where, lines }: Step, paint: Paint): string[] {
  if (lines.length === 0) return [`  → ${printable(where)}`]
  return [`  → ${printable(where)}:`, ...lines.map((line) => `      ${paint('bold', printable(line))}`)]
}

function summaryOf(findings: readonly Finding[], isExamined: boolean): string {
  const notes = findings.filter(({ level }) => level === 'note').length
  const rest = findings.length - notes
  const noted = notes === 0 ? '' : `, ${notes} that can be better`
  if (rest > 0) return `${rest} to mend${noted}.`
  return isExamined ? `Nothing is wrong${noted}.` : `Nothing wrong is seen from outside${noted}.`
}
