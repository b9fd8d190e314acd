// A reproducible part of `npm run fuzz -- --express` (tests/fuzz/README.md), and proof that it detects differences.
// It runs in a separate process: its listeners throw uncaught exceptions, which vitest would report as failures.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { difference } from './express/compare.js'
import type { Outcome } from './express/run.js'
import { makeScript, type Script } from './express/script.js'

const SCRIPTS = 150

test(`${SCRIPTS} random listeners behave the same on node:http and on the Express adapter`, async () => {
  const program = `
    import { fuzzExpress } from './express/main.js'
    const { scripts, unexplained } = await fuzzExpress({ seed: 5, count: ${SCRIPTS}, onDifference: console.error })
    console.log(scripts)
    process.exit(unexplained > 0 ? 1 : 0)`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    cwd: import.meta.dirname,
  })
  expect(stdout.trim()).toBe(String(SCRIPTS))
})

test('a script depends only on its seed and its number', () => {
  expect(makeScript(1, 2)).toEqual(makeScript(1, 2))
  expect(makeScript(1, 2)).not.toEqual(makeScript(1, 3))
  expect(makeScript(1, 2)).not.toEqual(makeScript(2, 2))
})

describe('the comparison detects a difference', () => {
  const script: Script = {
    ask: { method: 'POST', body: 10, chunked: false, pieces: [], leaves: false },
    steps: [{ when: 'now', call: 'res.end', args: [null, false] }],
  }
  const outcome = (change: Partial<Outcome> = {}, response: Partial<Outcome['response']> = {}): Outcome => ({
    response: { status: 200, reason: 'OK', headers: [], body: 'x', complete: true, ...response },
    lines: ['res finish', 'req end'],
    stuck: false,
    ...change,
  })

  test('but none between equal outcomes', () => {
    expect(difference(script, outcome(), outcome())).toBeUndefined()
    // Where HTTP closes the connection, FastCGI sends a 500.
    const failure = { status: 500, body: '500 Internal Server Error\n' }
    expect(difference(script, outcome({}, { complete: false }), outcome({}, failure))).toBeUndefined()
  })

  test.each<[string, Outcome]>([
    ['in the status', outcome({}, { status: 201 })],
    ['in the reason', outcome({}, { reason: 'Fine' })],
    ['in the headers', outcome({}, { headers: [['x-a', 'b']] })],
    ['in the body', outcome({}, { body: 'y' })],
    ['in the events', outcome({ lines: ['res finish'] })],
    ['in their order', outcome({ lines: ['req end', 'res finish'] })],
    ['in whether the client was stuck', outcome({ stuck: true })],
  ])('%s', (_, other) => {
    expect(difference(script, outcome(), other)).toBe('')
  })
})
