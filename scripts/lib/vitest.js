import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { bin, root, runAsync } from './run.js'

// The time limit of a run, in milliseconds. Each test has its own time limit, but that does not stop code that blocks its thread.
const TIMEOUT = 30 * 60 * 1000

// The largest length of a failure's message in its line, in characters.
const MESSAGE_MAX = 600

// Up to this many failed files are run again. More failures are unlikely to be caused by load.
const RETRIED_FILES_MAX = 3

/**
 * Runs vitest with its own command-line arguments, and resolves with how many tests passed, failed and were skipped, and the
 * `failures`: a `test` and its `message`. A file that cannot be loaded, or an error outside of any test, counts as one failure.
 * `node` is the path of a Node, or a function from a script with its arguments to the command that runs it.
 */
export async function runVitest(node, args) {
  const { ok, files } = await vitest(node, args)
  return countsOf(ok, files)
}

/**
 * Like {@link runVitest}, for all tests. They run at the same time as front servers and hundreds of other processes, so up to three files
 * that fail are run once more, one at a time. A test that passes then counts as passed, and is listed in `unstable`.
 */
export async function runAllTests(node, args = []) {
  const first = await vitest(node, args)
  const failed = first.files.filter(({ status }) => status === 'failed')
  if (failed.length === 0 || failed.length > RETRIED_FILES_MAX) return countsOf(first.ok, first.files)
  const again = []
  for (const { name } of failed) again.push(await vitest(node, [name]))
  const others = first.files.filter(({ status }) => status !== 'failed')
  const ok = again.every((run) => run.ok)
  const counts = countsOf(ok, [...others, ...again.flatMap((run) => run.files)])
  const failedAgain = new Set(counts.failures.map(({ test }) => test))
  counts.unstable = failed.flatMap(failuresIn).filter(({ test }) => !failedAgain.has(test))
  return counts
}

/** Formats the numbers of passed, failed and skipped tests. */
export function summary({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

/** Prints the end of a test run: a line for each unstable and each failed test, then the numbers. Sets the exit code. */
export function conclude(counts) {
  for (const { test, message } of counts.unstable) console.log(`UNSTABLE ${test}: ${message}`)
  for (const { test, message } of counts.failures) console.log(`FAILED ${test}: ${message}`)
  console.log(summary(counts))
  if (counts.failed > 0) process.exitCode = 1
}

/** Runs vitest. Resolves with whether it succeeded, and its report on each file. The report is empty if vitest crashed or timed out. */
async function vitest(node, args) {
  const folder = mkdtempSync(join(tmpdir(), 'fcgi-bridge-'))
  const report = join(folder, 'report.json')
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
    const script = [bin('vitest', 'vitest.mjs'), 'run', ...reporters, ...args]
    const [command, ...rest] = typeof node === 'function' ? node(script) : [node, ...script]
    // The tests send no request to another machine. Node 20 reads this file of certificates whenever it starts, which takes 0.1 s of CPU
    // time, and the tests start Node a thousand times.
    const env = {
      ...process.env,
      NODE_EXTRA_CA_CERTS: undefined,
      // From Node 22.1 on, the second start of a program finds it compiled.
      NODE_COMPILE_CACHE: join(folder, 'compile-cache'),
    }
    const ok = await runAsync(command, rest, { timeout: TIMEOUT, env })
    return { ok, files: readReport(report) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
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
    failures.push({
      test: 'No test',
      message: 'an error outside all tests, or a time-out of the run: see above',
    })
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

// Returns the message of an error without its stack, on one line. The message may contain the output of a program.
function inOneLine(text = '') {
  const [message] = text.split(/\n +at /, 1)
  const line = message.trim().replace(/\s*\n\s*/g, ' ¶ ')
  return line.length > MESSAGE_MAX ? `${line.slice(0, MESSAGE_MAX)}…` : line
}
