import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { logFileOf } from './early-flags.ts'

const MODULE = new URL('../dist/log-file.js', import.meta.url).href

function makeFolder(): string {
  const folder = mkdtempSync('/tmp/fcgi-bridge-')
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

/** A process that logs to a file, over 1000 bytes to the next one, and evaluates each line that it gets. */
function start(file: string) {
  const program = `
    import { createInterface } from 'node:readline'
    import { logToFile } from ${JSON.stringify(MODULE)}
    logToFile(${JSON.stringify(file)}, 1000)
    createInterface({ input: process.stdin }).on('line', (line) => (0, eval)(line))`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program])
  onTestFinished(() => void child.kill('SIGKILL'))
  return { child, run: (line: string) => child.stdin.write(`${line}\n`) }
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /gm

const read = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8') : '')

test('both outputs go to the file, which only its user can read', async () => {
  const file = join(makeFolder(), 'app.log')
  const { run, child } = start(file)
  run("console.log('one'); console.error('two'); process.exitCode = 0; process.stdin.destroy()")
  await once(child, 'exit')
  expect(read(file).replaceAll(TIME, 'TIME ')).toBe('TIME one\nTIME two\n')
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

test('a crash is reported in the file, with its time', async () => {
  const file = join(makeFolder(), 'app.log')
  const { run, child } = start(file)
  run("throw new Error('no database')")
  await once(child, 'exit')
  expect(read(file)).toContain('Error: no database')
  expect(read(file).match(TIME)).toHaveLength(1)
  expect(read(file)).toMatch(/^2/)
})

test('each entry has its time once: a stack trace, a warning of Node, and text that several calls write', async () => {
  const file = join(makeFolder(), 'app.log')
  const { run, child } = start(file)
  run(
    `
    const error = new Error('no database')
    error.stack = 'Error: no database\\n    at connect'
    console.error(error.stack)
    process.stdout.write(Buffer.from('a'))
    process.stdout.write('b\\n')
    process.emitWarning('a warning')
    setImmediate(() => process.stdin.destroy())`.replaceAll('\n', ' ; '),
  )
  await once(child, 'exit')
  const text = read(file)
    .replaceAll(TIME, 'TIME ')
    .replace(/\(node:\d+\)/, '(node)')
  expect(text).toMatch(
    /^TIME Error: no database\n {4}at connect\nTIME ab\nTIME \(node\) Warning: a warning\n/,
  )
  expect(text.match(/TIME/g)).toHaveLength(3)
})

test('entries that have a time, and JSON lines, stay as they are', async () => {
  const file = join(makeFolder(), 'app.log')
  const { run, child } = start(file)
  const lines = [
    '{"level":30,"msg":"a"}',
    '[25/Nov/2026:20:50:00 +0000] "GET / HTTP/1.1" 200',
    '12:30:00 INFO b',
  ]
  run(`for (const line of ${JSON.stringify(lines)}) console.log(line); process.stdin.destroy()`)
  await once(child, 'exit')
  expect(read(file)).toBe(lines.map((line) => `${line}\n`).join(''))
})

test('a file over the limit is renamed; a file that another program has moved is opened again', async () => {
  const file = join(makeFolder(), 'app.log')
  const { run } = start(file)
  run("console.log('x'.repeat(1500))")
  await expect.poll(() => read(`${file}.1`), { timeout: 20_000 }).toMatch(/Z x{1500}\n$/)
  run("console.error('after the limit')")
  await expect.poll(() => read(file), { timeout: 20_000 }).toMatch(/Z after the limit\n$/)
  renameSync(file, `${file}.moved`)
  await expect.poll(() => existsSync(file), { timeout: 20_000 }).toBe(true)
  run("console.log('after the move')")
  await expect.poll(() => read(file), { timeout: 20_000 }).toMatch(/Z after the move\n$/)
  expect(read(`${file}.moved`)).toMatch(/Z after the limit\n$/)
})

test.each([
  [['serve', 'app.js', '--log-file', 'a.log'], 'a.log'],
  [['serve', 'app.js', '--log-file=a.log'], 'a.log'],
  [['serve', 'app.js', '--', '--log-file', 'a.log'], undefined],
  [['dev', 'app.js', '--log-file', 'a.log'], undefined],
])('the flag in %j is %s', (args, file) => {
  expect(logFileOf(args)).toBe(file)
})
