// `fcgi-bridge config`: real servers run with the printed config, unchanged, and serve the examples.
import { spawnSync } from 'node:child_process'
import { readFileSync, renameSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FastCgiDispatcher } from '@fcgi-bridge/client'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import { freePorts } from '../../scripts/lib/free-ports.js'
import { open, readUntil, send, type TestRequest, type TestResponse } from '../support/cases/http.ts'
import { makeCertificate } from '../support/fronts/certificate.ts'
import { CONFIGURED, type PrintedConfig } from '../support/fronts/configured.ts'
import { printConfig, startPrinted } from '../support/fronts/printed-config.ts'
import { required } from '../support/fronts/programs.ts'
import { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'

interface Setup {
  name: string
  example: 'express' | 'fetch'
  socket: 'unix' | 'tcp'
  mount: string
  /** The URL path of the files that the server serves. Undefined: it serves no files. */
  files?: string
  tls?: boolean
}

const SETUPS: readonly Setup[] = [
  { name: 'a Unix socket', example: 'express', socket: 'unix', mount: '' },
  { name: 'TCP, files, a mount', example: 'fetch', socket: 'tcp', mount: '/shop', files: '/shop' },
  { name: 'a Unix socket, files, HTTPS', example: 'fetch', socket: 'unix', mount: '', files: '', tls: true },
  { name: 'TCP, a mount, HTTPS', example: 'fetch', socket: 'tcp', mount: '/shop', tls: true },
  {
    name: 'TCP, files apart, a mount, HTTPS',
    example: 'express',
    socket: 'tcp',
    mount: '/shop',
    files: '/assets/v1.0',
    tls: true,
  },
]

const MEBI = 1024 * 1024

/** Where an app runs: the site that starts it, and the flag of `config` with its address. */
interface AppLocation {
  site: Site
  address: readonly [flag: string, address: string]
}

async function locationFor(site: Site, socket: Setup['socket'], name = 'app'): Promise<AppLocation> {
  if (socket === 'unix') return { site, address: ['--socket', site.path(`${name}.sock`)] }
  return { site, address: ['--address', `127.0.0.1:${(await freePorts(1))[0]}`] }
}

// The command that starts an app does not depend on the front server, so the app of each setup runs once, for all servers.
let apps: Site
const locations = new Map<string, Promise<AppLocation>>()

beforeAll(() => {
  apps = new Site()
})
afterAll(() => apps.stop())

describe.each(Object.keys(CONFIGURED))('%s', (server) => {
  describe.each(SETUPS.filter(({ files }) => server !== 'haproxy' || files === undefined))(
    '$name',
    ({ name, example, socket, mount, files, tls }) => {
      let site: Site
      let front: Awaited<ReturnType<typeof start>>

      beforeAll(async () => {
        site = new Site()
        const flags = ['--mount', mount || '/', '--max-body', '1m']
        if (files !== undefined) flags.push('--static', makeFiles(site), '--static-url', files || '/')
        if (!locations.has(name)) locations.set(name, locationFor(apps, socket, `app-${locations.size}`))
        const location = await locations.get(name)!
        front = await start(
          site,
          server,
          exampleApp(example),
          location,
          flags,
          tls ? makeCertificate(site) : undefined,
        )
      })
      afterAll(() => site.kill())

      test('the app sees the URL of the client', async () => {
        onTestFailed(() => console.error(`${site.report()}\n${apps.report()}`))
        const { text } = await ask(`${mount}/hello/J%C3%BCrgen%2FMaria`)
        expect(text).toBe('Hello, Jürgen/Maria!\n')
        const request = JSON.parse((await ask(`${mount}/api/request?a=1&b=%20`)).text)
        expect(request).toMatchObject(
          example === 'express'
            ? { baseUrl: mount, url: '/api/request?a=1&b=%20', secure: tls === true, ip: '127.0.0.1' }
            : { mount, url: `${front.url}${mount}/api/request?a=1&b=%20`, remoteAddress: '127.0.0.1' },
        )
      })

      test('the mount without a slash reaches the app, and a longer name does not', async () => {
        expect((await ask(mount || '/')).text).toContain('over FastCGI')
        expect((await ask(`${mount}/`)).text).toContain('over FastCGI')
        if (mount === '') return
        for (const path of [`${mount}ping`, '/']) {
          expect((await ask(path)).status).toEqual(expect.toBeOneOf([403, 404]))
        }
      })

      test('a request body reaches the app, and one that is too large gets an error', async () => {
        const json = ['Content-Type', 'application/json']
        const echo = await ask(`${mount}/api/echo`, { method: 'POST', headers: json, body: '{"a":1}' })
        expect(JSON.parse(echo.text)).toEqual({ youSent: { a: 1 } })
        const large = Buffer.alloc(MEBI + 1)
        const refused = await responseOf(() =>
          ask(`${mount}/api/echo`, { method: 'POST', headers: json, body: large }),
        )
        expect(refused.status).toBe(413)
        // Some servers respond with another status if there is no Content-Length.
        const chunked = { method: 'POST', headers: json, body: [large] }
        const { status } = await responseOf(() => ask(`${mount}/api/echo`, chunked))
        expect(status).toBeGreaterThanOrEqual(400)
      })

      test('events arrive as they are sent', async () => {
        const events = await open(front.origin, `${mount}/events`, { ...front.ask })
        expect(await readUntil(events, 'data: 1\n\n')).toBe('data: 1\n\n')
        events.destroy()
      })

      if (files !== undefined)
        test('files are served, except hidden ones', async () => {
          const css = await ask(`${files}/css/a%20style.css`)
          expect(css).toMatchObject({
            status: 200,
            text: 'body {}',
            headers: { 'content-type': expect.stringMatching(/^text\/css/) },
          })
          for (const hidden of [
            '/.env',
            '/css/.secret',
            '/.git/config',
            '/css/%2Esecret',
            '/css//.secret',
            '/css%2F.secret',
          ]) {
            const { status, text } = await ask(files + hidden)
            expect.soft([hidden, status]).toEqual([hidden, expect.toBeOneOf([403, 404])])
            expect.soft(text).not.toContain('secret!')
          }
          expect((await ask(`${files}/.well-known/security.txt`)).text).toBe('Contact: me')
          for (const folder of ['/css/', '/css']) {
            expect((await ask(files + folder)).text).not.toContain('style.css')
          }
          expect((await ask(`${files}/%2e%2e/outside.txt`)).text).not.toContain('secret!')
        })

      if (tls)
        test('HTTP is redirected to HTTPS', async () => {
          // The percent-encoding is kept. These two servers decode %2F when they parse a URL.
          const decodes = ['lighttpd', 'h2o'].includes(server)
          for (const target of ['/hello/a%20b?c=d', '/a%2Fb%25c%3Fd?e=%2F%25&f', '/%C3%BC+/;x=1', '/a?b?c']) {
            const { status, headers } = await send(front.plain!, mount + target, {
              headers: ['Host', 'localhost'],
            })
            expect.soft(status).toBe(308)
            const kept = decodes ? target.replace('a%2Fb', 'a/b') : target
            expect.soft(headers.location).toBe(`${front.url}${mount}${kept}`)
          }
        })

      function ask(path: string, more: TestRequest = {}): Promise<TestResponse> {
        return send(front.origin, path, {
          ...front.ask,
          ...more,
          headers: [...front.ask.headers, ...(more.headers ?? [])],
        })
      }
    },
  )
})

// An app that shows what the examples do not: an event stream of another content type, and the params of a request.
const PROBE = `
import { existsSync } from 'node:fs'

const endOfEvents = new URL('end-of-events', import.meta.url)

export default {
  fetch(request, { params }) {
    if (!request.url.endsWith('/events')) return Response.json({ ...params, proxy: request.headers.get('proxy') })
    let timer
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(Buffer.from('first'))
        timer = setInterval(() => {
          if (!existsSync(endOfEvents)) return
          clearInterval(timer)
          controller.close()
        }, 20)
      },
      cancel() {
        clearInterval(timer)
      },
    })
    return new Response(body, { headers: { 'Content-Type': 'text/plain' } })
  },
}`

describe('the params that reach the app, and the events that reach the client', () => {
  let site: Site
  siteForEachTest(
    (each) => {
      site = each
    },
    (site) => site.kill(),
  )

  test.each(Object.keys(CONFIGURED))('%s', async (server) => {
    const app = site.write('probe.mjs', PROBE)
    const front = await start(
      site,
      server,
      app,
      await locationFor(site, 'unix'),
      ['--mount', '/shop'],
      makeCertificate(site),
    )
    const headers = [...front.ask.headers, 'Authorization', 'Basic bWU6cHc=', 'Proxy', 'http://evil.test']
    const params = JSON.parse((await send(front.origin, '/shop/a%2Fb?c=d', { ...front.ask, headers })).text)
    expect(params).toMatchObject({
      REQUEST_URI: '/shop/a%2Fb?c=d',
      QUERY_STRING: 'c=d',
      HTTPS: 'on',
      HTTP_HOST: `localhost:${front.origin.port}`,
      HTTP_AUTHORIZATION: 'Basic bWU6cHc=',
      REMOTE_ADDR: '127.0.0.1',
    })
    // H2O cannot drop the Proxy header. fcgi-bridge drops it.
    expect(params.proxy).toBe(null)
    expect(params.HTTP_PROXY ?? '').toBe(server === 'h2o' ? 'http://evil.test' : '')
    // The password was not checked, so there is no REMOTE_USER. HAProxy sends one anyway, and a comment in its config says so.
    expect(params.REMOTE_USER ?? '').toBe(server === 'haproxy' ? 'me' : '')

    const events = await open(front.origin, '/shop/events', front.ask)
    expect(await readUntil(events, 'first')).toBe('first')
    events.destroy()
    // Some servers do not exit until the stream ends.
    site.write('end-of-events', '')
  })
})

describe('lighttpd --spawn', () => {
  let site: Site
  siteForEachTest((each) => {
    site = each
  })

  test('lighttpd starts the app', async () => {
    const front = await start(site, 'lighttpd', exampleApp('express'), await locationFor(site, 'unix'), [
      '--spawn',
      '--mount',
      '/shop',
    ])
    const { text } = await send(front.origin, '/shop/api/request', front.ask)
    expect(JSON.parse(text)).toMatchObject({ baseUrl: '/shop', url: '/api/request' })
  })
})

// ODD: strings that a file name can contain. UNSAYABLE: those that a server's config cannot express in a path. UNLOADABLE: those in
// the path of a module that Node cannot load.
const HOME = '$' + '{HOME}'
const ODD = [...' "\'\\$%#{};[]*?&<>~|,:!`()=@+^-ü', '%20', '$1', HOME, '\\n', '\\"', '"; #']
const UNSAYABLE: Readonly<Record<string, readonly string[]>> = {
  nginx: ['$', '$1', HOME],
  'apache-fcgid': ['[', '*', '?', HOME],
  'apache-proxy': ['[', '*', '?', HOME],
  lighttpd: [],
  caddy: ['\\', '{', '}', '[', '*', '?', '`', HOME, '\\n', '\\"'],
  h2o: [],
  haproxy: [],
}
const UNLOADABLE = ['\\', '\\n', '\\"']

describe('a path with unusual characters works, or is an error', () => {
  let site: Site
  siteForEachTest(
    (each) => {
      site = each
    },
    (site) => site.kill(),
  )

  test.each(Object.keys(CONFIGURED))('%s', async (server) => {
    const servesFiles = server !== 'haproxy'
    const apps = await longestName('app', (folder) => {
      site.write(`${folder}/app.mjs`, "export default (req, res) => res.end('the app')")
      return printConfig(server, site.path(folder, 'app.mjs'), '--no-check')
    })
    const refusedForApp = server === 'apache-fcgid' ? [...UNLOADABLE, HOME] : UNLOADABLE
    expect.soft(apps.refused.toSorted()).toEqual(refusedForApp.toSorted())
    const files = await longestName('files', (folder) => {
      const tls = certificateIn(folder)
      const statics = servesFiles ? ['--static', site.path(folder)] : []
      return printConfig(
        server,
        exampleApp('fetch'),
        '--no-check',
        ...statics,
        '--tls-cert',
        tls.cert,
        '--tls-key',
        tls.key,
      )
    })
    expect.soft(files.refused).toEqual(UNSAYABLE[server])

    const [made, certificate] = [makeCertificate(site), certificateIn(files.folder)]
    renameSync(made.cert, certificate.cert)
    renameSync(made.key, certificate.key)
    site.write(`${files.folder}/file.txt`, 'a file')
    const statics = servesFiles ? ['--static', site.path(files.folder)] : []
    const app = site.path(apps.folder, 'app.mjs')
    const front = await start(site, server, app, await locationFor(site, 'tcp'), statics, certificate)
    expect(await send(front.origin, '/any', front.ask)).toMatchObject({ status: 200, text: 'the app' })
    if (!servesFiles) return
    expect(await send(front.origin, '/file.txt', front.ask)).toMatchObject({ status: 200, text: 'a file' })
  })

  /** Makes a folder whose name has all strings of ODD for which `print` prints a config. Returns it with the refused strings. */
  async function longestName(
    folder: string,
    print: (folder: string) => Promise<PrintedConfig>,
  ): Promise<{ folder: string; refused: string[] }> {
    const refused: string[] = []
    for (const odd of ODD) {
      site.makeFolder(folder + odd)
      try {
        await print(folder + odd)
        folder += odd
      } catch (error) {
        expect(String(error)).toMatch(/(syntax cannot express|Node cannot load a module) .* Rename /)
        refused.push(odd)
      }
    }
    return { folder, refused }
  }

  function certificateIn(folder: string): { cert: string; key: string } {
    return { cert: site.path(folder, 'cert.pem'), key: site.path(folder, 'cert.pem.key') }
  }
})

describe('systemd', () => {
  let site: Site
  siteForEachTest((each) => {
    site = each
  })

  test.each(['unix', 'tcp'] as const)(
    'systemd accepts the units, and passes the socket to the app: %s',
    async (kind) => {
      const at = kind === 'unix' ? site.path('app.sock') : `127.0.0.1:${(await freePorts(1))[0]}`
      const { files, app } = await printConfig(
        ...['systemd', exampleApp('express'), '--mount', '/shop', '--user', 'www-data'],
        ...[kind === 'unix' ? '--socket' : '--address', at],
      )
      const units = files.map(({ path, text }) => site.write(basename(path), text))
      const verified = spawnSync(required('systemd-analyze'), ['verify', '--man=no', ...units], {
        encoding: 'utf8',
      })
      expect(verified).toMatchObject({ status: 0, stderr: '' })
      expect(files[0]!.text).toContain(`ListenStream=${at}\n`)
      expect(files[1]!.text).toContain(`ExecStart=${app!.join(' ')}\n`)

      const activate = site.start(required('systemd-socket-activate'), ['--listen', at, ...app!])
      await activate.printed(/Listening on/)
      const dispatcher = new FastCgiDispatcher(at, { maxIdleConnections: 0, onStderr() {} })
      const { body } = await request('http://localhost/shop/api/request', { dispatcher })
      expect(await body.json()).toMatchObject({ baseUrl: '/shop', url: '/api/request' })
    },
  )

  test('with --workers, systemd accepts a service that reports its state and can be reloaded', async () => {
    const { files, app } = await printConfig(
      ...['systemd', exampleApp('express'), '--no-check', '--workers', '2', '--name', 'shop'],
    )
    const units = files.map(({ path, text }) => site.write(basename(path), text))
    const verified = spawnSync(required('systemd-analyze'), ['verify', '--man=no', ...units], {
      encoding: 'utf8',
    })
    expect(verified).toMatchObject({ status: 0, stderr: '' })
    expect(app!.join(' ')).toMatch(/ --workers 2$/)
    expect(files[1]!.text).toMatch(/\nType=notify\nNotifyAccess=all\n/)
    expect(files[1]!.text).toMatch(/\nRuntimeDirectory=shop\nExecReload=.* reload\n/)
  })

  test('the service has a dynamic user or that of --user, and can read an app in a home folder', async () => {
    const [, service] = (await printConfig('systemd', exampleApp('express'), '--no-check')).files
    expect(service!.text).toContain('\nDynamicUser=yes\n')
    expect(service!.text).toMatch(/\nProtectHome=(yes|read-only)\n/)
    const [, owned] = (await printConfig('systemd', exampleApp('express'), '--no-check', '--user', 'shop'))
      .files
    expect(owned!.text).toContain('\nUser=shop\n')
    expect(owned!.text).not.toContain('DynamicUser')
  })
})

function exampleApp(name: string): string {
  return fileURLToPath(new URL(`../../examples/${name}/app.mjs`, import.meta.url))
}

function makeFiles(site: Site): string {
  const folder = site.makeFolder('public')
  for (const name of ['css', '.git', '.well-known']) site.makeFolder('public', name)
  site.write('public/css/a style.css', 'body {}')
  site.write('public/.well-known/security.txt', 'Contact: me')
  for (const name of ['public/.env', 'public/css/.secret', 'public/.git/config', 'outside.txt']) {
    site.write(name, 'secret!')
  }
  return folder
}

/** Prints a server's config for an app, and starts the server and the app. */
async function start(
  site: Site,
  server: string,
  app: string,
  location: AppLocation,
  flags: readonly string[],
  certificate?: { cert: string; key: string },
) {
  // mod_fcgid opens the sockets itself.
  const address = server === 'apache-fcgid' ? [] : location.address
  const printFor = ([port, plainPort]: number[]) => {
    // Skip the check that the app loads: it is started below anyway.
    const words = [server, app, ...address, ...flags, '--listen', `127.0.0.1:${port}`, '--no-check']
    if (certificate) {
      words.push('--tls-cert', certificate.cert, '--tls-key', certificate.key)
      words.push('--redirect-from', `127.0.0.1:${plainPort}`)
    }
    return printConfig(...words)
  }
  await startOnce(location.site, await printFor([80, 80]))
  const [port, plainPort] = await CONFIGURED[server]!(site, certificate ? 2 : 1, printFor)
  return {
    origin: { host: '127.0.0.1', port: port! },
    plain: certificate ? { host: '127.0.0.1', port: plainPort! } : undefined,
    url: `${certificate ? 'https' : 'http'}://localhost:${port}`,
    ask: {
      headers: ['Host', `localhost:${port}`],
      ...(certificate && { ca: readFileSync(certificate.cert, 'utf8') }),
    },
  }
}

const started = new Map<string, Promise<void>>()

function startOnce(site: Site, config: PrintedConfig): Promise<void> {
  const command = JSON.stringify(config.app)
  const running = started.get(command) ?? startPrinted(site, config, { SESSION_SECRET: 'test' })
  started.set(command, running)
  return running
}

// If a server responds and closes while the body is being sent, a write may fail before Node reads the response. Then try again.
async function responseOf(ask: () => Promise<TestResponse>): Promise<TestResponse> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask()
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (tries === 5 || (code !== 'EPIPE' && code !== 'ECONNRESET')) throw error
    }
  }
}
