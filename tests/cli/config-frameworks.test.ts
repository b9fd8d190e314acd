// `fcgi-bridge config` for programs that listen themselves, in the folders that frameworks build: the front server serves the files.
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import { send } from '../support/cases/http.ts'
import { CONFIGURED, type PrintedConfig } from '../support/fronts/configured.ts'
import { printConfig, startPrinted } from '../support/fronts/printed-config.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'

let site: Site

siteForEachTest((each) => {
  site = each
})

const PROGRAM = `
  import { createServer } from 'node:http'
  createServer((request, response) => {
    response.statusCode = request.url === '/' ? 200 : 404
    response.end('the program: ' + request.url)
  }).listen(process.env.PORT ?? 3000)`

interface Layout {
  program: string
  /** The path of a file with a hash in its name, and its URL path. */
  hashed: [file: string, url: string]
  /** The same of a file without one, that the front server serves, too. */
  plain?: [file: string, url: string]
}

const LAYOUTS: Readonly<Record<string, Layout>> = {
  Nuxt: {
    program: '.output/server/index.mjs',
    hashed: ['.output/public/_nuxt/entry.D4f7a1.js', '/_nuxt/entry.D4f7a1.js'],
    plain: ['.output/public/favicon.ico', '/favicon.ico'],
  },
  'Next.js': {
    program: '.next/standalone/server.js',
    hashed: ['.next/static/chunks/main-4f7a1.js', '/_next/static/chunks/main-4f7a1.js'],
  },
  SvelteKit: {
    program: 'build/index.js',
    hashed: ['build/client/_app/immutable/entry/start.4f7a1.js', '/_app/immutable/entry/start.4f7a1.js'],
    plain: ['build/client/robots.txt', '/robots.txt'],
  },
  Astro: {
    program: 'dist/server/entry.mjs',
    hashed: ['dist/client/_astro/page.4f7a1.css', '/_astro/page.4f7a1.css'],
    plain: ['dist/client/robots.txt', '/robots.txt'],
  },
}

const servers = Object.keys(CONFIGURED).filter((server) => server !== 'haproxy')
// Each server with a layout whose files share the app's URLs, and one whose files do not. Each layout with nginx.
const cases = servers.flatMap((server) =>
  Object.keys(LAYOUTS)
    .filter((layout) => server === 'nginx' || layout === 'Nuxt' || layout === 'Next.js')
    .map((layout) => [server, layout] as const),
)

test.each(cases)('%s serves the files of %s, those with a hash for a year', async (server, name) => {
  const { program, hashed, plain } = LAYOUTS[name]!
  site.write('package.json', '{ "type": "module" }')
  write(program, PROGRAM)
  write(hashed[0], 'hashed')
  if (plain !== undefined) write(plain[0], 'plain')
  const address = server === 'apache-fcgid' ? [] : ['--socket', site.path('app.sock')]
  const printFor = ([port]: number[], ...flags: string[]): Promise<PrintedConfig> =>
    printConfig(server, site.path(program), ...address, '--listen', `127.0.0.1:${port}`, ...flags)
  await startPrinted(site, await printFor([80]))
  const [port] = await CONFIGURED[server]!(site, 1, (ports) => printFor(ports, '--no-check'))
  const get = (path: string) =>
    send({ host: '127.0.0.1', port: port! }, path, { headers: ['Host', `localhost:${port}`] })

  const asset = await get(hashed[1])
  expect([asset.status, asset.text]).toEqual([200, 'hashed'])
  expect(asset.headers['cache-control']).toMatch(/max-age=3153\d{4}\b/)
  if (plain !== undefined) {
    const file = await get(plain[1])
    expect([file.status, file.text, file.headers['cache-control']]).toEqual([200, 'plain', undefined])
  }
  expect((await get('/')).text).toBe('the program: /')
  const missing = await get(`${dirname(hashed[1])}/missing.js`)
  expect([missing.status, missing.headers['cache-control']]).toEqual([404, undefined])
})

test('--no-static leaves the files to the program', async () => {
  const { program, hashed } = LAYOUTS.Nuxt!
  write(program, PROGRAM)
  write(hashed[0], 'hashed')
  const { files } = await printConfig('nginx', site.path(program), '--no-static')
  expect(files[0]!.text).not.toContain('alias')
})

function write(file: string, text: string): void {
  mkdirSync(dirname(site.path(file)), { recursive: true })
  site.write(file, text)
}
