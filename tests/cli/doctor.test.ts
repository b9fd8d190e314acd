// `fcgi-bridge doctor` with a front server that does not reach the app, with a running app, and with an app alone.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { afterEach, beforeEach, expect, onTestFailed, test } from 'vitest'
import { askDoctor, codesOf } from '../doctor/faults.ts'
import { nginxWithTls } from '../doctor/setups/nginx.ts'
import { COMMAND_LINE } from '../support/fronts/command-line.ts'
import { startLighttpd } from '../support/fronts/lighttpd.ts'
import { startNginx } from '../support/fronts/nginx.ts'
import { accepting } from '../support/fronts/ports.ts'
import type { Program } from '../support/fronts/program.ts'
import { Site } from '../support/fronts/site.ts'

const APP = `
export default (req, res) => {
  if (req.url === '/events') {
    res.setHeader('Content-Type', 'text/event-stream')
    res.write('data: 1\\n\\n')
  } else {
    res.statusCode = req.url === '/fails' ? 500 : 200
    res.end('the app')
  }
}`

const TOKEN = 'a-token-of-mine'

let site: Site
let socket: string

beforeEach(() => {
  site = new Site()
  socket = site.path('app.sock')
  onTestFailed(() => console.error(site.report()))
})

afterEach(() => site.stop())

test('the report for people has the fault, its consequence, and the line that fixes it', async () => {
  const url = await startFront('fastcgi_param HTTP_AUTHORIZATION "";')
  const program = command('doctor', url, '--app', socket)
  expect(await program.exited).toMatchObject({ code: 6 })
  expect(program.output).toContain(`${url} (nginx/`)
  expect(program.output).toMatch(
    /\n\n✗ The Authorization header does not reach the app\. \[authorization\]\n {2}\S.*\n {2}→ in the .*:\n {6}fastcgi_param HTTP_AUTHORIZATION \$http_authorization;\n\n/,
  )
  expect(program.output).toMatch(/\n✓ variables, /)
  expect(program.output).toMatch(/\n\d+ faults? to fix\. \d+ possible improvements?\.\n$/)
  expect(program.output).not.toContain('\x1b')
})

test.each(['http', 'https'])(
  'an %s URL whose port speaks FastCGI is an error that says so',
  async (scheme) => {
    site.write('app.mjs', APP)
    const app = site.start(process.execPath, [COMMAND_LINE, 'serve', site.path('app.mjs'), '--port', '0'])
    const [, port] = await app.printed(/FastCGI on 127\.0\.0\.1:(\d+)$/m)
    for (const more of [[], ['--app', `127.0.0.1:${port}`], ['--token', TOKEN]]) {
      const program = command('doctor', `${scheme}://127.0.0.1:${port}/`, ...more)
      expect(await program.exited).toMatchObject({ code: 5 })
      expect(program.output).toContain(
        `127.0.0.1:${port} speaks FastCGI, not HTTP: an app listens there, not a front server.\n` +
          `Examine the app alone with fcgi-bridge doctor 127.0.0.1:${port}, or give the URL of the front server and --app 127.0.0.1:${port}.\n`,
      )
    }
  },
)

test('if the front server may not write to the socket, the doctor prints the command that fixes it', async () => {
  await startApp('--mode', '600')
  const isRoot = process.getuid?.() === 0
  if (!isRoot) chmodSync(socket, 0)
  chmodSync(site.write('error.log', ''), 0o666)
  const user = isRoot ? 'server.username = "www-data"\nserver.groupname = "www-data"' : ''
  const [port] = await startLighttpd(
    site,
    1,
    () => `
    server.modules = ( "mod_fastcgi" )
    ${user}
    fastcgi.server = ( "/" => (( "socket" => "${socket}", "check-local" => "disable", "disable-time" => 0 )) )`,
  )
  const url = `http://127.0.0.1:${port}/`
  if (isRoot) {
    const { report, code } = await askDoctor(url, '--app', socket)
    expect(code).toBe(6)
    expect(codesOf(report)).toEqual(['socket-permission'])
    const lines = report.findings[0]!.fix.lines
    expect(lines).toEqual([`chgrp www-data ${socket} && chmod 660 ${socket}`])
    execFileSync('/bin/sh', ['-c', lines[0]!])
  } else {
    // The doctor runs as the same user, so it cannot connect either.
    const program = command('doctor', url, '--app', socket)
    expect(await program.exited).toMatchObject({ code: 5 })
    const [, fix] = await program.printed(/^To fix it: (chmod .*)$/m)
    execFileSync('/bin/sh', ['-c', fix!])
  }
  // lighttpd tries an app that it could not reach again after a second.
  await expect.poll(async () => (await fetch(url)).status).toBe(200)
  expect(codesOf((await askDoctor(url, '--app', socket)).report)).toEqual([])
})

