import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, extname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EXIT } from '../exit-codes.ts'
import { run } from '../run.ts'
import { programWords } from './serve-words.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync('/tmp/fcgi-bridge-')
  mkdirSync(join(folder, 'shop/public'), { recursive: true })
  writeFileSync(join(folder, 'shop/app.mjs'), 'export default () => {}\n')
})

afterEach(() => rmSync(folder, { recursive: true }))

/** Runs `fcgi-bridge config` without loading the app. `~` stands for the folder. */
async function config(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return configWithCheck(...args, '--no-check')
}

async function configWithCheck(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', '']
  const words = args.map((word) => word.replace(/^~/, folder))
  const code = await run(
    ['config', ...words],
    { write: (text) => (out += text) },
    { write: (text) => (err += text) },
  )
  return { code, out, err }
}

test('the default name is that of the module, or of its folder if the module has a common name', async () => {
  expect((await config('nginx', '~/shop/app.mjs')).out).toContain('upstream shop {')
  writeFileSync(join(folder, 'shop/Über Cart.mjs'), '')
  expect((await config('nginx', '~/shop/Über Cart.mjs')).out).toContain('upstream ber-cart {')
  expect((await config('nginx', '--socket', '/run/cart.sock')).out).toContain('upstream cart {')
  expect((await config('nginx', '--address', '9001', '--name', 'basket')).out).toContain('upstream basket {')
})

test('the command that starts the app can be pasted into a shell', async () => {
  writeFileSync(join(folder, "shop/it's.mjs"), '')
  const { out } = await config('nginx', "~/shop/it's.mjs", '--address', '[::1]:9001', '--as', 'fetch')
  expect(out).toContain(
    `npx fcgi-bridge serve '${folder}/shop/it'\\''s.mjs' --as fetch --max-body 10m --port 9001 --host ::1\n`,
  )
})

test('a symbolic link in the path of the app is kept, because the next deploy changes it', async () => {
  symlinkSync(join(folder, 'shop'), join(folder, 'current'))
  expect((await config('nginx', '~/current/app.mjs')).out).toContain(`${folder}/current/app.mjs`)
})

test('a line break in the path that a link resolves to is an error, and never ends a line of the config', async () => {
  mkdirSync(join(folder, 'a\nb'))
  writeFileSync(join(folder, 'a\nb/index.js'), '')
  symlinkSync(join(folder, 'a\nb'), join(folder, 'current'))
  expect(await config('nginx', '~/current')).toMatchObject({
    code: EXIT.usage,
    err: expect.stringContaining('control character'),
  })
})

test('--output does not overwrite a file', async () => {
  const file = join(folder, 'site.conf')
  const first = await config('nginx', '~/shop/app.mjs', '--output', file)
  expect(first).toEqual({ code: 0, out: '', err: '' })
  const text = readFileSync(file, 'utf8')
  expect(text).toBe((await config('nginx', '~/shop/app.mjs')).out)
  expect(await config('nginx', '~/shop/app.mjs', '--output', file, '--buffer')).toMatchObject({
    code: EXIT.failed,
    err: expect.stringContaining(`${file} already exists`),
  })
  expect(readFileSync(file, 'utf8')).toBe(text)
})

