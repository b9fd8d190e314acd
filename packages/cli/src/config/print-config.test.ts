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
import { extname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EXIT } from '../exit-codes.ts'
import { run } from '../run.ts'
import { programWords } from './site.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync('/tmp/fcgi-bridge-')
  mkdirSync(join(folder, 'shop/public'), { recursive: true })
  writeFileSync(join(folder, 'shop/app.mjs'), 'export default () => {}\n')
})

afterEach(() => rmSync(folder, { recursive: true }))

/** Runs `fcgi-bridge config`, without loading the app; `~` stands for the folder. */
async function config(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return checked(...args, '--no-check')
}

async function checked(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', '']
  const words = args.map((word) => word.replace(/^~/, folder))
  const code = await run(
    ['config', ...words],
    { write: (text) => (out += text) },
    { write: (text) => (err += text) },
  )
  return { code, out, err }
}

test('an app is called as its file, or as its folder where that says more', async () => {
  expect((await config('nginx', '~/shop/app.mjs')).out).toContain('upstream shop {')
  writeFileSync(join(folder, 'shop/Über Cart.mjs'), '')
  expect((await config('nginx', '~/shop/Über Cart.mjs')).out).toContain('upstream ber-cart {')
  expect((await config('nginx', '--socket', '/run/cart.sock')).out).toContain('upstream cart {')
  expect((await config('nginx', '--address', '9001', '--name', 'basket')).out).toContain('upstream basket {')
})

test('the command that starts the app is one that can be pasted', async () => {
  writeFileSync(join(folder, "shop/it's.mjs"), '')
  const { out } = await config('nginx', "~/shop/it's.mjs", '--address', '[::1]:9001', '--as', 'fetch')
  expect(out).toContain(
    `npx fcgi-bridge serve '${folder}/shop/it'\\''s.mjs' --as fetch --max-body 10m --port 9001 --host ::1\n`,
  )
})

test('a link to the app stays one: it is what the next deploy changes', async () => {
  symlinkSync(join(folder, 'shop'), join(folder, 'current'))
  expect((await config('nginx', '~/current/app.mjs')).out).toContain(`${folder}/current/app.mjs`)
})

test('no path that a link leads to ends a line of the config', async () => {
  mkdirSync(join(folder, 'a\nb'))
  writeFileSync(join(folder, 'a\nb/index.js'), '')
  symlinkSync(join(folder, 'a\nb'), join(folder, 'current'))
  expect(await config('nginx', '~/current')).toMatchObject({
    code: EXIT.usage,
    err: expect.stringContaining('control character'),
  })
})

test('a file is written once', async () => {
  const file = join(folder, 'site.conf')
  const first = await config('nginx', '~/shop/app.mjs', '--output', file)
  expect(first).toEqual({ code: 0, out: '', err: '' })
  const text = readFileSync(file, 'utf8')
  expect(text).toBe((await config('nginx', '~/shop/app.mjs')).out)
  expect(await config('nginx', '~/shop/app.mjs', '--output', file, '--buffer')).toMatchObject({
    code: EXIT.failed,
    err: expect.stringContaining(`${file} is there already`),
  })
  expect(readFileSync(file, 'utf8')).toBe(text)
})

