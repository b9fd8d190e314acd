// The command `fcgi-bridge conformance`.
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { fileURLToPath } from 'node:url'
import { encodeEndRequest, encodeRecord, FCGI_STDOUT } from '@fcgi-bridge/core'
import { afterEach, beforeEach, expect, onTestFailed, test } from 'vitest'
import { COMMAND_LINE } from '../support/fronts/command-line.ts'
import { accepting } from '../support/fronts/ports.ts'
import type { Program } from '../support/fronts/program.ts'
import { Site } from '../support/fronts/site.ts'

let site: Site
let broken: Server | undefined

beforeEach(() => {
  site = new Site()
  onTestFailed(() => console.error(site.report()))
})

afterEach(async () => {
  broken?.close()
  await site.stop()
})

test('a server that passes the checks', async () => {
  const program = conformance(await startApp('core'), '--only', 'records/longest', 'end')
  expect(await program.exited).toMatchObject({ code: 0 })
  expect(program.output).toBe(
    'pass  records/longest\npass  end/one\npass  end/fields\npass  end/reserved\npass  end/app-status\n\n' +
      '5 passed, 0 failed, 0 not applicable\n',
  )
})

test('a check that the app does not support does not apply', async () => {
  const program = conformance(await startApp('express'), '--only', 'end/app-status', 'filter/unread')
  expect(await program.exited).toMatchObject({ code: 0 })
  expect(program.output).toMatch(/^n\/a {3}end\/app-status {2}the app responds with 501/m)
  expect(program.output).toMatch(
    /^n\/a {3}filter\/unread {2}the server does not have the role filter \(UNKNOWN_ROLE\)/m,
  )
})

test('a failed check shows what was sent, expected and received, and the exit status is 6', async () => {
  const program = conformance(await startBroken(), '--only', 'end/fields')
  expect(await program.exited).toMatchObject({ code: 6 })
  expect(program.output).toBe(
    [
      'FAIL  end/fields',
      '      must      The content of END_REQUEST is 8 bytes long. For a successful request it has REQUEST_COMPLETE and the appStatus 0. (5.5)',
      '      sent      BEGIN_REQUEST 1 (RESPONDER); PARAMS 1 (278); PARAMS 1 (0); STDIN 1 (0)',
      '      expected  an appStatus of 0',
      '      received  0000000700000000',
      '',
      '0 passed, 1 failed (1 must, 0 should), 0 not applicable',
      '',
    ].join('\n'),
  )
})

test('--json prints the results', async () => {
  const program = conformance(await startBroken(), '--only', 'end/fields', 'end/reserved', '--json')
  expect(await program.exited).toMatchObject({ code: 6 })
  expect(JSON.parse(program.output)).toMatchObject({
    passed: 1,
    failed: 1,
    failedMust: 1,
    notApplicable: 0,
    results: [
      { id: 'end/fields', level: 'must', section: '5.5', verdict: 'fail', saw: '0000000700000000' },
      { id: 'end/reserved', level: 'should', verdict: 'pass' },
    ],
  })
})

test('--base is the path of the routes, and --params adds or replaces params', async () => {
  const at = await startApp('core')
  const withBase = conformance(at, '--base', '/shop', '--only', 'end/one')
  expect(await withBase.exited).toMatchObject({ code: 6 })
  expect(withBase.output).toMatch(/does not serve \/shop\/bytes\/10[\s\S]*Status: 404/)
  const params = ['REQUEST_URI=/bytes/10', 'SCRIPT_FILENAME=/srv/app']
  const withParams = conformance(at, '--base', '/shop', '--only', 'end/fields', '--params', ...params)
  expect(await withParams.exited).toMatchObject({ code: 0 })
})

test('--list prints the checks without a server', async () => {
  const all = run('conformance', '--list')
  expect(await all.exited).toMatchObject({ code: 0 })
  expect(all.output).toMatch(
    /^closing\/keeps {2}must, 5\.1\n {2}With KEEP_CONN the server keeps the connection open/m,
  )
  const some = run('conformance', '--list', '--only', 'abort/kept', '--json')
  await some.exited
  expect(JSON.parse(some.output)).toMatchObject({ checks: [{ id: 'abort/kept', level: 'must' }] })
})

test.each([
  ['no server', ['/no/such/socket.sock'], 5, /No server responds at \/no\/such\/socket\.sock: ENOENT/],
  ['no address', [], 2, /give the address of the app, or use --list/],
  ['an invalid address', ['somewhere'], 2, /It takes 127\.0\.0\.1:9000/],
  ['an unknown check', ['9000', '--only', 'aborts'], 2, /no check aborts\. The areas are records, ids/],
  ['an invalid base', ['9000', '--base', 'c.php'], 2, /It takes a path such as \/shop/],
  ['an invalid param', ['9000', '--params', 'x'], 2, /NAME=VALUE/],
])('an error message for: %s', async (_, args, code, message) => {
  const program = run('conformance', ...args)
  await program.printed(message)
  expect(await program.exited).toMatchObject({ code })
})

function conformance(path: string, ...args: string[]): Program {
  return run('conformance', path, '--timeout', '15', ...args)
}

function run(...args: string[]): Program {
  return site.start(process.execPath, [COMMAND_LINE, ...args])
}

/** Starts one of the apps in examples/conformance. */
async function startApp(name: string): Promise<string> {
  const path = site.path('app.sock')
  const file = fileURLToPath(new URL(`../../examples/conformance/${name}.js`, import.meta.url))
  const env = { ...process.env, FCGI_BRIDGE_LISTEN: path }
  const program = site.start(process.execPath, [file], { env })
  expect(await accepting({ path }, () => !program.running)).toBe(true)
  return path
}

/** Starts a server that responds to each request with an appStatus of 7. */
async function startBroken(): Promise<string> {
  const path = site.path('broken.sock')
  const page = Buffer.from('Content-Type: text/plain\r\n\r\n0123456789')
  const response = Buffer.concat([encodeRecord(FCGI_STDOUT, 1, page), encodeEndRequest(1, 7, 0)])
  broken = createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end(response)))
  await once(broken.listen(path), 'listening')
  return path
}