test('a front server that connects to another address', async () => {
  const url = await startFront('', `unix:${site.path('elsewhere.sock')}`)
  const { report, code } = await askDoctor(url, '--app', socket)
  expect(code).toBe(6)
  expect(report.findings).toMatchObject([
    { code: 'unreached', fix: { lines: [`fastcgi_pass unix:${socket};`] } },
  ])
  // Without --app, the doctor does not know the right address.
  const alone = await askDoctor(url)
  expect(alone.code).toBe(6)
  expect(alone.report.findings).toMatchObject([
    { code: 'unreached', fix: { where: expect.stringContaining('--app') } },
  ])
})

test.each([
  ['a 404', 'return 404;', / with 404/],
  ['a redirect', 'return 301 https://shop.example/;', / with 301.* redirects to https:\/\/shop\.example\//],
  [
    'a redirect without a host',
    'absolute_redirect off; return 301 /shop/;',
    / with 301.* redirects to http:\/\/127\.0\.0\.1:\d+\/shop\/\.$/,
  ],
  ['a login', 'auth_basic "shop"; auth_basic_user_file /dev/null;', / with 401/],
])('the doctor finds that the front server responds itself, with %s', async (_, lines, problem) => {
  const url = await startFront(lines)
  const { report, code } = await askDoctor(url, '--app', socket)
  expect(code).toBe(6)
  expect(report.findings).toMatchObject([{ code: 'not-passed-on', problem: expect.stringMatching(problem) }])
})

test('a front server that requires a login is examined with the Authorization header of -H', async () => {
  const users = site.write('users', 'ann:{PLAIN}secret\n')
  chmodSync(users, 0o644)
  const url = await startFront(`auth_basic "shop"; auth_basic_user_file ${users};`)
  const login = `Authorization: Basic ${Buffer.from('ann:secret').toString('base64')}`
  const { report } = await askDoctor(url, '--app', socket, '-H', login)
  expect(codesOf(report)).toContain('buffering')
  expect(codesOf(report)).not.toContain('authorization')
})

test('with a running app: no fault if the front server and the app respond with the same status', async () => {
  await startApp()
  const url = await startFront('')
  const examined = await askDoctor(url, '--app', socket)
  expect(examined).toMatchObject({ code: 0, report: { healthy: true, findings: [] } })
  expect(examined.report.hint).toContain('Stop the app and run the doctor again')
  const program = command('doctor', url, '--app', socket)
  expect(await program.exited).toMatchObject({ code: 0 })
  expect(program.output).toMatch(/\n\nNo faults found from outside\.\n$/)
})

test('with a running app: the doctor finds another status, and buffered events', async () => {
  await startApp()
  const url = await startFront(`
    location = /other { return 418; }
    location = /events { fastcgi_pass unix:${socket}; include /etc/nginx/fastcgi_params; fastcgi_buffering on; }`)
  const other = await askDoctor(`${url}other`, '--app', socket)
  expect(codesOf(other.report)).toEqual(['status-differs'])
  const fails = await askDoctor(`${url}fails`, '--app', socket)
  expect(codesOf(fails.report)).toEqual(['app-fails'])
  const events = await askDoctor(`${url}events`, '--app', socket, '--timeout', '4')
  expect(events.report.findings).toMatchObject([
    { code: 'buffering', fix: { lines: ['fastcgi_buffering off;'] } },
  ])
})

test('an app is examined without a front server', async () => {
  await startApp()
  const program = command('doctor', socket, '--json')
  expect(await program.exited).toEqual({ code: 0, signal: null })
  expect(JSON.parse(program.output)).toMatchObject({ of: socket, healthy: true, findings: [] })
})

test.each([
  ['no app at the address', ['1'], 5, /No app listens on 127\.0\.0\.1:1/],
  [
    'no front server at the URL',
    ['http://127.0.0.1:1/'],
    5,
    /No response from the front server at http:\/\/127\.0\.0\.1:1: [\s\S]*Check that it runs/,
  ],
  [
    'an address of another machine',
    ['http://127.0.0.1:1/', '--app', '192.0.2.1:9000'],
    4,
    /is not an address of this machine/,
  ],
  ['nothing to examine', [], 2, /give the URL of the front server/],
  ['a token that can be guessed', ['--probe', '--token', 'x'], 2, /8 to 200 visible ASCII characters/],
  ['a probe without a token', ['--probe'], 2, /--probe needs --token/],
  [
    'a probe that no front server starts',
    ['--probe', '--token', TOKEN],
    4,
    /^Let the front server start the probe/m,
  ],
  [
    'a Host header',
    ['http://127.0.0.1:1/', '-H', 'Host: shop.example'],
    2,
    /Use --connect to give the address/,
  ],
  ['an invalid size', ['9000', '--upload', 'much'], 2, /a size such as 500k/],
])('an error message for: %s', async (_, args, code, printed) => {
  const program = command('doctor', ...args)
  expect(await program.exited).toEqual({ code, signal: null })
  await program.printed(printed)
})

test('the doctor does not wait for the end of a response that never ends', async () => {
  const endless = createHttpServer((_, response) => {
    const more = (): void => {
      while (response.write('x'.repeat(10_000)));
      response.once('drain', more)
    }
    more()
  })
  await new Promise<void>((resolve) => endless.listen(0, '127.0.0.1', resolve))
  try {
    const { port } = endless.address() as AddressInfo
    const { report, code } = await askDoctor(`http://127.0.0.1:${port}/`)
    expect({ code, findings: report.findings }).toEqual({ code: 0, findings: [] })
  } finally {
    endless.closeAllConnections()
    endless.close()
  }
})

test('the URL of a redirect is quoted for the shell', async () => {
  const url = await startFront(`return 302 "https://shop.example/;id&a='";`)
  const { report } = await askDoctor(url, '--app', socket)
  expect(report.findings[0]!.fix.where).toBe(
    `Examine that URL: fcgi-bridge doctor 'https://shop.example/;id&a='\\'''`,
  )
})

test('a self-signed certificate is an error that names --insecure', async () => {
  const { origin, args } = await nginxWithTls.start(site, nginxWithTls.healthy)
  const program = command('doctor', origin, ...args.filter((one) => one !== '--insecure'))
  expect(await program.exited).toMatchObject({ code: 5 })
  await program.printed(/Use --insecure to accept any certificate/)
  // Node prints a warning if an IP address is used as a TLS server name.
  expect(program.output).not.toContain('Warning')
})

test('--connect gives the address of the front server if the host of the URL does not resolve to it', async () => {
  const url = new URL(await startFront(''))
  const { report } = await askDoctor('http://shop.example/', '--app', socket, '--connect', url.host)
  expect(codesOf(report)).not.toContain('host')
  expect(report.of).toBe('http://shop.example/')
})

test('the doctor finds that the probe has another token', async () => {
  site.start(process.execPath, [COMMAND_LINE, 'doctor', '--probe', '--token', TOKEN], {
    env: { ...process.env, FCGI_BRIDGE_LISTEN: socket },
  })
  expect(await accepting({ path: socket }, () => false)).toBe(true)
  const { report } = await askDoctor(await startFront(''), '--token', 'another-token')
  expect(codesOf(report)).toEqual(['wrong-token'])
})

test('the doctor finds that the front server sends invalid requests', async () => {
  const url = await startFront('fastcgi_param CONTENT_LENGTH many;')
  const { report } = await askDoctor(url, '--app', socket)
  expect(report.findings).toMatchObject([
    { code: 'refused', problem: expect.stringContaining('CONTENT_LENGTH') },
  ])
})

test('the doctor removes its socket when it is interrupted', async () => {
  // A front server that never responds.
  const silent = createServer()
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  try {
    const { port } = silent.address() as AddressInfo
    const program = command('doctor', `http://127.0.0.1:${port}/`, '--app', socket)
    await once(silent, 'connection')
    expect(existsSync(socket)).toBe(true)
    expect(await program.stop('SIGINT')).toEqual({ code: 130, signal: null })
    expect(existsSync(socket)).toBe(false)
  } finally {
    silent.close()
  }
})

test('the probe shows a request only to a client with its token', async () => {
  site.start(process.execPath, [COMMAND_LINE, 'doctor', '--probe', '--token', TOKEN], {
    env: { ...process.env, FCGI_BRIDGE_LISTEN: socket },
  })
  expect(await accepting({ path: socket }, () => false)).toBe(true)
  const ask = async (token: string) => {
    const program = command(
      'request',
      socket,
      '/',
      '-H',
      `X-Fcgi-Bridge-Doctor: ${token}`,
      '-H',
      'Cookie: secret',
    )
    await program.exited
    return program.output
  }
  expect(await ask(TOKEN)).toContain('["HTTP_COOKIE","secret"]')
  for (const wrong of ['', 'another-token', `${TOKEN}x`]) {
    expect(await ask(wrong)).toBe('This app is under examination by fcgi-bridge doctor.\n')
  }
})

function command(...args: string[]): Program {
  return site.start(process.execPath, [COMMAND_LINE, ...args])
}

async function startApp(...args: string[]): Promise<void> {
  await command('serve', site.write('app.mjs', APP), '--path', socket, '--no-log', ...args).printed(
    /^Serving/m,
  )
}

// Starts nginx with `lines` in its server block, before the location of the app. Returns its URL.
async function startFront(lines: string, to = `unix:${socket}`): Promise<string> {
  const [port] = await startNginx(
    site,
    1,
    ([port]) => `
    server {
      listen 127.0.0.1:${port};
      include /etc/nginx/fastcgi_params;
      ${lines}
      location / { fastcgi_pass ${to}; }
    }`,
  )
  return `http://127.0.0.1:${port}/`
}
