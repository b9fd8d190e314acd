// `fcgi-bridge request` with apps that are served by `fcgi-bridge serve` and by PHP-FPM.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest'
import { COMMAND_LINE } from '../support/fronts/command-line.ts'
import type { Program } from '../support/fronts/program.ts'
import { Site } from '../support/fronts/site.ts'
import { PHP_ROOT, startPhpFpm } from '../support/peers/php.ts'

const APP = `
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'

export default async (req, res) => {
  const { pathname } = new URL(req.url, 'http://x')
  if (pathname === '/upload') {
    const hash = createHash('sha256')
    for await (const chunk of req) hash.update(chunk)
    res.end(hash.digest('hex') + ' ' + req.headers['content-length'])
  } else if (pathname === '/echo') {
    res.setHeader('X-Echo', req.method)
    req.pipe(res)
  } else if (pathname === '/events') {
    res.setHeader('Content-Type', 'text/event-stream')
    res.write('data: 1\\n\\n')
    while (!existsSync(req.fcgi.params.GO_ON)) await setTimeout(10)
    res.end('data: 2\\n\\n')
  } else if (pathname === '/endless') {
    const more = () => { while (res.write('x'.repeat(10000) + '\\n')); res.once('drain', more) }
    more()
  } else if (pathname === '/breaks') {
    res.write('the beginning')
    setImmediate(() => res.destroy(new Error('broken')))
  } else if (pathname === '/fails') {
    throw new Error('not well')
  } else {
    res.setHeader('Set-Cookie', ['a=1', 'b=2'])
    const { method, headers, url, fcgi } = req
    const parts = [method, headers.host, url, 'mount=' + fcgi.params.SCRIPT_NAME, headers['x-name']]
    res.end(Buffer.from(parts.join(' '), 'latin1'))
  }
}`

const BYTES = randomBytes(300_000)

let site: Site
let socket: string

beforeAll(async () => {
  site = new Site()
  socket = site.path('app.sock')
  const args = [COMMAND_LINE, 'serve', site.write('app.mjs', APP), '--path', socket, '--no-log']
  await site.start(process.execPath, args).printed(/^Serving/m)
  writeFileSync(site.path('bytes'), BYTES)
})

afterAll(() => site.stop())

test('sends a GET for a path or a URL', async () => {
  expect(await output('/a%2Fb/../c?x=%20y')).toMatch(/^GET localhost \/a%2Fb\/\.\.\/c\?x=%20y /)
  expect(await output('https://shop.example:8443/cart')).toMatch(/^GET shop\.example:8443 \/cart /)
  expect(await output()).toMatch(/^GET localhost \/ /)
  expect(await output('/shop/cart', '--mount', '/shop')).toContain(' /shop/cart mount=/shop ')
})

test('sends a method, headers and params, and prints the response headers with -i', async () => {
  const options = ['-X', 'PATCH', '-H', 'X-Name: Jürgen', '-i', '--params', 'HTTP_HOST=a.example', 'B=c=d']
  const text = await output('/', ...options)
  expect(text).toMatch(/^Status: 200 OK\r\n/)
  expect(text).toContain('\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n')
  expect(text).toMatch(/\r\n\r\nPATCH a\.example \/ .*Jürgen$/)
})

test('sends a body: text, a file with its length, or standard input without a length', async () => {
  expect(await output('/echo', '-i', '--body', 'hellö')).toMatch(/X-Echo: POST[\s\S]*\r\n\r\nhellö$/)
  const hash = createHash('sha256').update(BYTES).digest('hex')
  expect(await output('/upload', '--body', `@${site.path('bytes')}`)).toBe(`${hash} ${BYTES.length}`)
  const program = start(['/upload', '--body', '@-'], 'pipe')
  program.child.stdin!.end(BYTES)
  expect(await program.exited).toMatchObject({ code: 0 })
  expect(program.output).toBe(`${hash} undefined`)
})

test('writes the body unchanged to standard output or to a file', async () => {
  const file = `@${site.path('bytes')}`
  const target = site.path('copy')
  await output('/echo', '--body', file, '-o', target)
  expect(readFileSync(target).equals(BYTES)).toBe(true)
  const shell = site.start('/bin/sh', ['-c', `"$0" "$@" | sha256sum`, ...command('/echo', '--body', file)])
  await shell.exited
  expect(shell.output).toContain(createHash('sha256').update(BYTES).digest('hex'))
})

test('prints events as they arrive', async () => {
  const goOn = site.path('go-on')
  const program = start(['/events', '--params', `GO_ON=${goOn}`])
  await program.printed(/^data: 1\n\n$/)
  writeFileSync(goOn, '')
  await program.printed(/data: 2/)
  expect(await program.exited).toMatchObject({ code: 0 })
})

