import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bin, run } from './run.js'

// A run that hangs, in milliseconds: every test has a time limit of its own, but what blocks its thread has none.
const TIMEOUT = 30 * 60 * 1000

/**
 * Runs vitest under the Node at `node` with its own command-line arguments, and returns how many tests passed, failed
 * and were skipped. A file that cannot even be loaded, or an error outside of any test, counts as one failure.
 */
export function runVitest(node, args) {
  const folder = mkdtempSync(join(tmpdir(), 'fcgi-bridge-'))
  const report = join(folder, 'report.json')
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
    const ok = run(node, [bin('vitest', 'vitest.mjs'), 'run', ...reporters, ...args], { timeout: TIMEOUT })
    const counts = readReport(report)
    if (!ok && counts.failed === 0) counts.failed = 1
    return counts
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The line that ends every run of tests: what people and CI look for. */
export function summary({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

function readReport(file) {
  let report
  try {
    report = JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    // Vitest ended before it wrote one.
    return { passed: 0, failed: 1, skipped: 0 }
  }
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + report.testResults.filter((file) => isBroken(file)).length,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

function isBroken(file) {
  return file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed')
}
