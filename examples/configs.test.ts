import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { Site } from '../tests/support/fronts/site.ts'
import {
  type Places,
  replacePlaces,
  send,
  startLighttpdSite,
  startNginxSite,
  startProgram,
  startVirtualHost,
} from './testing/fronts.ts'

// The examples' configurations are used unchanged, except for values that must be unique on a machine: port 80, the
// sockets, and the repository's folder.

const EXAMPLES = fileURLToPath(new URL('.', import.meta.url)).replace(/\/$/, '')
const FOLDER: Places[number] = ['/srv/fcgi-bridge/examples', EXAMPLES]
const SOCKET = '/run/example.sock'

type Example = 'environ' | 'express' | 'fetch' | 'http'
/** Starts a front server for an example. Resolves with its port. */
type Start = (site: Site, example: Example) => Promise<number>

const starts: Record<string, Start> = {
  'apache-mod_fcgid.conf': (site, example) =>
    startVirtualHost(site, ['authz_host', 'fcgid'], read(example, 'apache-mod_fcgid.conf', [FOLDER])),

  async 'apache-mod_proxy_fcgi.conf'(site, example) {
    const socket = await startProgram(site, program(example), 'unix')
    const config = read(example, 'apache-mod_proxy_fcgi.conf', [[SOCKET, socket]])
    return startVirtualHost(site, ['proxy', 'proxy_fcgi'], config)
  },

  async 'nginx.conf'(site, example) {
    const tcp = example === 'environ'
    const address = await startProgram(site, program(example), tcp ? 'tcp' : 'unix', preload(example))
    return startNginxSite(site, read(example, 'nginx.conf', [[tcp ? '127.0.0.1:9000' : SOCKET, address]]))
  },

  async 'lighttpd.conf'(site, example) {
    const spawned: Places = [FOLDER, ['/run/lighttpd/example.sock', site.path('spawned.sock')]]
    if (example !== 'environ') return startLighttpdSite(site, read(example, 'lighttpd.conf', spawned))
    const address = await startProgram(site, program(example), 'tcp')
    return startLighttpdSite(site, read(example, 'lighttpd.conf', [['4003', address.split(':')[1]!]]))
  },
}

let site: Site | undefined
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') console.error(site?.report())
  await site?.stop()
  site = undefined
})

async function start(config: string, example: Example): Promise<number> {
  site = new Site()
  return starts[config]!(site, example)
}

const ZEROS = new Uint8Array(2 * 1024 * 1024)
const ZEROS_SHA256 = '5647f05ec18958947d32874eeb788fa396a05d0bab7c1b71f112ceb7e9b31eee'

describe.each(['apache-mod_fcgid.conf', 'apache-mod_proxy_fcgi.conf', 'nginx.conf', 'lighttpd.conf'])(
  'examples/express/conf/%s',
  (config) => {
    it('serves routes, uploads beyond the default limit, and events at once', async () => {
      const port = await start(config, 'express')
      await expectRouteAndEvents(port)
      const upload = new FormData()
      upload.append('file', new File([ZEROS], 'zeros.bin'))
      const { body } = await send(port, 'POST', '/upload', { body: new Response(upload) })
      expect(JSON.parse(body)).toEqual({
        name: 'zeros.bin',
        type: 'application/octet-stream',
        size: ZEROS.length,
        sha256: ZEROS_SHA256,
      })
    })
  },
)

describe.each(['apache-mod_fcgid.conf', 'nginx.conf', 'lighttpd.conf'])(
  'examples/fetch/conf/%s',
  (config) => {
    it('serves routes, uploads beyond the default limit, and events at once', async () => {
      const port = await start(config, 'fetch')
      await expectRouteAndEvents(port)
      const { body } = await send(port, 'PUT', '/upload/zeros.bin', { body: new Response(ZEROS) })
      expect(JSON.parse(body)).toEqual({ name: 'zeros.bin', size: ZEROS.length, sha256: ZEROS_SHA256 })
    })
  },
)

describe.each(['apache-mod_fcgid.conf', 'nginx.conf'])('examples/http/conf/%s', (config) => {
  it('serves a program that listens for HTTP, and events at once', async () => {
    await expectRouteAndEvents(await start(config, 'http'))
  })
})

describe.each(['apache-mod_fcgid.conf', 'nginx.conf', 'lighttpd.conf'])(
  'examples/environ/conf/%s',
  (config) => {
    it('lists the params', async () => {
      const port = await start(config, 'environ')
      const { status, body } = await send(port, 'GET', '/aadsfasddfasdf?a=123', {
        host: 'environ.example.com',
      })
      expect(status).toBe(200)
      expect(body).toMatch(/^Flup works!$/m)
      expect(body).toMatch(/^REQUEST_URI=\/aadsfasddfasdf\?a=123$/m)
      expect(body).toMatch(/^QUERY_STRING=a=123$/m)
    })
  },
)

describe('examples/express behind Apache mod_fcgid, which passes no NODE_ENV', () => {
  it('sends no stack trace to the client', async () => {
    const port = await start('apache-mod_fcgid.conf', 'express')
    const body = new Response('{', { headers: { 'content-type': 'application/json' } })
    const response = await send(port, 'POST', '/api/echo', { body })
    expect(response.status).toBe(400)
    expect(response.body).toContain('Bad Request')
    expect(response.body).not.toMatch(/node_modules| at |\.m?js/)
  })
})

/**
 * Requests a route whose path is not plain ASCII, and an event stream whose first event must arrive before the second
 * is sent.
 */
async function expectRouteAndEvents(port: number): Promise<void> {
  const hello = await send(port, 'GET', '/hello/J%C3%BCrgen%2FMaria')
  expect(hello).toEqual({ status: 200, body: 'Hello, Jürgen/Maria!\n' })
  const events = request({ port, path: '/events', headers: { Host: 'example.com' } }).end()
  const [response] = (await once(events, 'response')) as [IncomingMessage]
  const [first] = (await once(response, 'data')) as [Buffer]
  expect(first.toString()).toBe('data: 1\n\n')
  events.destroy()
}

// The program of this example listens for HTTP.
function preload(example: Example): string[] {
  return example === 'http' ? ['--import', 'fcgi-bridge/register'] : []
}

function program(example: Example): string {
  return `${EXAMPLES}/${example}/server.mjs`
}

function read(example: Example, config: string, places: Places): string {
  return replacePlaces(readFileSync(`${EXAMPLES}/${example}/conf/${config}`, 'utf8'), places)
}
