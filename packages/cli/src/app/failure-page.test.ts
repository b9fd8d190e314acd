import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

const page = (name: string) => new URL(`../../dist/${name}`, import.meta.url).href

/** The folder of an app, with a package.json. */
function makeProject(): string {
  const folder = mkdtempSync('/tmp/fcgi-bridge-')
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'package.json'), '{}')
  mkdirSync(join(folder, 'tmp'))
  return folder
}

/** What a CGI program responds if the system call `syscall` for `path` of its log file is not permitted. */
function respond(syscall: string, path: string): string {
  const program = `
    import { Failure } from '${page('failure.js')}'
    import { serveLogFailure } from '${page('app/failure-page.js')}'
    const cause = Object.assign(new Error('EACCES'), { code: 'EACCES', syscall: '${syscall}', path: '${path}' })
    await serveLogFailure(new Failure(2, 'Cannot open the log file', { cause }), '${path}')`
  const env = {
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_PROTOCOL: 'HTTP/1.1',
    SERVER_NAME: 'example.com',
    SERVER_PORT: '80',
    REQUEST_METHOD: 'GET',
    REQUEST_URI: '/',
    SCRIPT_NAME: '',
  }
  return spawnSync(process.execPath, ['--input-type=module', '--eval', program], { env, encoding: 'utf8' })
    .stdout
}

test('a log that the user of the web server may not write is a 500 with the commands to run', () => {
  const folder = makeProject()
  const text = respond('open', join(folder, 'tmp/app.log'))
  expect(text).toMatch(/^Status: 500/m)
  expect(text).toContain(
    'may not write to tmp in the folder of the app. Run these commands there, as your own user:',
  )
  expect(text).toMatch(/^ {2}touch tmp\/app\.log$/m)
  expect(text).toMatch(/^ {2}setfacl -m u:\S+:rwX tmp tmp\/app\.log$/m)
  expect(text).not.toContain(folder)
})

test('a folder of the log that the user may not create is a 500 with the commands to run', () => {
  const folder = makeProject()
  const text = respond('mkdir', join(folder, 'tmp'))
  expect(text).toMatch(/^ {2}mkdir tmp$/m)
  expect(text).toMatch(/^ {2}setfacl -m u:\S+:rwX tmp$/m)
  expect(text).not.toContain(folder)
})

test('a log outside of the project is named without the folders above it', () => {
  const text = respond('open', '/home/you/logs/app.log')
  expect(text).toContain('may not write to logs in the folder that contains logs.')
  expect(text).toMatch(/^ {2}touch logs\/app\.log$/m)
  expect(text).not.toContain('/home')
})
