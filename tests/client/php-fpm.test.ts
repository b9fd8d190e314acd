// Behaviour specific to PHP-FPM: workers that exit and restart, a queue in front of them, and scripts that are files.
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createGateway, FastCgiDispatcher, type FastCgiDispatcherOptions } from '@fcgi-bridge/client'
import { request } from 'undici'
import { describe, expect, onTestFailed, onTestFinished, test } from 'vitest'
import { send } from '../support/cases/http.ts'
import { required } from '../support/fronts/programs.ts'
import type { Peer } from '../support/peers/peer.ts'
import { PHP_ROOT, type PhpFpmOptions, startPhpFpm } from '../support/peers/php.ts'

const ORIGIN = 'http://peer.test'

async function start(
  peerOptions: PhpFpmOptions,
  options: FastCgiDispatcherOptions = { scriptFilename: join(PHP_ROOT, 'index.php') },
): Promise<{ peer: Peer; get: (path: string) => Promise<string> }> {
  const peer = await startPhpFpm(peerOptions)
  const dispatcher = new FastCgiDispatcher(peer.address, options)
  onTestFailed(() => console.error(peer.site.report()))
  onTestFinished(async () => {
    await dispatcher.destroy()
    await peer.stop()
  })
  const get = async (path: string): Promise<string> => {
    const { statusCode, body } = await request(ORIGIN + path, { dispatcher })
    const text = await body.text()
    if (statusCode !== 200) throw new Error(`${statusCode} ${text}`)
    return text
  }
  return { peer, get }
}

/** Calls `once` `times` times, 32 concurrently. */
async function repeat<T>(times: number, once: () => Promise<T>): Promise<T[]> {
  const results: T[] = []
  let left = times
  const work = async () => {
    while (left-- > 0) results.push(await once())
  }
  await Promise.all(Array.from({ length: 32 }, work))
  return results
}

describe('pm.max_requests', () => {
  test.each([
    ['more concurrent requests than workers', 32],
    ['as many concurrent requests as workers, and the rest wait in the client', 4],
  ])(
    'workers are replaced while hundreds of requests run, and none is lost or run twice: %s',
    async (_, maxConnections) => {
      const { peer, get } = await start(
        { pool: { 'pm.max_children': 4, 'pm.max_requests': 7 } },
        { scriptFilename: join(PHP_ROOT, 'index.php'), maxConnections },
      )
      const pids = await repeat(600, () => get('/count'))
      const counted = readFileSync(peer.site.path('control', 'count'), 'utf8').trimEnd().split('\n')
      expect(pids).toHaveLength(600)
      expect(counted.toSorted()).toEqual(pids.toSorted())
      // Each worker has served seven requests.
      expect(new Set(pids).size).toBeGreaterThanOrEqual(Math.floor(600 / 7))
    },
  )
})

describe('pm.max_children', () => {
  test('requests wait while all workers are busy', async () => {
    const { peer, get } = await start({ pool: { 'pm.max_children': 2 } })
    const { control } = peer.site
    const held = [get('/stream?id=one'), get('/stream?id=two')]
    await Promise.all([control.waitFor('one', 'held'), control.waitFor('two', 'held')])
    const waiting = Array.from({ length: 10 }, () => get('/bytes?length=1'))
    control.send('one', 'continue')
    control.send('two', 'continue')
    expect(await Promise.all(held)).toEqual(['first\nlast\n', 'first\nlast\n'])
    expect(await Promise.all(waiting)).toEqual(Array.from({ length: 10 }, () => '0'))
  })

  test('kept connections do not occupy workers that new ones need', async () => {
    const { get } = await start(
      { pool: { 'pm.max_children': 1 } },
      // If the kept connection stayed open, the others would get no worker before the test ends.
      { scriptFilename: join(PHP_ROOT, 'index.php'), idleTimeout: 0 },
    )
    const texts = await Promise.all(Array.from({ length: 5 }, () => get('/bytes?length=1')))
    expect(texts).toEqual(Array.from({ length: 5 }, () => '0'))
  })

  test('more requests than listen.backlog wait as well', async () => {
    const { get } = await start({ pool: { 'pm.max_children': 1, 'listen.backlog': 1 } })
    const texts = await Promise.all(Array.from({ length: 30 }, () => get('/bytes?length=1')))
    expect(texts).toEqual(Array.from({ length: 30 }, () => '0'))
  })
})

