import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { bin, root, run } from './run.js'

// A run that hangs, in milliseconds: every test has a time limit of its own, but what blocks its thread has none.
const TIMEOUT = 30 * 60 * 1000

// How much of a failure's message is told in its line, in characters.
const LINE = 600

// So many files may have failed for others' sake: more are no accident.
const AGAIN_MAX = 3

/**
 * Runs vitest with its own command-line arguments, and returns how many tests passed, failed and were skipped, and the
 * `failures`: a `test` and its `message`. A file that cannot be loaded, or an error outside of any test, counts as one failure.
 * `node` is the path of a Node, or a function from a script with its arguments to the command that runs it.
 */
export function runVitest(node, args) {
  const { ok, files } = vitest(node, args)
  return countsOf(ok, files)
}

/**
 * The same for all tests there are. Those in `tests/` share the machine with front servers, and hundreds of other processes: up to
 * three of their files that fail are run once more, one by one. What passes then has passed, and is among the `unstable`.
 */
export function runAllTests(node, args = []) {
  const first = vitest(node, args)
  const failed = first.files.filter(({ status }) => status === 'failed')
  const mayPass = failed.length <= AGAIN_MAX && failed.every(({ name }) => name.startsWith(`${root}tests/`))
  if (failed.length === 0 || !mayPass) return countsOf(first.ok, first.files)
  const again = failed.map(({ name }) => vitest(node, [name]))
  const others = first.files.filter(({ status }) => status !== 'failed')
  const ok = again.every((run) => run.ok)
  const counts = countsOf(ok, [...others, ...again.flatMap((run) => run.files)])
  const still = new Set(counts.failures.map(({ test }) => test))
  counts.unstable = failed.flatMap(failuresIn).filter(({ test }) => !still.has(test))
  return counts
}

/** How many tests passed and failed, in a line. */
export function summary({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

/** Prints what ends every run of tests, and what people and CI look for: a line for each that failed, then the counts. */
export function conclude(counts) {
  for (const { test, message } of counts.unstable) console.log(`UNSTABLE ${test}: ${message}`)
  for (const { test, message } of counts.failures) console.log(`FAILED ${test}: ${message}`)
  console.log(summary(counts))
  if (counts.failed > 0) process.exitCode = 1
}

/** Runs vitest; gives whether it is content, and what it reports of each file: none where it did not come to its report. */
function vitest(node, args) {
  const folder = mkdtempSync(join(tmpdir(), 'fcgi-bridge-'))
  const report = join(folder, 'report.json')
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
    const script = [bin('vitest', 'vitest.mjs'), 'run', ...reporters, ...args]
    const [command, ...rest] = typeof node === 'function' ? node(script) : [node, ...script]
    const ok = run(command, rest, { timeout: TIMEOUT })
    return { ok, files: readReport(report) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).testResults
  } catch {
    return []
  }
}

function countsOf(ok, files) {
  const failures = files.flatMap(failuresIn)
  if (!ok && failures.length === 0) {
    failures.push({ test: 'No test', message: 'an error outside of any, or a run without end: see above' })
  }
  const statuses = files.flatMap(({ assertionResults }) => assertionResults.map(({ status }) => status))
  const passed = statuses.filter((status) => status === 'passed').length
  const failed = statuses.filter((status) => status === 'failed').length
  return {
    passed,
    failed: failures.length,
    skipped: statuses.length - passed - failed,
    failures,
    unstable: [],
  }
}

function failuresIn({ name, status, message, assertionResults }) {
  const file = relative(root, name)
  const failed = assertionResults.filter((test) => test.status === 'failed')
  if (failed.length === 0 && status === 'failed') return [{ test: file, message: inOneLine(message) }]
  return failed.map(({ fullName, failureMessages }) => ({
    test: `${file} > ${fullName}`,
    message: inOneLine(failureMessages[0]),
  }))
}

// What was thrown, without its stack, in a line: what a program printed before it ended is in the message.
function inOneLine(text = '') {
  const [message] = text.split(/\n +at /, 1)
  const line = message.trim().replace(/\s*\n\s*/g, ' ¶ ')
  return line.length > LINE ? `${line.slice(0, LINE)}…` : line
}
