import { formatAddress } from '@fcgi-bridge/client'
import { type Address, CHECKS, type Check, type Result, runChecks, Unmet } from '@fcgi-bridge/conformance'
import { EXIT } from '../exit-codes.ts'
import { Failure, Verdict } from '../failure.ts'
import { type Output, painter, printJson } from '../terminal.ts'
import { type Counts, formatCheck, formatResult, formatSummary } from './report.ts'

/** The values of the flags of `fcgi-bridge conformance`. */
export interface ConformanceFlags {
  /** Areas, and names of checks. Empty: all checks. */
  only: readonly string[]
  list?: boolean
  base: string
  params: Readonly<Record<string, string>>
  /** Milliseconds. */
  timeout: number
  json?: boolean
}

/** Lists the checks. Throws a Failure if `only` has a name that is neither a check nor an area. */
export function listChecks({ only, json }: ConformanceFlags, output: Output = process.stdout): void {
  const checks = select(only)
  if (json) printJson({ checks: checks.map(describe) }, output)
  else for (const check of checks) output.write(`${formatCheck(check, painter(output))}\n`)
}

/**
 * Runs the checks, and prints each result at once. Throws a Failure if no server responds, or if the app does not have the required
 * routes. Throws a Verdict if a check fails.
 */
export async function checkConformance(
  address: Address,
  flags: ConformanceFlags,
  output: Output = process.stdout,
): Promise<void> {
  const checks = select(flags.only)
  const paint = painter(output)
  const results: Result[] = []
  for await (const result of resultsOf(checks, address, flags)) {
    results.push(result)
    if (!flags.json) output.write(`${formatResult(result, paint)}\n`)
  }
  const counts = count(results)
  if (flags.json) printJson({ ...counts, results: results.map(asJson) }, output)
  else output.write(`\n${formatSummary(counts, paint)}\n`)
  if (counts.failed > 0) throw new Verdict(EXIT.badResponse)
}

function select(names: readonly string[]): readonly Check[] {
  for (const name of names) {
    if (CHECKS.some(({ id }) => matches(id, name))) continue
    const areas = [...new Set(CHECKS.map(({ id }) => id.slice(0, id.indexOf('/'))))]
    throw new Failure(
      EXIT.usage,
      `There is no check ${name}. The areas are ${areas.join(', ')}. Use --list to see all checks.`,
    )
  }
  return names.length === 0 ? CHECKS : CHECKS.filter(({ id }) => names.some((name) => matches(id, name)))
}

function matches(id: string, name: string): boolean {
  return id === name || id.startsWith(`${name}/`)
}

async function* resultsOf(
  checks: readonly Check[],
  address: Address,
  { base, params, timeout }: ConformanceFlags,
): AsyncGenerator<Result, void> {
  try {
    yield* runChecks(checks, { address, base, params, timeout })
  } catch (error) {
    if (!(error instanceof Unmet)) throw error
    const where = formatAddress(address)
    if (error.sent === '') {
      throw new Failure(
        EXIT.unreachable,
        `No server responds at ${where}: ${error.saw}. Start the app, or give the address on which it listens.`,
        { code: error.saw },
      )
    }
    throw new Failure(
      EXIT.badResponse,
      `The app at ${where} does not serve ${base}/bytes/10, so the checks cannot run.\nExpected ${error.expected}.\n` +
        `Received ${error.saw}.\nAdd the routes that the README of @fcgi-bridge/conformance describes, or give their path with --base.`,
    )
  }
}

function count(results: readonly Result[]): Counts {
  const failed = results.filter(({ verdict }) => verdict === 'fail')
  return {
    passed: results.filter(({ verdict }) => verdict === 'pass').length,
    failed: failed.length,
    failedMust: failed.filter(({ check }) => check.level === 'must').length,
    notApplicable: results.filter(({ verdict }) => verdict === 'not-applicable').length,
  }
}

function describe({ id, level, section, requirement }: Check): object {
  return { id, level, section, requirement }
}

function asJson({ check, ...result }: Result): object {
  return { ...describe(check), ...result }
}
