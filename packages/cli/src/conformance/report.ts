import type { Check, Result } from '@fcgi-bridge/conformance'
import { type Paint, printable, type Style } from '../terminal.ts'

const MARKS: Record<Result['verdict'], [style: Style, mark: string]> = {
  pass: ['green', 'pass'],
  fail: ['red', 'FAIL'],
  'not-applicable': ['dim', 'n/a '],
}

/** Formats one check for `--list`. */
export function formatCheck({ id, level, section, requirement }: Check, paint: Paint): string {
  return `${paint('bold', id)}  ${paint('dim', `${level}, ${section}`)}\n  ${requirement}`
}

/** Formats the result of one check on one line. For a failure, more lines show what was sent, expected and received. */
export function formatResult(result: Result, paint: Paint): string {
  const { check, verdict } = result
  const [style, mark] = MARKS[verdict]
  const line = `${paint(style, mark)}  ${check.id}`
  if (verdict === 'pass') return line
  if (verdict === 'not-applicable') return `${line}  ${paint('dim', printable(result.reason))}`
  const details = [
    [check.level, `${check.requirement} (${check.section})`],
    ['sent', result.sent],
    ['expected', result.expected],
    ['received', result.saw],
  ].filter(([, text]) => text !== '')
  return [line, ...details.map(([name, text]) => `      ${name!.padEnd(9)} ${printable(text!)}`)].join('\n')
}

/** The number of checks by result. */
export interface Counts {
  passed: number
  failed: number
  /** The failed checks of level `must`. */
  failedMust: number
  notApplicable: number
}

/** Formats the last line of the report. */
export function formatSummary(counts: Counts, paint: Paint): string {
  const { passed, failed, failedMust, notApplicable } = counts
  const levels = failed > 0 ? ` (${failedMust} must, ${failed - failedMust} should)` : ''
  return [
    paint('green', `${passed} passed`),
    paint(failed > 0 ? 'red' : 'dim', `${failed} failed${levels}`),
    paint('dim', `${notApplicable} not applicable`),
  ].join(', ')
}
