import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { bin, root, run } from './run.js'

// A run that hangs, in milliseconds: every test has a time limit of its own, but what blocks its thread has none.
const TIMEOUT = 30 * 60 * 1000

/**
 * Runs vitest under the Node at `node` with its own command-line arguments, and returns how many tests passed, failed
 * and were skipped, and a line for each `failure`. A file that cannot even be loaded, or an error outside of any test,
 * counts as one failure.
 */
export function runVitest(node, args) {
  const folder = mkdtempSync(join(tmpdir(), 'fcgi-bridge-'))
  const report = join(folder, 'report.json')
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
    const ok = run(node, [bin('vitest', 'vitest.mjs'), 'run', ...reporters, ...args], { timeout: TIMEOUT })
    const counts = readReport(report)
    if (!ok && counts.failed === 0) {
      counts.failed = 1
      counts.failures.push('An error outside of any test, or a run without end: see above')
    }
    return counts
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** How many tests passed and failed, in a line. */
export function summary({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

/** Prints what ends every run of tests, and what people and CI look for: a line for each failure, then the counts. */
export function conclude(counts) {
  for (const failure of counts.failures) console.log(`FAILED ${failure}`)
  console.log(summary(counts))
  if (counts.failed > 0) process.exitCode = 1
}

function readReport(file) {
  let report
  try {
    report = JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return {
      passed: 0,
      failed: 1,
      skipped: 0,
      failures: ['Vitest ended before it wrote its report: see above'],
    }
  }
  const failures = report.testResults.flatMap((file) => failuresIn(file))
  return {
    passed: report.numPassedTests,
    failed: failures.length,
    skipped: report.numPendingTests + report.numTodoTests,
    failures,
  }
}

function failuresIn({ name, status, message, assertionResults }) {
  const file = relative(root, name)
  const failed = assertionResults.filter((test) => test.status === 'failed')
  if (failed.length === 0 && status === 'failed') return [`${file}: ${firstLine(message)}`]
  return failed.map((test) => `${file} > ${test.fullName}: ${firstLine(test.failureMessages[0])}`)
}

function firstLine(text = '') {
  return text.split('\n', 1)[0]
}