describe('an app that serve refuses is refused, with the same words', () => {
  test.each<[string, string, RegExp]>([
    ['no export', '', /app\.mjs exports nothing, so there is no app to serve/],
    [
      'only listen()',
      "import { createServer } from 'node:http'\ncreateServer().listen(0, '127.0.0.1')",
      /It calls listen\(\) itself/,
    ],
    ['a factory', 'export default function createApp() {}', /export default await createApp\(\)/],
    ['an unclear function', 'export default (a, b) => [a, b]', /say --as listener/],
    ['a syntax error', 'const b = = 2', /app\.mjs:1\n+const b = = 2/],
    ['an error', "throw new Error('no database')", /no database/],
    ['an end of the program', 'process.exit(9)', /app\.mjs ended the program \(9\)/],
  ])('%s', async (_, module, message) => {
    writeFileSync(join(folder, 'shop/app.mjs'), module)
    const { code, out, err } = await checked('nginx', '~/shop/app.mjs')
    expect({ code, out }).toEqual({ code: EXIT.app, out: '' })
    expect(err).toMatch(message)
    expect(err).toContain('say --no-check to have the config all the same')
    expect(err.match(/fcgi-bridge: /g)).toHaveLength(1)
    expect((await config('nginx', '~/shop/app.mjs')).code).toBe(EXIT.ok)
  })

  test('--as and --export are heeded, and what the app prints or leaves open does not matter', async () => {
    const module = "console.log('hello')\nsetInterval(() => {}, 1000)\nexport const shop = (a, b) => [a, b]"
    writeFileSync(join(folder, 'shop/app.mjs'), module)
    const { code, out } = await checked('nginx', '~/shop/app.mjs', '--as', 'listener', '--export', 'shop')
    expect(code).toBe(EXIT.ok)
    expect(out).toMatch(/^# nginx for localhost/)
  })
})

describe('--output', () => {
  const units = async (...args: string[]) => config('systemd', '~/shop/app.mjs', ...args)

  test.each([
    ['a folder', '~/units/', 'units/shop'],
    ['a folder without its slash', '~/units', 'units/shop'],
    ['a name', '~/units/web', 'units/web'],
    ['the name of one unit', '~/units/web.service', 'units/web'],
  ])('both units of systemd: %s', async (_, output, stem) => {
    mkdirSync(join(folder, 'units'))
    expect(await units('--output', output)).toEqual({ code: 0, out: '', err: '' })
    const { files } = JSON.parse((await units('--json')).out)
    expect(files).toHaveLength(2)
    for (const { path, text } of files) {
      expect(readFileSync(join(folder, stem + extname(path)), 'utf8')).toBe(text)
    }
    expect(readdirSync(join(folder, 'units'))).toHaveLength(2)
  })

  test('nothing is written where one of the files is there', async () => {
    writeFileSync(join(folder, 'web.service'), 'mine')
    expect(await units('--output', '~/web')).toMatchObject({
      code: EXIT.failed,
      err: expect.stringContaining('web.service is there already'),
    })
    expect(readFileSync(join(folder, 'web.service'), 'utf8')).toBe('mine')
    expect(existsSync(join(folder, 'web.socket'))).toBe(false)
  })

  test('a config of one file, into a folder', async () => {
    mkdirSync(join(folder, 'sites'))
    expect(await config('nginx', '~/shop/app.mjs', '--output', '~/sites')).toEqual({
      code: 0,
      out: '',
      err: '',
    })
    expect(readFileSync(join(folder, 'sites/shop.conf'), 'utf8')).toMatch(/^# nginx for localhost/)
  })
})

test('--json has the commands beside the config', async () => {
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
  [[], /What is the app\? Name its module, or say where it listens/],
  [['--socket', '/run/a b.sock'], /other characters than letters, digits/],
  [['--socket', `/run/${'a'.repeat(103)}`], /may have 107 bytes/],
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
  [['--socket', '/s', '--static', '~/none'], /none is no folder/],
  [['--socket', '/s', '--static', '~/shop/app.mjs'], /is no folder/],
  [['--socket', '/s', '--static-url', '/a'], /--static-url goes with --static/],
  [['--socket', '/s', '--tls-cert', 'a'], /go together/],
  [['--socket', '/s', '--redirect-from', '80'], /goes with --tls-cert/],
  [['--socket', '/s', '--tls-cert', 'a\nb', '--tls-key', 'c'], /control character/],
  [
    ['~/shop/app.mjs', '--export', 'a\nuser root;'],
    /--export "a\\nuser root;": there is a control character/,
  ],
  [['--socket', '/s', '--tls-cert', 'a$b', '--tls-key', 'c'], /has no way to write \$/],
])('wrong: %j', async (args, message) => {
  const { code, out, err } = await config('nginx', ...args)
  expect(err).toMatch(message)
  expect(code).toBe(EXIT.usage)
  expect(out).toBe('')
})

test.each([
  ['nginx', '--user', 'shop', '--user is for units of systemd'],
  ['nginx', '--spawn', '', '--spawn is for lighttpd'],
  ['apache-fcgid', '--socket', '/run/app.sock', '--socket is not for mod_fcgid'],
  ['haproxy', '--static', '~/shop/public', '--static is for servers that serve files'],
  ['systemd', '--tls-cert', 'cert.pem', '--tls-cert is for the front server'],
  ['systemd', '--address', 'localhost:9000', 'systemd looks up no names. Say 127.0.0.1:9000'],
])('%s can not honour %s', async (server, flag, value, message) => {
  const { code, err } = await config(server, '~/shop/app.mjs', flag, ...(value === '' ? [] : [value]))
  expect(err).toContain(message)
  expect(code).toBe(EXIT.usage)
})

test('HAProxy finds the key beside the certificate alone', async () => {
  const key = (path: string) =>
    config('haproxy', '~/shop/app.mjs', '--tls-cert', '/etc/cert.pem', '--tls-key', path)
  expect((await key('/etc/key.pem')).err).toContain('or from /etc/cert.pem.key')
  expect((await key('/etc/cert.pem')).out).toContain("crt '/etc/cert.pem'")
})

test('Caddy has HTTPS by itself for a name of the DNS', async () => {
  const { out } = await config('caddy', '~/shop/app.mjs', '--server-name', 'shop.example.com')
  expect(out).toContain('\nshop.example.com {\n')
})

test("a server is told to start no program of npx's cache", () => {
  expect(() => programWords('/root/.npm/_npx/1/node_modules/.bin/fcgi-bridge')).toThrow(
    'npm install fcgi-bridge',
  )
})

test('the source of an app is never among the files', async () => {
  const wrong = (path: string) => config('nginx', '~/shop/app.mjs', '--static', path)
  expect((await wrong('~/shop')).err).toContain('holds the app itself')
  symlinkSync(join(folder, 'shop'), join(folder, 'shop/public/link'))
  expect((await wrong('~/shop/public/link')).err).toContain('holds the app itself')
  writeFileSync(join(folder, 'shop/public/package.json'), '{}')
  expect((await wrong('~/shop/public')).err).toContain("it is a project's folder")
})

test('a server that is none, and an app that is not there', async () => {
  expect(await config('iis', 'app.js')).toMatchObject({
    code: EXIT.usage,
    err: expect.stringContaining('nginx'),
  })
  expect(await config('nginx', '~/no.js')).toMatchObject({ code: EXIT.app })
})
