import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

const page = (name: string) => new URL(`../../dist/${name}`, import.meta.url).href

/** What a CGI program responds if the system call `syscall` for `path` of its log file is not permitted. */
function respond(syscall: string, path: string): string {
  const program = `
    import { Failure } from '${page('failure.js')}'
    import { serveLogFailure } from '${page('app/failure-page.js')}'
    const cause = Object.assign(new Error('EACCES'), { code: 'EACCES', syscall: '${syscall}', path: '${path}' })
    await serveLogFailure(new Failure(2, 'Cannot open the log file', { cause }))`
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
  const text = respond('open', '/home/you/app/tmp/app.log')
  expect(text).toMatch(/^Status: 500/m)
  expect(text).toContain('may not write to /home/you/app/tmp. Run these commands as your own user:')
  expect(text).toMatch(/^ {2}touch \/home\/you\/app\/tmp\/app\.log$/m)
  expect(text).toMatch(/^ {2}setfacl -m u:\S+:rwX \/home\/you\/app\/tmp \/home\/you\/app\/tmp\/app\.log$/m)
})

test('a folder of the log that the user may not create is a 500 with the commands to run', () => {
  const text = respond('mkdir', '/home/you/app/tmp')
  expect(text).toMatch(/^ {2}mkdir \/home\/you\/app\/tmp$/m)
  expect(text).toMatch(/^ {2}setfacl -m u:\S+:rwX \/home\/you\/app\/tmp$/m)
})
