import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeError, frameOf } from './describe-error.ts'

let folder: string
let file: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fcgi-bridge-'))
  file = join(folder, 'app with spaces.js')
  writeFileSync(file, 'one\ntwo\nthree\nfour\nfive\nsix\n')
})

afterAll(() => rmSync(folder, { recursive: true }))

const FRAME = ['  1 | one', '> 2 | two', '    |   ^', '  3 | three', '  4 | four', '  5 | five'].join('\n')

test('the frame shows the code around the first line of the stack that is in the app', () => {
  const stack = [
    'Error: x',
    '    at f (/x/node_modules/router/index.js:1:1)',
    '    at node:internal/x:1:1',
    `    at g (${pathToFileURL(file)}:2:3)`,
  ].join('\n')
  expect(frameOf(stack)).toBe(FRAME)
})

test('the frame of a syntax error, for which Node prints a line without a column', () => {
  expect(frameOf(`${pathToFileURL(file)}:2\ntwo\n  ^\nSyntaxError: x`)).toBe(FRAME.replace('    |   ^\n', ''))
})

test('there is no frame if the file cannot be read, or the stack names none', () => {
  expect(frameOf('Error: x\n    at f (/no/such/file.js:1:1)')).toBe('')
  expect(frameOf('Error: x')).toBe('')
})

test('a thrown value that is not an Error', () => {
  expect(describeError('oops').message).toBe("'oops' was thrown.")
  expect(describeError(undefined).message).toBe('undefined was thrown.')
  expect(describeError(new TypeError('a\nb')).message).toBe('TypeError: a')
})
