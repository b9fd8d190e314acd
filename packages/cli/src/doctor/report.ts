import { type Paint, painter, printable } from '../terminal.ts'
import type { Finding, Level, Step } from './finding.ts'

/** The result of an examination. */
export interface Report {
  /** The URL of the front server, or the address of the app, that was examined. */
  of: string
  /** The front server's name and version, as it reports them. Undefined: it does not report them, or an app was examined. */
  software: string | undefined
  findings: Finding[]
  /** The names of the checks that found nothing. */
  passed: string[]
  /** What was not examined, and how to examine it. */
  hint?: string
}

const APPEARANCE: Record<Level, { sign: string; style: 'red' | 'yellow' | 'cyan' }> = {
  error: { sign: '✗', style: 'red' },
  warning: { sign: '!', style: 'yellow' },
  note: { sign: '·', style: 'cyan' },
}

/** Creates a report about a front server for which no check has passed. */
export function reportOf(url: URL, software: string | undefined, findings: Finding[]): Report {
  return { of: url.href, software, findings, passed: [] }
}

/** Whether there are no errors and no warnings. There may be notes. */
export function isHealthy({ findings }: Report): boolean {
  return findings.every(({ level }) => level === 'note')
}

/** Formats a report for people. */
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

function formatFinding({ code, level, problem, why, fix }: Finding, paint: Paint): string {
  const { sign, style } = APPEARANCE[level]
  const steps = fix.otherwise === undefined ? [fix] : [fix, fix.otherwise]
  return [
    `${paint(style, `${sign} ${printable(problem)}`)} ${paint('dim', `[${code}]`)}`,
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
  const faults = findings.length - notes
  const also = notes === 0 ? '' : ` ${count(notes, 'possible improvement')}.`
  if (faults > 0) return `${count(faults, 'fault')} to fix.${also}`
  return isExamined ? `No faults found.${also}` : `No faults found from outside.${also}`
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