describe('a request body without a length', () => {
  const CONTENT = Buffer.alloc(100_000, 'content of some length ')
  const FORM = { form: 'multipart/form-data; boundary=b' }
  const UPLOAD = Buffer.from(
    `--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n${CONTENT}\r\n--b--\r\n`,
  )

  async function* inPieces(body: Buffer): AsyncGenerator<Buffer> {
    for (let at = 0; at < body.length; at += 7001) yield body.subarray(at, at + 7001)
  }

  test.each([
    ['scriptFilename', { scriptFilename: join(PHP_ROOT, 'index.php') }],
    ['splitPath', { documentRoot: PHP_ROOT, splitPath: ['.php'] }],
  ])('PHP reads the whole body, through the dispatcher and the gateway, with %s', async (_, options) => {
    const { peer } = await start({}, options)
    const dispatcher = new FastCgiDispatcher(peer.address, options)
    const gateway = createGateway(peer.address, options)
    onTestFinished(async () => {
      await dispatcher.destroy()
      gateway.close()
    })
    await once(gateway.listen(0, '127.0.0.1'), 'listening')
    const origin = { host: '127.0.0.1', port: (gateway.address() as AddressInfo).port }
    const post = async (path: string, body: unknown, type: string): Promise<string[]> => {
      const headers = { 'content-type': type }
      const direct = await request(ORIGIN + path, {
        dispatcher,
        method: 'POST',
        headers,
        body: body as Buffer,
      })
      const bytes = body instanceof Buffer ? body : inPieces(path === '/index.php/body' ? CONTENT : UPLOAD)
      const { text } = await send(origin, path, {
        method: 'POST',
        headers: ['Content-Type', type, ...(body instanceof Buffer ? [] : ['Transfer-Encoding', 'chunked'])],
        body: bytes as Buffer,
      })
      return [await direct.body.text(), text]
    }
    const [sized] = await post('/index.php/body', CONTENT, 'text/plain')
    expect(sized).toMatch(/^100000 /)
    expect(await post('/index.php/body', inPieces(CONTENT), 'text/plain')).toEqual([sized, sized])
    expect(await post('/index.php/upload', inPieces(UPLOAD), FORM.form)).toEqual([
      `a.txt ${sized}`,
      `a.txt ${sized}`,
    ])
  })

  test('is a 411 beyond maxBufferedBody, and PHP gets no request', async () => {
    const options = { documentRoot: PHP_ROOT, splitPath: ['.php'], maxBufferedBody: CONTENT.length - 1 }
    const { peer } = await start({}, options)
    const errors: Error[] = []
    const gateway = createGateway(peer.address, { ...options, onError: (error) => errors.push(error) })
    onTestFinished(() => void gateway.close())
    await once(gateway.listen(0, '127.0.0.1'), 'listening')
    const origin = { host: '127.0.0.1', port: (gateway.address() as AddressInfo).port }
    const headers = ['Transfer-Encoding', 'chunked']
    const ask = (length: number) =>
      send(origin, '/index.php/count', {
        method: 'POST',
        headers,
        body: inPieces(CONTENT.subarray(0, length)) as unknown as Buffer,
      })
    expect((await ask(CONTENT.length)).status).toBe(411)
    expect(errors).toMatchObject([{ code: 'FCGI_ERR_LENGTH_REQUIRED' }])
    expect((await ask(CONTENT.length - 1)).status).toBe(200)
    const counted = readFileSync(peer.site.path('control', 'count'), 'utf8').trimEnd().split('\n')
    expect(counted).toHaveLength(1)
  })
})

