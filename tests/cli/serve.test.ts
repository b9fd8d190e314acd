// `fcgi-bridge serve`, started by a user, mod_fcgid, lighttpd, spawn-fcgi and plain CGI.
import { chmodSync, existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { FastCgiDispatcher } from '@fcgi-bridge/client'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { freePorts } from '../../scripts/lib/free-ports.js'
import { send } from '../support/cases/http.ts'
import { startApache } from '../support/fronts/apache.ts'
import { fcgidDirectives } from '../support/fronts/apache-fcgid.ts'
import { installCommandLine } from '../support/fronts/command-line.ts'
import { startLighttpd } from '../support/fronts/lighttpd.ts'
import { accepting } from '../support/fronts/ports.ts'
import type { Program } from '../support/fronts/program.ts'
import { required } from '../support/fronts/programs.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'

const EXPRESS = createRequire(import.meta.url).resolve('express')

const FETCH_APP = `
const PlatformResponse = Response
export default {
  fetch(request, { mount }) {
    const { pathname, search } = new URL(request.url)
    return Response.json({ at: pathname + search, mount, isReplaced: Response !== PlatformResponse, mode: process.env.NODE_ENV, pid: process.pid, cwd: process.cwd() })
  },
}`

const EXPRESS_APP = `
const express = require(${JSON.stringify(EXPRESS)})
const app = express()
app.get('/fail', () => { throw new Error('the app failed') })
app.use((req, res) => res.json({
  at: req.originalUrl, url: req.url, mount: req.baseUrl, mode: process.env.NODE_ENV, pid: process.pid, cwd: process.cwd(),
}))
module.exports = app`

let site: Site
let bin: string

siteForEachTest((each) => {
  site = each
  bin = installCommandLine(site)
  site.write('fetch.mjs', FETCH_APP)
  site.write('express.cjs', EXPRESS_APP)
})

describe('started by a user', () => {
  test('listens on a TCP port, prints the address, and logs each request', async () => {
    const program = run('serve', 'express.cjs', '--port', '0')
    const [, port] = await program.printed(/Serving express\.cjs, an Express app, .* 127\.0\.0\.1:(\d+)$/m)
    expect(await ask(`127.0.0.1:${port}`, '/cart?x=1')).toMatchObject({ at: '/cart?x=1', mode: 'production' })
    await program.printed(/^GET \/cart\?x=1 200 [\d.]+ ms - \d+$/m)
    // The log also has failed requests.
    await request('http://test/fail', { dispatcher: dispatcherTo(`127.0.0.1:${port}`) })
    await program.printed(/^GET \/fail 500 /m)
    expect(await program.stop()).toEqual({ code: 0, signal: null })
  })

  test('--detach: messages of the app to its parent do not disturb the start', async () => {
    site.write('sends.mjs', `process.send?.('ready')\nprocess.send?.({ type: 'ready' })\n${FETCH_APP}`)
    const path = site.path('app.sock')
    const program = run('serve', 'sends.mjs', '--path', path, '--detach')
    expect(await program.exited).toEqual({ code: 0, signal: null })
    const { pid } = (await ask(path, '/')) as { pid: number }
    process.kill(pid)
    await expect.poll(() => existsSync(path), { timeout: 10_000 }).toBe(false)
  })

  test('goes on when nobody reads its log any more', async () => {
    const program = run('serve', 'express.cjs', '--port', '0')
    const [, port] = await program.printed(/127\.0\.0\.1:(\d+)$/m)
    program.child.stdout!.destroy()
    for (let count = 0; count < 3; count++) {
      expect(await ask(`127.0.0.1:${port}`, '/cart')).toMatchObject({ at: '/cart' })
    }
    expect(await program.stop()).toEqual({ code: 0, signal: null })
  })

  test.each([
    [[], true],
    [['--no-override-global-objects'], false],
  ])(
    'with %j, are the global Request and Response replaced for a fetch handler? %s',
    async (flags, isReplaced) => {
      const program = run('serve', 'fetch.mjs', '--port', '0', ...flags)
      const [, port] = await program.printed(/Serving fetch\.mjs.* 127\.0\.0\.1:(\d+)$/m)
      expect(await ask(`127.0.0.1:${port}`, '/')).toMatchObject({ isReplaced })
      await program.stop()
    },
  )

  test('listens on a Unix socket, and prints JSON with --json', async () => {
    const path = site.path('app.sock')
    const program = run('serve', './fetch.mjs', '--path', path, '--mode', '600', '--json')
    const [line] = await program.printed(/^\{"listening".*$/m)
    expect(JSON.parse(line)).toEqual({ listening: { path } })
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
    const { body } = await request('http://test/', {
      dispatcher: dispatcherTo(path),
      headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
    })
    const length = (await body.text()).length
    const [entry] = await program.printed(/^\{"request".*$/m)
    expect(JSON.parse(entry)).toMatchObject({
      request: {
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        method: 'GET',
        target: '/',
        status: 200,
        bytes: length,
        bytesIn: 0,
        duration: expect.any(Number),
        role: 'responder',
        outcome: 'ended',
        traceId,
      },
    })
    await program.stop('SIGINT')
    expect(existsSync(path)).toBe(false)
  })

  test('--mount sets the mount, and --no-log turns the log off', async () => {
    const program = run('serve', 'express.cjs', '--port', '0', '--mount', '/shop', '--no-log')
    const [, port] = await program.printed(/127\.0\.0\.1:(\d+)/)
    expect(await ask(`127.0.0.1:${port}`, '/shop/cart')).toMatchObject({ mount: '/shop', url: '/cart' })
    expect(program.output).not.toContain('GET')
  })

  test('a request body larger than --max-body gets a 413', async () => {
    const program = run('serve', 'fetch.mjs', '--port', '0', '--max-body', '1k')
    const [, port] = await program.printed(/127\.0\.0\.1:(\d+)/)
    const dispatcher = dispatcherTo(`127.0.0.1:${port}`)
    for (const [size, status] of [
      [1024, 200],
      [1025, 413],
    ] as const) {
      const response = await request('http://test/', { dispatcher, method: 'POST', body: Buffer.alloc(size) })
      expect(response.statusCode).toBe(status)
      await response.body.dump()
    }
  })

  test('listens on the address in FCGI_BRIDGE_LISTEN', async () => {
    const path = site.path('app.sock')
    const program = runIn({ FCGI_BRIDGE_LISTEN: path }, 'serve', 'fetch.mjs')
    await program.printed(/app\.sock/)
    expect(await ask(path, '/a')).toMatchObject({ at: '/a' })
    await program.printed(/^GET \/a 200/m)
  })

  test.each([
    ['no address to listen on', ['fetch.mjs'], 4, /Add --port 9000 or --path/],
    [
      'a socket in a missing folder',
      ['fetch.mjs', '--path', '/no/such/folder/s'],
      4,
      /cannot listen on \/no\/such\/folder\/s/,
    ],
    ['a missing module', ['app.js'], 3, /app\.js does not exist/],
    ['a module without an app', ['nothing.mjs'], 3, /nothing\.mjs exports nothing[\s\S]*export default app/],
    ['a syntax error in a module', ['broken.mjs'], 3, /broken\.mjs:2\s+const b = = 2/],
    ['a syntax error in CommonJS', ['broken.cjs'], 3, /broken\.cjs:2\s+const b = = 2/],
    ['a module that throws', ['throws.mjs'], 3, /Error: no database[\s\S]*throws\.mjs:1/],
    ['a missing package', ['missing.mjs'], 3, /Cannot find package 'not-there'[\s\S]*npm install/],
    ['two addresses', ['fetch.mjs', '--port', '1', '--path', 'x'], 2, /cannot be used with/],
    ['an invalid port', ['fetch.mjs', '--port', '70000'], 2, /a port from 0 to 65535/],
    ['a backlog of 0', ['fetch.mjs', '--port', '0', '--backlog', '0'], 2, /number of at least 1/],
    [
      '--reuse-port without a port',
      ['fetch.mjs', '--reuse-port'],
      2,
      /--reuse-port needs a TCP port\. Add --port/,
    ],
  ])('exits with a message and the right status for: %s', async (_, args, code, message) => {
    site.write('nothing.mjs', '')
    site.write('broken.mjs', 'const a = 1\nconst b = = 2\n')
    site.write('broken.cjs', 'const a = 1\nconst b = = 2\n')
    site.write('throws.mjs', "throw new Error('no database')\n")
    site.write('missing.mjs', "import 'not-there'\n")
    const program = run('serve', ...args)
    await program.printed(message)
    expect(await program.exited).toEqual({ code, signal: null })
  })
})

describe('an app that calls listen()', () => {
  const LISTENS = `
    import { createServer } from 'node:http'
    const server = createServer((req, res) => res.end('its server')).listen(0, '127.0.0.1')`

  test.each([
    ['nothing', ''],
    ['its app, too', 'export default (req, res) => res.end("the export")'],
    ['its server', 'export { server }'],
    ['no app', 'export const settings = {}'],
  ])('and exports %s: its server serves FastCGI, and opens no port', async (_, exported) => {
    site.write(
      'app.mjs',
      `${LISTENS}
      ${exported}
      console.log('address', JSON.stringify(server.address()))`,
    )
    const program = run('serve', 'app.mjs', '--port', '0', '--no-log')
    await program.printed(/^address \{"address":"127\.0\.0\.1","family":"IPv4","port":80\}$/m)
    const [, port] = await program.printed(/Serving app\.mjs, an HTTP server, .* 127\.0\.0\.1:(\d+)$/m)
    expect(await textOf(`127.0.0.1:${port}`)).toBe('its server')
    expect(listeningPorts(program.pid)).toEqual([Number(port)])
    expect(await program.stop()).toEqual({ code: 0, signal: null })
  })

  test('later, when it has connected to its database', async () => {
    site.write(
      'app.mjs',
      `setTimeout(async () => {${LISTENS.replace(/import .*/, "const { createServer } = await import('node:http')")}}, 10)`,
    )
    const program = run('serve', 'app.mjs', '--port', '0', '--no-log')
    const [, port] = await program.printed(/Serving app\.mjs.* 127\.0\.0\.1:(\d+)$/m)
    expect(await textOf(`127.0.0.1:${port}`)).toBe('its server')
  })

  test('in each worker of its node:cluster, on one socket', async () => {
    site.write(
      'app.mjs',
      `import cluster from 'node:cluster'
      import { createServer } from 'node:http'
      if (cluster.isPrimary) {
        let listening = 0
        for (const _ of [1, 2]) cluster.fork().on('listening', () => { if (++listening === 2) console.log('both listen') })
        process.on('SIGTERM', () => cluster.disconnect())
      } else createServer((req, res) => res.end('a worker')).listen(3000)`,
    )
    const program = run('serve', 'app.mjs', '--path', site.path('app.sock'), '--no-log')
    await program.printed(/both listen/)
    for (let round = 0; round < 3; round++) expect(await textOf(site.path('app.sock'))).toBe('a worker')
    expect(await program.stop()).toEqual({ code: 0, signal: null })
  })

  test('and starts a second server: its address is printed', async () => {
    site.write('app.mjs', `${LISTENS}\ncreateServer((req, res) => res.end('metrics')).listen(0, '127.0.0.1')`)
    const program = run('serve', 'app.mjs', '--port', '0', '--no-log')
    const [, own] = await program.printed(/^app\.mjs also listens on 127\.0\.0\.1:(\d+) itself\./m)
    const [, port] = await program.printed(/Serving app\.mjs.* 127\.0\.0\.1:(\d+)$/m)
    expect((await send({ host: '127.0.0.1', port: Number(own) }, '/')).text).toBe('metrics')
    expect(await textOf(`127.0.0.1:${port}`)).toBe('its server')
  })

  test('and has the export that --export names: the export is served', async () => {
    site.write('app.mjs', `${LISTENS}\nexport const shop = (req, res) => res.end('the export')`)
    const program = run('serve', 'app.mjs', '--port', '0', '--no-log', '--export', 'shop')
    const [, own] = await program.printed(/^app\.mjs also listens on 127\.0\.0\.1:(\d+) itself\./m)
    const [, port] = await program.printed(/Serving app\.mjs.* 127\.0\.0\.1:(\d+)$/m)
    expect((await send({ host: '127.0.0.1', port: Number(own) }, '/')).text).toBe('its server')
    expect(await textOf(`127.0.0.1:${port}`)).toBe('the export')
  })

  test('for HTTPS: the error says what to do, with a status', async () => {
    site.write('app.mjs', "import { createServer } from 'node:https'\ncreateServer().listen(0)")
    const program = run('serve', 'app.mjs', '--port', '0')
    expect((await program.exited).code).not.toBe(0)
    expect(program.output).toMatch(/https\.Server cannot serve it.*http\.createServer\(\)/)
  })

  test('and then throws: prints the error, and exits with status 3', async () => {
    site.write('app.mjs', `${LISTENS}\nthrow new Error('no database')`)
    const program = run('serve', 'app.mjs', '--port', '0', '--json')
    expect(await program.exited).toEqual({ code: 3, signal: null })
    const [line] = await program.printed(/^\{"error".*$/m)
    expect(JSON.parse(line).error.message).toContain('no database')
  })

  test('and whose FastCGI address is in use: exits with status 4', async () => {
    const other = run('serve', 'fetch.mjs', '--port', '0')
    const [, port] = await other.printed(/127\.0\.0\.1:(\d+)/)
    site.write('app.mjs', `${LISTENS}\nexport default (req, res) => res.end('over FastCGI')`)
    const program = run('serve', 'app.mjs', '--port', port!)
    expect(await program.exited).toEqual({ code: 4, signal: null })
    expect(program.output).toContain('EADDRINUSE')
  })
})

describe('a program that calls serve() of an adapter itself', () => {
  const serves = (adapter: string, app: string, options = ''): string => `
    import { serve } from ${JSON.stringify(import.meta.resolve(`@fcgi-bridge/${adapter}`))}
    await serve(${app}${options})`

  test.each([
    ['the Express adapter', 'express-adapter', "(req, res) => res.end('its server')"],
    ['the fetch adapter', 'fetch-adapter', "{ fetch: () => new Response('its server') }"],
  ])('%s: the flags say where it listens', async (_, adapter, app) => {
    for (const options of ['', ", { path: '/no/such/folder' }"]) {
      site.write('app.mjs', serves(adapter, app, options))
      const program = run('serve', 'app.mjs', '--port', '0')
      const [, port] = await program.printed(
        /Serving app\.mjs, a program that calls serve\(\), .* 127\.0\.0\.1:(\d+)$/m,
      )
      expect(await textOf(`127.0.0.1:${port}`)).toBe('its server')
      await program.printed(/^GET \/ 200 /m)
      expect(await program.stop()).toEqual({ code: 0, signal: null })
    }
  })

  test('and cannot start: exits with a message and a status', async () => {
    site.write('app.mjs', serves('express-adapter', '(req, res) => res.end()'))
    const program = run('serve', 'app.mjs', '--path', '/no/such/folder/app.sock')
    expect(await program.exited).toEqual({ code: 4, signal: null })
    expect(program.output.match(/cannot listen on/gi)).toHaveLength(1)
  })
})

describe('--check loads the app and exits', () => {
  test('a module with an app', async () => {
    site.write('app.mjs', `${FETCH_APP}\nsetInterval(() => {}, 1000)`)
    const program = run('serve', 'app.mjs', '--check')
    expect(await program.exited).toEqual({ code: 0, signal: null })
    expect(program.output).toBe('app.mjs exports an app with a fetch method.\n')
    const json = run('serve', 'express.cjs', '--check', '--json')
    expect(await json.exited).toEqual({ code: 0, signal: null })
    expect(JSON.parse(json.output)).toEqual({ app: { kind: 'listener', what: 'an Express app' } })
  })

  test('a program that listens, and opens no port', async () => {
    site.write(
      'app.mjs',
      "import { createServer } from 'node:http'\ncreateServer().listen(0, () => console.log('listens'))",
    )
    const program = run('serve', 'app.mjs', '--check')
    expect(await program.exited).toEqual({ code: 0, signal: null })
    expect(program.output).toBe('app.mjs is an HTTP server.\n')
  })

  test('a module without an app', async () => {
    site.write('app.mjs', 'export default function createApp() {}\nsetInterval(() => {}, 1000)')
    const program = run('serve', 'app.mjs', '--check')
    expect(await program.exited).toEqual({ code: 3, signal: null })
    expect(program.output).toContain('Export the app itself: export default await createApp()')
  })
})

describe("mod_fcgid's FcgidWrapper", () => {
  test.each(['express.cjs', 'fetch.mjs'])('serves %s at a mount, in one process', async (app) => {
    const origin = await startWrapped(`/usr/bin/env fcgi-bridge serve ${site.path(app)} --mount script-name`)
    expect(await askFront(origin, '/page.web/cart?x=1')).toMatchObject({
      at: '/page.web/cart?x=1',
      mount: '/page.web',
      mode: 'production',
      cwd: site.folder,
    })
    // One process handles all requests.
    const [a, b] = [await askFront(origin, '/page.web/a'), await askFront(origin, '/page.web/b')]
    expect(a.pid).toBe(b.pid)
    expect(site.errorLog()).not.toContain('GET /page.web')
  })

  test('logs requests to the error log with --log', async () => {
    const origin = await startWrapped(`${bin}/fcgi-bridge serve ${site.path('fetch.mjs')} --log`)
    await askFront(origin, '/page.web/cart')
    await site.logged('GET /page.web/cart 200')
  })

  test('an error of the module is in the error log', async () => {
    site.write('empty.mjs', '')
    const origin = await startWrapped(`${bin}/fcgi-bridge serve ${site.path('empty.mjs')}`)
    const response = send(origin, '/page.web')
    await site.logged('exports nothing, so there is no app to serve')
    expect((await response).status).toBe(500)
  })

  test('an executable app with fcgi-bridge serve in its first line knows its mount', async () => {
    const folder = site.makeFolder('documents')
    const program = site.write('documents/shop.fcgi', `#!/usr/bin/env -S fcgi-bridge serve\n${EXPRESS_APP}`)
    chmodSync(program, 0o755)
    const origin = await startFcgid(`
      ScriptAlias "/shop" "${program}"
      <Directory "${folder}">
        Require all granted
        SetHandler fcgid-script
      </Directory>`)
    expect(await askFront(origin, '/shop/cart')).toMatchObject({ mount: '/shop', url: '/cart' })
  })

  async function startWrapped(wrapper: string): Promise<{ host: string; port: number }> {
    const folder = site.makeFolder('documents')
    site.write('documents/page.web', '')
    return startFcgid(`
      DocumentRoot "${folder}"
      <Directory "${folder}">
        Require all granted
        Options +ExecCGI
        AddHandler fcgid-script .web
        FcgidWrapper "${wrapper}" .web
      </Directory>`)
  }

  async function startFcgid(host: string): Promise<{ host: string; port: number }> {
    const { ports } = await startApache(site, {
      modules: ['fcgid'],
      server: `
        ${fcgidDirectives(site)}
        FcgidInitialEnv PATH ${bin}:/usr/bin:/bin`,
      hosts: [host],
    })
    return { host: '127.0.0.1', port: ports[0]! }
  }
})

describe("lighttpd's bin-path", () => {
  test.each(['express.cjs', 'fetch.mjs'])('serves %s at the root', async (app) => {
    const [port] = await startLighttpd(
      site,
      1,
      () => `
      server.modules = ("mod_fastcgi")
      fastcgi.server = ("/" => ((
        "bin-path" => "${bin}/fcgi-bridge serve ${site.path(app)}",
        "bin-environment" => ("PATH" => "${bin}:/usr/bin:/bin"),
        "socket" => "${site.path('spawned.sock')}",
        "max-procs" => 1,
        "check-local" => "disable",
        "fix-root-scriptname" => "enable"
      )))`,
    )
    expect(await askFront({ host: '127.0.0.1', port: port! }, '/cart?x=1')).toMatchObject({
      at: '/cart?x=1',
      mount: '',
      cwd: site.folder,
    })
  })
})

test('plain CGI: handles one request, and standard output has only the response', async () => {
  const program = runIn(
    {
      GATEWAY_INTERFACE: 'CGI/1.1',
      REQUEST_METHOD: 'GET',
      REQUEST_URI: '/cart',
      SERVER_NAME: 'front.test',
      SERVER_PORT: '80',
    },
    'serve',
    'fetch.mjs',
  )
  expect(await program.exited).toEqual({ code: 0, signal: null })
  expect(program.output).toMatch(/^Status: 200[^\n]*\r\n[\s\S]*\{"at":"\/cart"[^\n]*\}$/)
})

test('serves an app that spawn-fcgi starts', async () => {
  const [port] = await freePorts(1)
  site.write('package.json', '{}')
  site.makeFolder('src')
  site.write('src/fetch.mjs', FETCH_APP)
  const args = ['-n', '-a', '127.0.0.1', '-p', String(port), '--']
  const command = [`${bin}/fcgi-bridge`, 'serve', site.path('src/fetch.mjs'), '--log']
  const program = site.start(required('spawn-fcgi'), [...args, ...command], environment())
  expect(await accepting({ port: port!, host: '127.0.0.1' }, () => !program.running)).toBe(true)
  // The working directory is the folder of package.json, not that of the module.
  expect(await ask(`127.0.0.1:${port}`, '/a')).toMatchObject({ at: '/a', cwd: site.folder })
  await program.printed(/^GET \/a 200/m)
})

function run(...args: string[]): Program {
  return runIn({}, ...args)
}

function runIn(env: Record<string, string>, ...args: string[]): Program {
  return site.start(`${bin}/fcgi-bridge`, args, { cwd: site.folder, ...environment(env) })
}

function environment(env: Record<string, string> = {}): { env: Record<string, string> } {
  return { env: { PATH: `${bin}:/usr/bin:/bin`, ...env } }
}

interface AppResponse {
  at: string
  url?: string
  mount: string
  mode: string
  pid: number
  cwd: string
}

function dispatcherTo(address: string): FastCgiDispatcher {
  return new FastCgiDispatcher(address, { maxIdleConnections: 0, onStderr() {} })
}

async function ask(address: string, path: string): Promise<AppResponse> {
  const { body } = await request(`http://test${path}`, { dispatcher: dispatcherTo(address) })
  return (await body.json()) as AppResponse
}

async function askFront(origin: { host: string; port: number }, path: string): Promise<AppResponse> {
  const response = await send(origin, path)
  expect(response).toMatchObject({ status: 200 })
  return JSON.parse(response.text)
}

async function textOf(address: string): Promise<string> {
  const { body } = await request('http://test/', { dispatcher: dispatcherTo(address) })
  return await body.text()
}

/** The TCP ports on which a process listens, as the kernel says. */
function listeningPorts(pid: number): number[] {
  const own = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${fd}`)]
      } catch {
        // Closed since.
        return []
      }
    }),
  )
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/net/${table}`, 'latin1')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((row) => row[3] === '0A' && own.has(`socket:[${row[9]}]`))
      .map((row) => Number.parseInt(row[1]!.split(':').at(-1)!, 16)),
  )
}
