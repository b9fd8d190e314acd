import { expect, test } from 'vitest'
import { EXIT } from './exit-codes.ts'
import { Failure, reportError } from './failure.ts'
import { run } from './run.ts'
import { painter, printable } from './terminal.ts'

async function runWith(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = ''
  let err = ''
  const code = await run(args, { write: (text) => (out += text) }, { write: (text) => (err += text) })
  return { code, out, err }
}

test('--version and --help exit with status 0', async () => {
  expect(await runWith('--version')).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
  })
  const help = await runWith('--help')
  expect(help).toMatchObject({ code: 0, err: '' })
  expect(help.out).toContain('Exit status:')
})

test('an unknown option exits with the status for a wrong command line', async () => {
  const { code, err } = await runWith('--versoin')
  expect(code).toBe(EXIT.usage)
  expect(err).toContain('Did you mean --version?')
})

test('a --health-path that is not a path is a wrong command line', async () => {
  const { code, err } = await runWith('serve', 'app.js', '--port', '0', '--health-path', 'healthz')
  expect(code).toBe(EXIT.usage)
  expect(err).toContain('--health-path healthz is not a path. It takes a path, such as /healthz.')
})

test('with --json a wrong command line is reported as JSON', async () => {
  const { code, out, err } = await runWith('request', 'somewhere', '--json')
  expect({ code, err }).toEqual({ code: EXIT.usage, err: '' })
  expect(JSON.parse(out)).toEqual({
    error: { code: 'commander.invalidArgument', message: expect.stringContaining("'somewhere' is invalid") },
  })
})

test('a failure is reported as its message, and in JSON with its code', () => {
  const cause = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
  const failure = new Failure(EXIT.unreachable, 'No server responds at /run/app.sock.', { cause })
  expect(reportError(failure)).toEqual({
    text: 'No server responds at /run/app.sock.',
    json: { error: { message: 'No server responds at /run/app.sock.', code: 'ECONNREFUSED' } },
    exitCode: 5,
  })
})

test('any other thrown value is reported with its stack', () => {
  const bug = new TypeError('x is undefined')
  expect(reportError(bug)).toMatchObject({ text: bug.stack, exitCode: 1 })
  expect(reportError('text')).toMatchObject({ text: 'text', exitCode: 1 })
})

test.each([
  ['a pipe', false, {}, false],
  ['a terminal', true, {}, true],
  ['a terminal under NO_COLOR', true, { NO_COLOR: '1' }, false],
  ['a terminal under an empty NO_COLOR', true, { NO_COLOR: '' }, true],
  ['a dumb terminal', true, { TERM: 'dumb' }, false],
  ['a pipe under FORCE_COLOR', false, { FORCE_COLOR: '1' }, true],
  ['a terminal under FORCE_COLOR=0', true, { FORCE_COLOR: '0' }, false],
])('colours on %s', (_, isTTY, env, coloured) => {
  const text = painter({ isTTY, write() {} }, env)('red', 'x')
  expect(text).toBe(coloured ? '\x1b[31mx\x1b[39m' : 'x')
})

test('control characters are escaped for the terminal', () => {
  expect(printable('a\x1b[2Jb\n\tc\r')).toBe('a\\x1b[2Jb\n\tc\\x0d')
})