describe('scripts', () => {
  const SCRIPTS = ['index.php', 'about.php', 'blog/index.php', 'odd.php.d/inner.php']
  const VARIABLES = [
    'SCRIPT_NAME',
    'PATH_INFO',
    'PHP_SELF',
    'SCRIPT_FILENAME',
    'PATH_TRANSLATED',
    'DOCUMENT_ROOT',
    'DOCUMENT_URI',
    'REQUEST_URI',
    'QUERY_STRING',
  ]
  const PAGE = `<?php foreach (json_decode('${JSON.stringify(VARIABLES)}') as $name) echo $name, '=', $_SERVER[$name] ?? '', "\\n";`

  function makeRoot(peer: Peer): string {
    const root = peer.site.makeFolder('www')
    for (const script of SCRIPTS) {
      mkdirSync(join(root, script, '..'), { recursive: true })
      writeFileSync(join(root, script), PAGE)
    }
    writeFileSync(join(root, 'picture.png'), 'not a script')
    return root
  }

  /** Starts a real Caddy with `php_fastcgi` in front of the same PHP-FPM. */
  async function startCaddy({ address, site }: Peer, root: string): Promise<{ host: string; port: number }> {
    if (!('path' in address)) throw new TypeError('PHP-FPM listens on a path here.')
    const { ports } = await site.startServer(1, ([port]) => {
      const config = site.write(
        'Caddyfile',
        `{
          admin off
          auto_https off
        }
        :${port} {
          bind 127.0.0.1
          root * ${root}
          php_fastcgi unix/${address.path}
        }`,
      )
      const home = site.makeFolder('home')
      const env = { HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home }
      return { file: required('caddy'), args: ['run', '--config', config, '--adapter', 'caddyfile'], env }
    })
    return { host: '127.0.0.1', port: ports[0]! }
  }

  test("splitPath sends the same variables as Caddy's php_fastcgi", async () => {
    const peer = await startPhpFpm()
    onTestFinished(() => peer.stop())
    const root = makeRoot(peer)
    const caddy = await startCaddy(peer, root)
    const dispatcher = new FastCgiDispatcher(peer.address, { documentRoot: root, splitPath: ['.php'] })
    onTestFinished(() => dispatcher.destroy())
    for (const path of [
      '/',
      '/?a=1',
      '/about.php',
      '/about.php/more/of%20it?b=2',
      '/index.php/cart',
      '/blog/',
      '/blog/index.php',
      '/cart/7',
      '/cart/',
      '/missing.php',
      '/missing.php/more',
      '/%61bout.php',
    ]) {
      const theirs = await send(caddy, path)
      const ours = await request(ORIGIN + path, { dispatcher })
      expect.soft(await ours.body.text(), path).toBe(theirs.text)
    }
  })

  test('the index handles paths without a script, and only scripts are run', async () => {
    const peer = await startPhpFpm()
    onTestFinished(() => peer.stop())
    const root = makeRoot(peer)
    const dispatcher = new FastCgiDispatcher(peer.address, { documentRoot: root, splitPath: ['.php'] })
    onTestFinished(() => dispatcher.destroy())
    for (const [path, script] of [
      ['/picture.png/x.php', '/index.php'],
      [`/${'long'.repeat(100)}.php`, '/index.php'],
      ['/../../etc/passwd', '/index.php'],
      ['/about.php.bak', '/index.php'],
      ['/ABOUT.PHP', '/index.php'],
      ['/odd.php.d/inner.php', '/odd.php.d/inner.php'],
      ['/blog', '/blog/index.php'],
    ] as const) {
      const response = await dispatcher.request({ origin: ORIGIN, path, method: 'GET' })
      expect.soft(await response.body.text(), path).toContain(`SCRIPT_FILENAME=${root}${script}\n`)
    }
  })

  test('the gateway in front of PHP-FPM', async () => {
    const peer = await startPhpFpm()
    const gateway = createGateway(peer.address, { documentRoot: PHP_ROOT, splitPath: ['.php'] })
    onTestFinished(async () => {
      gateway.close()
      await peer.stop()
    })
    await once(gateway.listen(0, '127.0.0.1'), 'listening')
    const origin = { host: '127.0.0.1', port: (gateway.address() as AddressInfo).port }
    const { status, text } = await send(origin, '/index.php/params?a=1')
    expect(status).toBe(200)
    expect(text.split('\n')).toEqual(
      expect.arrayContaining([
        'SCRIPT_NAME=/index.php',
        'PATH_INFO=/params',
        `SCRIPT_FILENAME=${PHP_ROOT}/index.php`,
        'REQUEST_URI=/index.php/params?a=1',
        'PHP_SELF=/index.php/params',
        'REMOTE_ADDR=127.0.0.1',
      ]),
    )
    const redirect = await send(origin, '/index.php/redirect')
    expect(redirect).toMatchObject({ status: 302, headers: { location: '/params?redirected' } })
  })
})
