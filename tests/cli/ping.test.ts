// `fcgi-bridge ping` with healthy and unhealthy apps.
import { chmodSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTcpServer, type Server } from 'node:net'
import { expect, test } from 'vitest'
import { COMMAND_LINE } from '../support/fronts/command-line.ts'
import type { Program } from '../support/fronts/program.ts'
import { required } from '../support/fronts/programs.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'
import { startPhpFpm } from '../support/peers/php.ts'

const APP = `
export default {
  fetch(request) {
    const { pathname } = new URL(request.url)
    if (pathname === '/') return new Response('none', { status: 404 })
    if (pathname === '/health') return new Response('well')
    if (pathname === '/host') return new Response('', { status: request.headers.get('host') === 'shop.example' ? 200 : 421 })
    if (pathname === '/endless') return new Response(new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(1000)) }))
    if (pathname === '/hangs') return new Promise(() => {})
    throw new Error('not well')
  },
}`

let site: Site

siteForEachTest((each) => {
  site = each
})

test('a healthy app', async () => {
  const path = await startApp()
  const program = ping(path)
  expect(await program.exited).toMatchObject({ code: 0 })
  expect(program.output).toBe(
    `${path} speaks FastCGI.\nvalues   FCGI_MAX_CONNS 4096, FCGI_MAX_REQS 4096, FCGI_MPXS_CONNS 1\n` +
      `request  GET / 404 ${/[\d.]+ ms/.exec(program.output)![0]}\n`,
  )
})

test('--json prints the values and the status of the requested page', async () => {
  const path = await startApp()
  const program = ping(path, '--json', '--path', '/health?x=ü')
  expect(await program.exited).toMatchObject({ code: 0 })
  expect(JSON.parse(program.output)).toEqual({
    address: path,
    values: { maxConns: 4096, maxReqs: 4096, mpxsConns: true },
    request: { path: '/health?x=%C3%BC', status: 200, milliseconds: expect.any(Number) },
  })
})

test.each([
  ['a missing page of --path', ['--path', '/'], 6, / GET \/ 404 /],
  ['a server error', ['--path', '/broken'], 6, / GET \/broken 500 /],
  ['--no-request', ['--no-request'], 0, /^values .*4096.*\n$/m],
  ['a response that never ends', ['--path', '/endless'], 0, / GET \/endless 200 /],
  [
    'a header and a param',
    ['--path', '/host', '-H', 'Host: shop.example', '--params', 'A=b', 'C='],
    0,
    /200/,
  ],
  ['no response', ['--path', '/hangs', '--timeout', '0.3'], 6, /did not respond within the timeout/],
  ['an invalid param', ['--params', 'HTTPS'], 2, /It takes NAME=VALUE/],
  ['an invalid header', ['-H', 'Host'], 2, /It takes 'Name: value'/],
])('exit status and output for %s', async (_, args, code, printed) => {
  const program = ping(await startApp(), ...args)
  expect(await program.exited).toEqual({ code, signal: null })
  await program.printed(printed)
})

test('if no app listens, the error says what to do', async () => {
  const path = site.path('app.sock')
  await expectError(
    ping(path),
    5,
    `There is no socket at ${path}: no app listens there. Start the app: fcgi-bridge serve app.js --path ${path}`,
  )
  await expectError(
    ping('1'),
    5,
    'No app listens on 127.0.0.1:1. Start the app: fcgi-bridge serve app.js --port 1',
  )
  await expectError(
    ping('no-such-host.invalid:9000'),
    5,
    'The host name in no-such-host.invalid:9000 cannot be resolved',
  )
  await expectError(
    ping('9000x'),
    2,
    'It takes 127.0.0.1:9000, 9000, [::1]:9000, or the path of a Unix socket.',
  )
  const file = site.write('file', '')
  await expectError(ping(file), 5, `${file} is not a socket.`)
  const json = ping('1', '--json')
  expect(await json.exited).toMatchObject({ code: 5 })
  expect(JSON.parse(json.output)).toMatchObject({ error: { code: 'ECONNREFUSED' } })
})

test('a stale socket is an error that says so', async () => {
  const path = site.path('app.sock')
  const { program } = await site.startApp('core', path)
  await program.stop('SIGKILL')
  await expectError(
    ping(path),
    5,
    `No app listens on ${path}: a program that has ended left this socket behind.`,
  )
})

test('if the user may not connect to the socket, the error has the command that fixes it', async () => {
  const path = await startApp()
  chmodSync(path, 0)
  const output = await expectError(pingAsOther(path), 5, `${path} is s---------`)
  expect(output).toMatch(/^To fix it: ch(mod u\+rw|grp \S+) \S+app\.sock/m)
  chmodSync(path, 0o666)
  expect(await pingAsOther(path).exited).toMatchObject({ code: 0 })
})

test('a server that does not speak FastCGI is an error that says so', async () => {
  const http = createServer()
  const silent = createTcpServer((socket) => socket.on('error', () => {}).resume())
  try {
    await expectError(
      ping(String(await listen(http))),
      6,
      'does not speak FastCGI. It seems to be an HTTP server.',
    )
    await expectError(
      ping(String(await listen(silent)), '--timeout', '0.3'),
      6,
      'did not respond within the timeout',
    )
  } finally {
    http.close()
    silent.close()
  }
})

test('the ping page of PHP-FPM, which closes the connection after FCGI_GET_VALUES', async () => {
  const { address, stop } = await startPhpFpm({ pool: { 'ping.path': '/ping' } })
  try {
    const page = ['--path', '/ping', '--params', 'SCRIPT_NAME=/ping', 'SCRIPT_FILENAME=/ping']
    const program = ping('path' in address ? address.path : '', ...page)
    expect(await program.exited).toMatchObject({ code: 0 })
    expect(program.output).toMatch(/FCGI_MPXS_CONNS 0\nrequest {2}GET \/ping 200 /)
  } finally {
    await stop()
  }
})

async function startApp(path: string = site.path('app.sock')): Promise<string> {
  const args = [COMMAND_LINE, 'serve', site.write('app.mjs', APP), '--path', path]
  await site.start(process.execPath, args).printed(/^Serving/m)
  return path
}

function ping(...args: string[]): Program {
  return site.start(process.execPath, [COMMAND_LINE, 'ping', ...args])
}

// Runs ping as a user who has no permissions, except to read the files of this checkout.
function pingAsOther(path: string): Program {
  if (process.getuid?.() !== 0) return ping(path)
  const only = '-all,+dac_read_search'
  const rights = [`--bounding-set=${only}`, `--inh-caps=${only}`, `--ambient-caps=${only}`]
  const user = ['--reuid=65534', '--regid=65534', '--clear-groups', ...rights]
  return site.start(required('setpriv'), [...user, '--', process.execPath, COMMAND_LINE, 'ping', path])
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as { port: number }).port
}

async function expectError(program: Program, code: number, text: string): Promise<string> {
  expect(await program.exited).toEqual({ code, signal: null })
  expect(program.output).toContain(text)
  return program.output
}
