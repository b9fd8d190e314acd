// `fcgi-bridge doctor` where the front server does not get to the app, beside an app that runs, and of an app alone.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { afterEach, beforeEach, expect, onTestFailed, test } from 'vitest'
import { askDoctor, codesOf } from '../doctor/diagnoses.ts'
import { nginxWithTls } from '../doctor/patients/nginx.ts'
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

test('for people: what is wrong, why, and the line that mends it', async () => {
  const url = await startFront('fastcgi_param HTTP_AUTHORIZATION "";')
  const program = command('doctor', url, '--app', socket)
  expect(await program.exited).toMatchObject({ code: 6 })
  expect(program.output).toContain(`${url} (nginx/`)
  expect(program.output).toMatch(
    /\n\n✗ The app is not told the Authorization header\. \[authorization\]\n {2}\S.*\n {2}→ in the .*:\n {6}fastcgi_param HTTP_AUTHORIZATION \$http_authorization;\n\n/,
  )
  expect(program.output).toMatch(/\n✓ variables, /)
  expect(program.output).toMatch(/\n\d+ to mend, \d+ that can be better\.\n$/)
  expect(program.output).not.toContain('\x1b')
})

test.each(['http', 'https'])('the %s URL of a port where an app speaks FastCGI', async (scheme) => {
  site.write('app.mjs', APP)
  const app = site.start(process.execPath, [COMMAND_LINE, 'serve', site.path('app.mjs'), '--port', '0'])
  const [, port] = await app.printed(/FastCGI on 127\.0\.0\.1:(\d+)$/m)
  for (const more of [[], ['--app', `127.0.0.1:${port}`], ['--token', TOKEN]]) {
    const program = command('doctor', `${scheme}://127.0.0.1:${port}/`, ...more)
    expect(await program.exited).toMatchObject({ code: 5 })
    expect(program.output).toContain(
      `127.0.0.1:${port} speaks FastCGI, not HTTP: an app listens there, and no front server.\n` +
        `Examine the app with fcgi-bridge doctor 127.0.0.1:${port}, or give the URL of the front server and --app 127.0.0.1:${port}.\n`,
    )
  }
})

test('a socket that the front server may not write to, and the command that mends it', async () => {
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
    const { report, code } = await askDoctor(site, url, '--app', socket)
    expect(code).toBe(6)
    expect(codesOf(report)).toEqual(['socket-permission'])
    const lines = report.findings[0]!.mend.lines
    expect(lines).toEqual([`chgrp www-data ${socket} && chmod 660 ${socket}`])
    execFileSync('/bin/sh', ['-c', lines[0]!])
  } else {
    // The doctor is then that user itself.
    const program = command('doctor', url, '--app', socket)
    expect(await program.exited).toMatchObject({ code: 5 })
    const [mend] = await program.printed(/^chmod .*$/m)
    execFileSync('/bin/sh', ['-c', mend])
  }
  // lighttpd looks again once a second at an app that it could not reach.
  await expect.poll(async () => (await fetch(url)).status).toBe(200)
  expect(codesOf((await askDoctor(site, url, '--app', socket)).report)).toEqual([])
})

test('a front server that looks for the app elsewhere', async () => {
  const url = await startFront('', `unix:${site.path('elsewhere.sock')}`)
  const { report, code } = await askDoctor(site, url, '--app', socket)
  expect(code).toBe(6)
  expect(report.findings).toMatchObject([
    { code: 'unreached', mend: { lines: [`fastcgi_pass unix:${socket};`] } },
  ])
  // Without an address it can not say more.
  const alone = await askDoctor(site, url)
  expect(alone.code).toBe(6)
  expect(alone.report.findings).toMatchObject([
    { code: 'unreached', mend: { where: expect.stringContaining('--app') } },
  ])
})

