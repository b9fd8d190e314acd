// `fcgi-bridge dev` with an app that changes, fails, and is fixed.
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fetch, request } from 'undici'
import { describe, expect, test } from 'vitest'
import { installCommandLine } from '../support/fronts/command-line.ts'
import { waitForExit } from '../support/fronts/processes.ts'
import type { Program } from '../support/fronts/program.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'

const EXPRESS = createRequire(import.meta.url).resolve('express')
const BROWSER = { accept: 'text/html,*/*' }

let site: Site
let bin: string

siteForEachTest((each) => {
  site = each
  bin = installCommandLine(site)
  site.write('package.json', '{}')
})

test('serves an Express app through FastCGI at the printed URL', async () => {
  site.write('app.cjs', expressApp('hello'))
  const { program, url } = await dev('app.cjs')
  expect(await text(url)).toBe('hello')
  await program.printed(/ready app\.cjs, an Express app, in \d+ ms/)
  await program.printed(/^GET \/ 200 [\d.]+ ms$/m)
  expect(await text(`${url}params`)).toMatch(/^development CGI\/1\.1 127\.0\.0\.1/)
  expect(await program.stop('SIGINT')).toEqual({ code: 0, signal: null })
})

test('--json prints the URLs', async () => {
  site.write('app.mjs', fetchApp('hello'))
  const program = start('dev', 'app.mjs', '--port', '0', '--json')
  const [line] = await program.printed(/^\{.*$/m)
  const { listening } = JSON.parse(line)
  expect(listening).toEqual({ url: expect.any(String), inspector: `${listening.url}__fcgi` })
  expect(await text(listening.url)).toBe('hello')
})

test('serves an app at a mount, and responds with a 404 outside it', async () => {
  site.write(
    'app.mjs',
    "export default (request, { mount }) => new Response(mount + ' ' + new URL(request.url).pathname)",
  )
  const { url } = await dev('app.mjs', '--mount', '/shop')
  for (const path of ['shop', 'shop/', 'shop?x=/y', 'shop/cart', 'shop//cart']) {
    expect.soft(await text(url + path), path).toBe(`/shop /${path.split('?')[0]}`)
  }
  expect(await text(`${url}sh%6Fp/cart`)).toMatch(/ \/sh%6Fp\/cart$/)
  for (const path of ['', 'other', 'shopping', 'shop.html', '?shop', 'shop/../other', 'shop/%2e%2e/other']) {
    const { statusCode, body } = await request(url, { path: `/${path}`, origin: url } as never)
    const text = await body.text()
    expect.soft(statusCode, path).toBe(404)
    expect.soft(text, path).toMatch(/The app is mounted at \/shop, and \/\S* is outside this mount\./)
  }
  const page = await fetch(`${url}other`, { headers: BROWSER })
  expect(await page.text()).toContain('<h1>The app is mounted at /shop')
})

test('a change restarts the app, and no request fails meanwhile', async () => {
  site.write(
    'app.mjs',
    "import { greeting } from './greeting.mjs'\nexport default { fetch: () => new Response(greeting) }",
  )
  site.write('greeting.mjs', "export const greeting = 'first'")
  const { program, url } = await dev('app.mjs')
  const responses = [await text(url)]
  expect(responses).toEqual(['first'])
  site.write('greeting.mjs', "export const greeting = 'second'")
  while (responses.at(-1) !== 'second') responses.push(await text(url))
  expect(new Set(responses)).toEqual(new Set(['first', 'second']))
  await program.printed(/^greeting\.mjs has changed/m)
})

test('serves a program that calls listen(), without opening its port, and restarts it at a change', async () => {
  const program = (greeting: string): string => `
    import { createServer } from 'node:http'
    createServer((request, response) => response.end('${greeting} ' + request.url)).listen(3000, '127.0.0.1', () => {
      console.log('the program listens')
    })`
  site.write('server.mjs', program('first'))
  const { program: running, url } = await dev('server.mjs')
  expect(await text(`${url}a`)).toBe('first /a')
  await running.printed(/ready server\.mjs, an HTTP server, in \d+ ms/)
  site.write('server.mjs', program('second'))
  const responses: string[] = []
  while (responses.at(-1) !== 'second /b') responses.push(await text(`${url}b`))
  expect(new Set(responses)).toEqual(
    new Set(responses.length === 1 ? ['second /b'] : ['first /b', 'second /b']),
  )
})

test('a change of a file that is not code restarts the app only with --watch', async () => {
  site.write('app.mjs', `${fetchApp('hello')}\nexport const pid = process.pid`)
  site.makeFolder('views')
  const { program } = await dev('app.mjs', '--watch', site.path('views'))
  await program.printed(/^ready/m)
  writeFileSync(site.path('notes.txt'), 'x')
  site.makeFolder('node_modules', 'x')
  writeFileSync(site.path('node_modules/x/index.js'), 'x')
  writeFileSync(site.path('views/index.html'), 'x')
  await program.printed(/^views\/index\.html has changed/m)
  expect(program.output.match(/has changed/g)).toHaveLength(1)
})

describe('errors', () => {
  test('a syntax error is shown until it is fixed', async () => {
    site.write('app.mjs', 'const a = 1\nconst b = = 2\n')
    const { program, url } = await dev('app.mjs')
    const page = await fetch(url, { headers: BROWSER })
    expect(page.status).toBe(502)
    const html = await page.text()
    expect(html).toContain('The app did not start')
    expect(html).toContain('<h1>SyntaxError: Unexpected token &#39;=&#39;</h1>')
    expect(html).toContain('<mark>&#62; 2 | const b = = 2</mark>')
    // Without Accept: text/html the page is plain text.
    expect(await text(url)).toMatch(/^The app did not start\n\nSyntaxError: [\s\S]*app\.mjs:2\n/)
    await program.printed(/app\.mjs:2\s+const b = = 2[\s\S]*The app did not start\./)

    site.write('app.mjs', fetchApp('fixed'))
    await program.printed(/^ready/m)
    expect(await text(url)).toBe('fixed')
  })

  test('a module without an app is an error that says so', async () => {
    site.write('app.mjs', '')
    const { url } = await dev('app.mjs')
    expect(await text(url)).toContain('app.mjs exports nothing, so there is no app to serve.')
  })

  test.each([
    ['a listener', 'export default (req, res) => {\n  throw new TypeError("<oh no>")\n}'],
    ['a fetch handler', 'export default async (request) => {\n  throw new TypeError("<oh no>")\n}'],
  ])('the error of %s: its line in the browser, its stack in the terminal', async (_, app) => {
    site.write('app.mjs', app)
    const { program, url } = await dev('app.mjs')
    const page = await fetch(url, { headers: BROWSER })
    expect(page.status).toBe(500)
    const html = await page.text()
    expect(html).toContain('<h1>TypeError: &#60;oh no&#62;</h1>')
    expect(html).toContain('<mark>&#62; 2 |   throw new TypeError(&#34;&#60;oh no&#62;&#34;)</mark>')
    await program.printed(/TypeError: <oh no>\n {4}at .*app\.mjs:2:9/)
  })

  test('a crash is explained to the request that it cut off and to later ones, until the app restarts', async () => {
    site.write(
      'app.mjs',
      `export default (req, res) => {
        if (req.url === '/crash') setImmediate(() => { throw new RangeError('out of luck') })
        else res.end('hello')
        if (req.url === '/log') console.error(new Error('only ' + 'logged'))
      }`,
    )
    const { program, url } = await dev('app.mjs')
    expect(await text(url)).toBe('hello')
    await text(`${url}log`)
    const cut = await fetch(`${url}crash`, { headers: BROWSER })
    expect(cut.status).toBe(502)
    const page = await cut.text()
    expect(page).toContain('<h1>RangeError: out of luck</h1>')
    // The page shows the exception that ended the process, not an error that the app had logged before.
    expect(page).toContain('<mark>&#62; 2 |')
    expect(page).not.toContain('only logged')
    expect(await text(url)).toContain('The app has crashed')
    await program.printed(/RangeError: out of luck[\s\S]*The app has crashed\./)
    const again = await request(`${url}__fcgi/restart`, { method: 'POST' })
    expect(again.statusCode).toBe(202)
    expect(await text(url)).toBe('hello')
  })

  test('an upload to a crashed app gets a response', async () => {
    site.write('app.mjs', 'process.exit(7)')
    const { url } = await dev('app.mjs')
    const response = await fetch(url, { method: 'POST', body: new Uint8Array(8 * 1024 * 1024) }).catch(String)
    // A client that is still sending may get an error instead of the response, because the server closes the connection.
    expect(typeof response === 'string' ? 502 : response.status).toBe(502)
    expect(await text(url)).toContain("The app's process exited with status 7.")
  })

  test('a port in use is an error that says what to do', async () => {
    site.write('app.mjs', fetchApp('hello'))
    const { url } = await dev('app.mjs')
    const second = start('dev', 'app.mjs', '--port', new URL(url).port)
    await second.printed(
      /Cannot listen on 127\.0\.0\.1: .*EADDRINUSE.*choose another port\. --port 0 picks a free one\.$/m,
    )
    expect(await second.exited).toEqual({ code: 4, signal: null })
  })
})

test('URLs below /__fcgi respond to this machine only', async () => {
  site.write('app.mjs', fetchApp('hello'))
  const { url } = await dev('app.mjs')
  // Another site's name that resolves to this machine, and another site's page that sends a POST.
  const rebound = await request(`${url}__fcgi/events`, { headers: { host: 'evil.example' } })
  expect(rebound.statusCode).toBe(403)
  const posted = await request(`${url}__fcgi/restart`, {
    method: 'POST',
    headers: { origin: 'http://evil.example' },
  })
  expect(posted.statusCode).toBe(403)
  // A tunnel or a proxy on this machine. It may rewrite Host.
  for (const headers of [
    { 'x-forwarded-for': '192.0.2.1' },
    { forwarded: 'for=192.0.2.1' },
    { via: '1.1 tunnel' },
    { 'sec-fetch-site': 'cross-site' },
  ]) {
    const proxied = await request(`${url}__fcgi`, { headers })
    expect.soft(proxied.statusCode, JSON.stringify(headers)).toBe(403)
    expect
      .soft(await proxied.body.text())
      .toContain('It rejects requests that came through a proxy or a tunnel')
  }
  expect((await request(`${url}__fcgi`)).statusCode).toBe(200)
  // At most 32 event streams can be open. Other sites cannot open any.
  const accept = { accept: 'text/event-stream' }
  const streams = await Promise.all(
    Array.from({ length: 33 }, () =>
      request(`${url}__fcgi/events`, { headers: { ...accept, 'sec-fetch-site': 'cross-site' } }),
    ),
  )
  expect(streams.filter(({ statusCode }) => statusCode !== 403)).toEqual([])
  const own = await request(`${url}__fcgi/events`, {
    headers: { ...accept, 'sec-fetch-site': 'same-origin' },
  })
  expect(own.statusCode).toBe(200)
  own.body.destroy()
  // A request for an image does not open an event stream.
  expect((await request(`${url}__fcgi/events`)).statusCode).toBe(406)
})

test('an app that ignores SIGTERM is restarted, and no process survives when fcgi-bridge dev is killed', async () => {
  site.write('app.mjs', `process.on('SIGTERM', () => {})\n${fetchApp('first')}`)
  const { program, url } = await dev('app.mjs')
  await program.printed(/^ready/m)
  site.write('app.mjs', fetchApp('second'))
  await program.printed(/^ready[\s\S]*^ready/m)
  expect(await text(url)).toBe('second')
  await program.stop('SIGKILL')
  expect(await waitForExit(() => site.processes(), 30_000)).toEqual([])
})

function expressApp(greeting: string): string {
  return `
    const app = require(${JSON.stringify(EXPRESS)})()
    app.get('/', (req, res) => res.send('${greeting}'))
    app.get('/params', (req, res) => res.send(
      [process.env.NODE_ENV, req.fcgi.params.GATEWAY_INTERFACE, req.ip].join(' ')
    ))
    module.exports = app`
}

function fetchApp(greeting: string): string {
  return `export default { fetch: () => new Response('${greeting}') }`
}

function start(...args: string[]): Program {
  return site.start(`${bin}/fcgi-bridge`, args, { cwd: site.folder, env: { PATH: `${bin}:/usr/bin:/bin` } })
}

async function dev(...args: string[]): Promise<{ program: Program; url: string }> {
  const program = start('dev', ...args, '--port', '0')
  const [, url] = await program.printed(/^ {2}(http:\/\/localhost:\d+\/)\S*$/m)
  // localhost may resolve to ::1 first.
  return { program, url: url!.replace('localhost', '127.0.0.1') }
}

async function text(url: string): Promise<string> {
  return (await fetch(url)).text()
}
