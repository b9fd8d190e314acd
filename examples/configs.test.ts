import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { startApache } from '../tests/fronts/apache.ts'
import { accepts, freePorts } from '../tests/fronts/ports.ts'
import { required } from '../tests/fronts/programs.ts'
import { Site } from '../tests/fronts/site.ts'

// The configs that the examples ship are used as they are, but for the places that a machine has only one of:
// port 80, the sockets, and the folder that the repository is in.

const EXAMPLES = fileURLToPath(new URL('.', import.meta.url)).replace(/\/$/, '')
const INSTALLED = '/srv/fcgi-bridge/examples'

type Example = 'environ' | 'express' | 'fetch'
/** Starts a front server with an example behind it; gives its port. */
type Start = (site: Site, example: Example) => Promise<number>

const starts: Record<string, Start> = {
  async 'apache-mod_fcgid.conf'(site, example) {
    const config = read(example, 'apache-mod_fcgid.conf', [[INSTALLED, EXAMPLES]])
    const [, host] = /<VirtualHost \*:80>(.*)<\/VirtualHost>/s.exec(config)!
    const { ports } = await startApache(site, {
      modules: ['authz_host', 'fcgid'],
      server: `FcgidIPCDir ${site.makeFolder('fcgid')}\nFcgidProcessTableFile ${site.path('fcgid_shm')}`,
      hosts: [host!],
    })
    return ports[0]!
  },

  async 'apache-mod_proxy_fcgi.conf'(site, example) {
    const socket = await startExample(site, example, 'unix')
    const config = read(example, 'apache-mod_proxy_fcgi.conf', [['/run/example.sock', socket]])
    const [, host] = /<VirtualHost \*:80>(.*)<\/VirtualHost>/s.exec(config)!
    const { ports } = await startApache(site, { modules: ['proxy', 'proxy_fcgi'], hosts: [host!] })
    return ports[0]!
  },

  async 'nginx.conf'(site, example) {
    const tcp = example === 'environ'
    const socket = await startExample(site, example, tcp ? 'tcp' : 'unix')
    const temporary = site.makeFolder('temporary')
    const { ports } = await site.startServer(1, ([port]) => {
      const config = read(example, 'nginx.conf', [
        [tcp ? '127.0.0.1:9000' : '/run/example.sock', socket],
        ['listen 80;', `listen 127.0.0.1:${port};`],
        ['listen [::]:80;', ''],
        ['include fastcgi_params;', 'include /etc/nginx/fastcgi_params;'],
      ])
      const main = site.write(
        'nginx.conf',
        `
        ${process.getuid?.() === 0 ? 'user root;' : ''}
        daemon off;
        worker_processes 1;
        pid ${site.path('nginx.pid')};
        error_log ${site.path('error.log')};
        events {}
        http {
          access_log off;
          client_body_temp_path ${temporary}/body;
          fastcgi_temp_path ${temporary}/fastcgi;
          proxy_temp_path ${temporary}/proxy;
          scgi_temp_path ${temporary}/scgi;
          uwsgi_temp_path ${temporary}/uwsgi;
          ${config}
        }`,
      )
      return { file: required('nginx'), args: ['-c', main, '-e', site.path('error.log')] }
    })
    return ports[0]!
  },

  async 'lighttpd.conf'(site, example) {
    const places: [string, string][] =
      example === 'environ'
        ? [['4003', (await startExample(site, example, 'tcp')).split(':')[1]!]]
        : [
            [INSTALLED, EXAMPLES],
            ['/run/lighttpd/example.sock', site.path('spawned.sock')],
          ]
    const config = read(example, 'lighttpd.conf', places)
    const { ports } = await site.startServer(1, ([port]) => {
      const main = site.write(
        'lighttpd.conf',
        `
        server.document-root = "${site.makeFolder('documents')}"
        server.errorlog = "${site.path('error.log')}"
        server.upload-dirs = ("${site.makeFolder('uploads')}")
        server.bind = "127.0.0.1"
        server.port = ${port}
        ${config}`,
      )
      return { file: required('lighttpd'), args: ['-D', '-f', main] }
    })
    return ports[0]!
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

describe.each(['apache-mod_fcgid.conf', 'apache-mod_proxy_fcgi.conf', 'nginx.conf', 'lighttpd.conf'])(
  'express/conf/%s',
  (config) => {
    it('serves routes, uploads beyond the stock limit, and events as they happen', async () => {
      const port = await start(config, 'express')
      await expectApp(port)
      const upload = new FormData()
      upload.append('file', new File([new Uint8Array(2 * 1024 * 1024)], 'zeros.bin'))
      const { body } = await send(port, 'POST', '/upload', { body: new Response(upload) })
      expect(JSON.parse(body)).toEqual({
        name: 'zeros.bin',
        type: 'application/octet-stream',
        size: 2097152,
        sha256: '5647f05ec18958947d32874eeb788fa396a05d0bab7c1b71f112ceb7e9b31eee',
      })
    })
  },
)

describe.each(['apache-mod_fcgid.conf', 'nginx.conf', 'lighttpd.conf'])('fetch/conf/%s', (config) => {
  it('serves routes, uploads beyond the stock limit, and events as they happen', async () => {
    const port = await start(config, 'fetch')
    await expectApp(port)
    const zeros = new Response(new Uint8Array(2 * 1024 * 1024))
    const { body } = await send(port, 'PUT', '/upload/zeros.bin', { body: zeros })
    expect(JSON.parse(body)).toEqual({
      name: 'zeros.bin',
      size: 2097152,
      sha256: '5647f05ec18958947d32874eeb788fa396a05d0bab7c1b71f112ceb7e9b31eee',
    })
  })
})

describe.each(['apache-mod_fcgid.conf', 'nginx.conf', 'lighttpd.conf'])('environ/conf/%s', (config) => {
  it('lists the params', async () => {
    const port = await start(config, 'environ')
    const { status, body } = await send(port, 'GET', '/aadsfasddfasdf?a=123', { host: 'environ.example.com' })
    expect(status).toBe(200)
    expect(body).toMatch(/^Flup works!$/m)
    expect(body).toMatch(/^REQUEST_URI=\/aadsfasddfasdf\?a=123$/m)
    expect(body).toMatch(/^QUERY_STRING=a=123$/m)
  })
})

/** What both apps have: a route whose name is not ASCII, and an event stream, of which the first event comes alone. */
async function expectApp(port: number): Promise<void> {
  const hello = await send(port, 'GET', '/hello/J%C3%BCrgen%2FMaria')
  expect(hello).toMatchObject({ status: 200, body: 'Hello, Jürgen/Maria!\n' })
  const events = request({ port, path: '/events', headers: { Host: 'example.com' } }).end()
  const [response]: [IncomingMessage] = await once(events, 'response')
  const [first]: [Buffer] = await once(response, 'data')
  expect(first.toString()).toBe('data: 1\n\n')
  events.destroy()
}

/** Starts an example as a server of its own; gives its address. */
async function startExample(site: Site, example: Example, kind: 'tcp' | 'unix'): Promise<string> {
  const [port] = await freePorts(1)
  const path = site.path('example.sock')
  const address = kind === 'tcp' ? `127.0.0.1:${port}` : path
  const env = { ...process.env, FCGI_BRIDGE_LISTEN: address }
  const program = site.start(process.execPath, [`${EXAMPLES}/${example}/server.mjs`], { env })
  while (!(await accepts(kind === 'tcp' ? { host: '127.0.0.1', port: port! } : { path }))) {
    if (!program.running) throw new Error(program.output)
    await setTimeout(10)
  }
  return address
}

/** An example's config, with each of `places` replaced. */
function read(example: Example, config: string, places: [string, string][]): string {
  let content = readFileSync(`${EXAMPLES}/${example}/conf/${config}`, 'utf8')
  for (const [from, to] of places) {
    expect(content).toContain(from)
    content = content.replaceAll(from, to)
  }
  return content
}

interface Sent {
  /** The Host of the request: the one that the config names. */
  host?: string
  body?: Response
}

async function send(
  port: number,
  method: string,
  path: string,
  { host = 'example.com', body }: Sent = {},
): Promise<{ status: number; body: string }> {
  const type = body?.headers.get('content-type')
  const headers = { Host: host, ...(type && { 'Content-Type': type }) }
  const asked = request({ port, method, path, headers }).end(body && Buffer.from(await body.arrayBuffer()))
  const [response]: [IncomingMessage] = await once(asked, 'response')
  return { status: response.statusCode!, body: await text(response) }
}