test.each([
  ['a URL that is not the app', 'return 404;', / with 404/],
  ['a redirect', 'return 301 https://shop.example/;', /301 to https:\/\/shop\.example\//],
  [
    'a redirect without a host',
    'absolute_redirect off; return 301 /shop/;',
    /301 to http:\/\/127\.0\.0\.1:\d+\/shop\/\.$/,
  ],
  ['a login', 'auth_basic "shop"; auth_basic_user_file /dev/null;', / with 401/],
])('%s is told', async (_, lines, seen) => {
  const url = await startFront(lines)
  const { report, code } = await askDoctor(site, url, '--app', socket)
  expect(code).toBe(6)
  expect(report.findings).toMatchObject([{ code: 'not-passed-on', seen: expect.stringMatching(seen) }])
})

test('a site that asks for a login is examined with one', async () => {
  const users = site.write('users', 'ann:{PLAIN}secret\n')
  chmodSync(users, 0o644)
  const url = await startFront(`auth_basic "shop"; auth_basic_user_file ${users};`)
  const login = `Authorization: Basic ${Buffer.from('ann:secret').toString('base64')}`
  const { report } = await askDoctor(site, url, '--app', socket, '-H', login)
  expect(codesOf(report)).toContain('buffering')
  expect(codesOf(report)).not.toContain('authorization')
})

test('beside an app that runs: both answer the same', async () => {
  await startApp()
  const url = await startFront('')
  const well = await askDoctor(site, url, '--app', socket)
  expect(well).toMatchObject({ code: 0, report: { healthy: true, findings: [] } })
  expect(well.report.hint).toContain('Stop it and ask again')
  const program = command('doctor', url, '--app', socket)
  expect(await program.exited).toMatchObject({ code: 0 })
  expect(program.output).toMatch(/\n\nNothing wrong is seen from outside\.\n$/)
})

test('beside an app that runs: another status, and events that are held back', async () => {
  await startApp()
  const url = await startFront(`
    location = /other { return 418; }
    location = /events { fastcgi_pass unix:${socket}; include /etc/nginx/fastcgi_params; fastcgi_buffering on; }`)
  const other = await askDoctor(site, `${url}other`, '--app', socket)
  expect(codesOf(other.report)).toEqual(['status-differs'])
  const fails = await askDoctor(site, `${url}fails`, '--app', socket)
  expect(codesOf(fails.report)).toEqual(['app-fails'])
  const events = await askDoctor(site, `${url}events`, '--app', socket, '--timeout', '4')
  expect(events.report.findings).toMatchObject([
    { code: 'buffering', mend: { lines: ['fastcgi_buffering off;'] } },
  ])
})

test('an app alone', async () => {
  await startApp()
  expect(await askDoctor(site, socket)).toMatchObject({ code: 0, report: { findings: [] } })
})

test.each([
  ['nobody at the address of an app', ['1'], 5, /Nobody listens on 127\.0\.0\.1:1/],
  [
    'nobody at the URL',
    ['http://127.0.0.1:1/'],
    5,
    /The front server at http:\/\/127\.0\.0\.1:1 can not be asked/,
  ],
  [
    'an address of another machine',
    ['http://127.0.0.1:1/', '--app', '192.0.2.1:9000'],
    4,
    /is no address of this machine/,
  ],
  ['nothing to examine', [], 2, /say the URL of the front server/],
  ['a token that can be guessed', ['--probe', '--token', 'x'], 2, /8 characters or more/],
  ['a probe without a token', ['--probe'], 2, /--probe goes with --token/],
  [
    'a probe that no front server starts',
    ['--probe', '--token', TOKEN],
    4,
    /^The probe is started by the front server/m,
  ],
  ['a host beside the URL', ['http://127.0.0.1:1/', '-H', 'Host: shop.example'], 2, /--connect says where/],
  ['a size that is none', ['9000', '--upload', 'much'], 2, /a size such as 500k/],
])('%s', async (_, args, code, printed) => {
  const program = command('doctor', ...args)
  expect(await program.exited).toEqual({ code, signal: null })
  await program.printed(printed)
})

test('an answer that streams for ever is no reason to wait', async () => {
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
    const { report, code } = await askDoctor(site, `http://127.0.0.1:${port}/`)
    expect({ code, findings: report.findings }).toEqual({ code: 0, findings: [] })
  } finally {
    endless.closeAllConnections()
    endless.close()
  }
})

test('a redirect whose URL a shell would take apart', async () => {
  const url = await startFront(`return 302 "https://shop.example/;id&a='";`)
  const { report } = await askDoctor(site, url, '--app', socket)
  expect(report.findings[0]!.mend.where).toBe(
    `Examine that: fcgi-bridge doctor 'https://shop.example/;id&a='\\'''`,
  )
})

test('a certificate that nobody has signed', async () => {
  const { origin, args } = await nginxWithTls.start(site, nginxWithTls.healthy)
  const program = command('doctor', origin, ...args.filter((one) => one !== '--insecure'))
  expect(await program.exited).toMatchObject({ code: 5 })
  await program.printed(/Say --insecure to take any certificate/)
  // Node warns where an address is used as a name.
  expect(program.output).not.toContain('Warning')
})

test('the host of a URL that does not lead to the front server', async () => {
  const url = new URL(await startFront(''))
  const { report } = await askDoctor(site, 'http://shop.example/', '--app', socket, '--connect', url.host)
  expect(codesOf(report)).not.toContain('host')
  expect(report.of).toBe('http://shop.example/')
})

test('a probe with another token', async () => {
  site.start(process.execPath, [COMMAND_LINE, 'doctor', '--probe', '--token', TOKEN], {
    env: { ...process.env, FCGI_BRIDGE_LISTEN: socket },
  })
  expect(await accepting({ path: socket }, () => false)).toBe(true)
  const { report } = await askDoctor(site, await startFront(''), '--token', 'another-token')
  expect(codesOf(report)).toEqual(['wrong-token'])
})

test('what is no request is told', async () => {
  const url = await startFront('fastcgi_param CONTENT_LENGTH many;')
  const { report } = await askDoctor(site, url, '--app', socket)
  expect(report.findings).toMatchObject([
    { code: 'refused', seen: expect.stringContaining('CONTENT_LENGTH') },
  ])
})

test('an interrupted doctor leaves no socket behind', async () => {
  // A front server that never answers.
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

test('the probe tells nobody what it was sent who does not have its token', async () => {
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

// Lines of the server, in front of the location of the app; gives the URL.
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