test('ends without an error when the reader of its output closes the pipe', async () => {
  const shell = site.start('/bin/sh', ['-c', `"$0" "$@" | head -c 5`, ...command('/endless')])
  expect(await shell.exited).toMatchObject({ code: 0 })
  expect(shell.output).toBe('xxxxx')
})

test('prints FCGI_STDERR with --stderr, and a hint without it', async () => {
  const program = start(['/fails', '--stderr'])
  expect(await program.exited).toMatchObject({ code: 0 })
  await program.printed(/Error: not well\n {4}at /)
  await start(['/fails']).printed(/The app wrote to FCGI_STDERR\. Use --stderr to see it/)
})

test('--json prints the response as JSON, with base64 for a body that is not UTF-8', async () => {
  const response = JSON.parse(await output('/', '--json'))
  expect(response).toMatchObject({
    status: 200,
    body: expect.stringMatching(/^GET/),
    stderr: '',
    appStatus: 0,
  })
  expect(response.headers).toContainEqual(['Set-Cookie', 'b=2'])
  expect(response.records).toBeUndefined()
  const echo = JSON.parse(await output('/echo', '--json', '--verbose', '--body', `@${site.path('bytes')}`))
  expect(Buffer.from(echo.bodyBase64, 'base64').equals(BYTES)).toBe(true)
  expect(echo.params).toContainEqual(['CONTENT_LENGTH', String(BYTES.length)])
  expect(echo.records[0]).toMatchObject({ direction: 'sent', type: 'FCGI_BEGIN_REQUEST', contentLength: 8 })
  expect(echo.records.at(-1)).toMatchObject({ direction: 'received', type: 'FCGI_END_REQUEST' })
  expect(JSON.parse(await output('/fails', '--json')).stderr).toContain('Error: not well')
})

test('--verbose prints the params and records', async () => {
  const program = start(['/', '-v'])
  await program.printed(
    /^ {2}REQUEST_METHOD=GET\n[\s\S]*^> FCGI_PARAMS \d+ bytes[\s\S]*^< FCGI_STDOUT \d+ bytes/m,
  )
  await program.printed(/^\* ended: appStatus 0, protocolStatus 0/m)
})

test.each([
  ['an error response with --fail', ['/fails', '--fail'], 6, /Internal Server Error/],
  ['a response that is cut off', ['/breaks'], 6, /the beginning[\s\S]*The response of \S+ was cut off: /],
  ['a missing file', ['/upload', '--body', '@/no/such/file'], 2, /Cannot read \/no\/such\/file/],
  ['a folder in place of a file', ['/upload', '--body', '@/tmp'], 2, /Cannot read \/tmp: it is a folder/],
  [
    'a file that cannot be written',
    ['/', '-o', '/no/such/folder/file'],
    2,
    /Cannot write \/no\/such\/folder\/file/,
  ],
  ['an invalid path', ['cart'], 2, /It takes a path such as \/health/],
  ['a method that FastCGI does not support', ['/', '-X', 'CONNECT'], 2, /no way to tunnel/],
  ['an invalid method', ['/', '-X', 'A B'], 2, /It takes a method/],
])('exit status and output for %s', async (_, args, code, printed) => {
  const program = start(args)
  expect(await program.exited).toEqual({ code, signal: null })
  await program.printed(printed)
})

test('if no app listens, the error says so', async () => {
  const program = site.start(process.execPath, [COMMAND_LINE, 'request', '1', '/'])
  expect(await program.exited).toMatchObject({ code: 5 })
  await program.printed(/No app listens on 127\.0\.0\.1:1/)
})

test('a script of PHP-FPM', async () => {
  const { address, stop } = await startPhpFpm()
  try {
    const at = 'path' in address ? address.path : ''
    const script = [`SCRIPT_FILENAME=${PHP_ROOT}/index.php`, 'SCRIPT_NAME=/index.php']
    const program = site.start(process.execPath, [
      COMMAND_LINE,
      'request',
      at,
      '/',
      '-i',
      '--params',
      ...script,
    ])
    expect(await program.exited).toMatchObject({ code: 0 })
    expect(program.output).toMatch(/^Status: \d+ .*\r\nX-Powered-By: PHP/)
  } finally {
    await stop()
  }
})

function command(...args: string[]): string[] {
  return [process.execPath, COMMAND_LINE, 'request', socket, ...args]
}

function start(args: string[], stdin: 'ignore' | 'pipe' = 'ignore'): Program {
  onTestFailed(() => console.error(site.report().slice(-5000)))
  const [file, ...rest] = command(...args)
  return site.start(file!, rest, { stdio: [stdin, 'pipe', 'pipe'] })
}

async function output(...args: string[]): Promise<string> {
  const program = start(args)
  await once(program.child, 'close')
  expect(await program.exited, program.output).toEqual({ code: 0, signal: null })
  return program.output
}