describe('a module in which `serve` would find no app is an error, with the message of `serve`', () => {
  test.each<[string, string, RegExp]>([
    ['no export', '', /app\.mjs exports nothing, so there is no app to serve/],
    ['a factory', 'export default function createApp() {}', /export default await createApp\(\)/],
    ['an unclear function', 'export default (a, b) => [a, b]', /use --as listener/],
    ['a syntax error', 'const b = = 2', /app\.mjs:1\n+const b = = 2/],
    ['an error', "throw new Error('no database')", /no database/],
    ['process.exit()', 'process.exit(9)', /app\.mjs ended the process while it was loaded \(status 9\)/],
  ])('%s', async (_, module, message) => {
    writeFileSync(join(folder, 'shop/app.mjs'), module)
    const { code, out, err } = await configWithCheck('nginx', '~/shop/app.mjs')
    expect({ code, out }).toEqual({ code: EXIT.app, out: '' })
    expect(err).toMatch(message)
    expect(err).toContain('If the app fails on this machine only, use --no-check')
    expect(err.match(/fcgi-bridge: /g)).toHaveLength(1)
    expect((await config('nginx', '~/shop/app.mjs')).code).toBe(EXIT.ok)
  })

  test('--as and --export are used, and output and open timers of the app are ignored', async () => {
    const module = "console.log('hello')\nsetInterval(() => {}, 1000)\nexport const shop = (a, b) => [a, b]"
    writeFileSync(join(folder, 'shop/app.mjs'), module)
    const { code, out } = await configWithCheck(
      'nginx',
      '~/shop/app.mjs',
      '--as',
      'listener',
      '--export',
      'shop',
    )
    expect(code).toBe(EXIT.ok)
    expect(out).toMatch(/^# nginx for localhost/)
  })
})

test('the socket of the app is not in the folder that systemd removes when the service stops', async () => {
  const service = async (socket: string) =>
    (await config('systemd', '~/shop/app.mjs', '--workers', '2', '--socket', socket)).out
  expect(await service('/run/shop/app.sock')).toContain('\nRuntimeDirectory=shop-control\n')
  expect(await service('/run/shop.sock')).toContain('\nRuntimeDirectory=shop\n')
})

test('--socket unix:/run/app.sock is the socket /run/app.sock', async () => {
  const { out } = await config('nginx', '~/shop/app.mjs', '--socket', 'unix:/run/app.sock')
  expect(out).toContain('    server unix:/run/app.sock;\n')
  expect(out).toContain(' --path /run/app.sock ')
})

describe('--output', () => {
  const units = async (...args: string[]) => config('systemd', '~/shop/app.mjs', ...args)

  test.each([
    ['a folder', '~/units/', 'units/shop'],
    ['a folder without a slash at its end', '~/units', 'units/shop'],
    ['a name', '~/units/web', 'units/web'],
    ['the name of one unit', '~/units/web.service', 'units/web'],
  ])('writes both systemd units, given %s', async (_, output, stem) => {
    mkdirSync(join(folder, 'units'))
    expect(await units('--output', output)).toEqual({ code: 0, out: '', err: '' })
    const { files } = JSON.parse((await units('--json', '--name', basename(stem))).out)
    expect(files).toHaveLength(2)
    for (const { path, text } of files) {
      expect(readFileSync(join(folder, stem + extname(path)), 'utf8')).toBe(text)
    }
    expect(readdirSync(join(folder, 'units'))).toHaveLength(2)
  })

  test('the units name each other as their files are named', async () => {
    await units('--output', '~/web')
    expect(readFileSync(join(folder, 'web.service'), 'utf8')).toContain('\nRequires=web.socket\n')
    expect(await units('--output', '~/shop2', '--name', 'shop')).toMatchObject({
      code: EXIT.usage,
      err: expect.stringContaining('Leave out --name'),
    })
    expect(await units('--output', '~/My units')).toMatchObject({
      code: EXIT.usage,
      err: expect.stringContaining('My units is not a name of a-z, 0-9 and dashes'),
    })
  })

  test('writes nothing if one of the files exists', async () => {
    writeFileSync(join(folder, 'web.service'), 'mine')
    expect(await units('--output', '~/web')).toMatchObject({
      code: EXIT.failed,
      err: expect.stringContaining('web.service already exists'),
    })
    expect(readFileSync(join(folder, 'web.service'), 'utf8')).toBe('mine')
    expect(existsSync(join(folder, 'web.socket'))).toBe(false)
  })

  test('writes a config of one file into a folder', async () => {
    mkdirSync(join(folder, 'sites'))
    expect(await config('nginx', '~/shop/app.mjs', '--output', '~/sites')).toEqual({
      code: 0,
      out: '',
      err: '',
    })
    expect(readFileSync(join(folder, 'sites/shop.conf'), 'utf8')).toMatch(/^# nginx for localhost/)
  })
})

test('if there are several files, a line before each has its path', async () => {
  const { out } = await config('systemd', '~/shop/app.mjs')
  const { files } = JSON.parse((await config('systemd', '~/shop/app.mjs', '--json')).out)
  const [socket, service] = files as { path: string; text: string }[]
  expect(out).toBe(`### ${socket!.path} ###\n${socket!.text}\n### ${service!.path} ###\n${service!.text}`)
})

test('--json prints the config and its commands', async () => {
  const { out } = await config('nginx', '~/shop/app.mjs', '--mount', '/shop/', '--json')
  expect(JSON.parse(out)).toEqual({
    files: [
      { path: '/etc/nginx/sites-available/shop.conf', text: expect.stringContaining('upstream shop {') },
    ],
    check: 'nginx -t',
    reload: 'systemctl reload nginx',
    app: [
      'fcgi-bridge',
      'serve',
      `${folder}/shop/app.mjs`,
      '--mount',
      '/shop',
      '--max-body',
      '10m',
      '--port',
      '9000',
    ],
  })
})

test.each([
  [[], /Name the app's module, or give the address on which it listens/],
  [['--socket', '/run/a b.sock'], /characters in a socket's path other than letters, digits/],
  [['--socket', `/run/${'a'.repeat(103)}`], /has 108 bytes, and a Unix socket's path can have at most 107/],
  [['--socket', 'a', '--address', '1'], /cannot be used with/],
  [['--address', 'localhost'], /It takes a port such as 8080/],
  [['--listen', '70000'], /It takes a port/],
  [['--listen', '80; deny all'], /It takes a port/],
  [['--server-name', 'a; b'], /It takes one host name/],
  [['--mount', 'shop'], /It takes a path/],
  [['--mount', '/a/../b'], /It takes a path/],
  [['--mount', '/a b'], /It takes a path/],
  [['--name', 'a b'], /It takes a name/],
  [['--max-body', '0'], /It takes a size/],
  [['--max-body', '2g'], /below 2g/],
  [['--socket', '/s', '--static', '~/none'], /none: there is no such folder/],
  [['--socket', '/s', '--static', '~/shop/app.mjs'], /there is no such folder/],
  [['--socket', '/s', '--static-url', '/a'], /--static-url needs --static/],
  [['--socket', '/s', '--tls-cert', 'a'], /must be used together. Add --tls-key/],
  [['--socket', '/s', '--redirect-from', '80'], /Add --tls-cert and --tls-key/],
  [['--socket', '/s', '--tls-cert', 'a\nb', '--tls-key', 'c'], /control character/],
  [['~/shop/app.mjs', '--export', 'a\nuser root;'], /--export "a\\nuser root;" contains a control character/],
  [['--socket', '/s', '--tls-cert', 'a$b', '--tls-key', 'c'], /cannot express \$/],
  [['--socket', '/a.%i', '--per-worker-sockets'], /add --workers 4/],
  [['--socket', '/s', '--workers', '2', '--per-worker-sockets'], /write %i for the number of the worker/],
])('a wrong command line is an error: %j', async (args, message) => {
  const { code, out, err } = await config('nginx', ...args)
  expect(err).toMatch(message)
  expect(code).toBe(EXIT.usage)
  expect(out).toBe('')
})

test.each([
  ['nginx', '--user', 'shop', '--user applies to systemd units only'],
  ['nginx', '--spawn', '', '--spawn applies to lighttpd only'],
  ['apache-fcgid', '--workers', '2', '--workers does not apply to mod_fcgid'],
  ['caddy', '--per-worker-sockets', '', '--per-worker-sockets applies to nginx only'],
  ['apache-fcgid', '--socket', '/run/app.sock', '--socket does not apply to mod_fcgid'],
  ['haproxy', '--static', '~/shop/public', '--static does not apply to HAProxy, which serves no files'],
  ['systemd', '--tls-cert', 'cert.pem', '--tls-cert does not apply to systemd units'],
  ['systemd', '--address', 'localhost:9000', 'systemd does not resolve host names. Use 127.0.0.1:9000'],
])('%s does not support %s', async (server, flag, value, message) => {
  const { code, err } = await config(server, '~/shop/app.mjs', flag, ...(value === '' ? [] : [value]))
  expect(err).toContain(message)
  expect(code).toBe(EXIT.usage)
})

test('HAProxy reads the key from the certificate file, or from a file next to it, and from nowhere else', async () => {
  const key = (path: string) =>
    config('haproxy', '~/shop/app.mjs', '--tls-cert', '/etc/cert.pem', '--tls-key', path)
  expect((await key('/etc/key.pem')).err).toContain('or from /etc/cert.pem.key')
  expect((await key('/etc/cert.pem')).out).toContain("crt '/etc/cert.pem'")
})

test('Caddy uses its automatic HTTPS for a DNS name', async () => {
  const { out } = await config('caddy', '~/shop/app.mjs', '--server-name', 'shop.example.com')
  expect(out).toContain('\nshop.example.com {\n')
})

test("a config in which the server starts a program of npx's cache is an error", () => {
  expect(() => programWords('/root/.npm/_npx/1/node_modules/.bin/fcgi-bridge')).toThrow(
    'npm install fcgi-bridge',
  )
})

test("a folder with the app's source code cannot be served", async () => {
  const withStatic = (path: string) => config('nginx', '~/shop/app.mjs', '--static', path)
  expect((await withStatic('~/shop')).err).toContain('contains the app')
  symlinkSync(join(folder, 'shop'), join(folder, 'shop/public/link'))
  expect((await withStatic('~/shop/public/link')).err).toContain('contains the app')
  writeFileSync(join(folder, 'shop/public/package.json'), '{}')
  expect((await withStatic('~/shop/public')).err).toContain("it is a project's folder")
})

test('an unknown server and a missing app are errors', async () => {
  expect(await config('iis', 'app.js')).toMatchObject({
    code: EXIT.usage,
    err: expect.stringContaining('nginx'),
  })
  expect(await config('nginx', '~/no.js')).toMatchObject({ code: EXIT.app })
})

test("nginx gets a `server` line for each worker's socket, and the command of the app names the same sockets", async () => {
  const flags = ['--workers', '2', '--per-worker-sockets', '--json']
  const { files, app } = JSON.parse((await config('nginx', '--socket', '/run/app.%i.sock', ...flags)).out)
  expect(files[0].text).toMatch(
    /least_conn;\n {4}server unix:\/run\/app\.0\.sock;\n {4}server unix:\/run\/app\.1\.sock;/,
  )
  expect(app.join(' ')).toMatch(/--workers 2 --per-worker-sockets --path \/run\/app\.%i\.sock/)
  const ports = JSON.parse((await config('nginx', '--address', '127.0.0.1:9000', ...flags)).out)
  expect(ports.files[0].text).toMatch(/server 127\.0\.0\.1:9000;\n {4}server 127\.0\.0\.1:9001;/)
})
