// Responses that front servers process themselves: local redirects in mod_fcgid, and files named by the app in lighttpd and nginx.
// The gateway is compared with them in front of the same app.
import { once } from 'node:events'
import { mkdirSync, symlinkSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createGateway, type GatewayOptions } from '@fcgi-bridge/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { send, type TestRequest, type TestResponse } from '../support/cases/http.ts'
import { startApache } from '../support/fronts/apache.ts'
import { fcgidDirectives } from '../support/fronts/apache-fcgid.ts'
import { sockets, startLighttpd } from '../support/fronts/lighttpd.ts'
import { startNginx } from '../support/fronts/nginx.ts'
import { Site } from '../support/fronts/site.ts'

let site: Site
let folder: string
const gateways: ReturnType<typeof createGateway>[] = []
const ports: Record<string, number> = {}

beforeAll(async () => {
  site = new Site()
  folder = site.path('files')
  mkdirSync(`${folder}/sub`, { recursive: true })
  for (const name of ['a.txt', 'a b.txt', '50%.txt', '.hidden'])
    site.write(`files/${name}`, `this is ${name}`)
  site.write('secret.txt', 'TOP SECRET')
  symlinkSync('../secret.txt', `${folder}/link.txt`)

  const { at } = await site.startApp('raw', site.path('raw.sock'))
  if (!('path' in at)) throw new Error('The app listens on a socket.')
  const backend = `"socket" => "${at.path}", "check-local" => "disable", "fix-root-scriptname" => "enable"`
  const [lighttpd, lighttpdOff] = await startLighttpd(site, 2, (all) => {
    const settings = [
      `fastcgi.server = ("/" => ((${backend}, "x-sendfile" => "enable", "x-sendfile-docroot" => ("${folder}"))))`,
      `fastcgi.server = ("/" => ((${backend})))`,
    ]
    return `server.modules += ("mod_fastcgi")\n${sockets(all, settings)}\n$SERVER["socket"] == "127.0.0.1:${all[1]}" {}`
  })
  const [nginx] = await startNginx(
    site,
    1,
    ([port]) => `
    server {
      listen 127.0.0.1:${port};
      location / { include /etc/nginx/fastcgi_params; fastcgi_pass unix:${at.path}; }
      location /protected/ { internal; alias ${folder}/; }
    }`,
  )
  const program = site.writeProgram('raw.fcgi', 'raw')
  const apache = await startApache(site, {
    modules: ['fcgid'],
    server: fcgidDirectives(site),
    hosts: [
      `ScriptAlias "/" "${program}/"
      <Location "/">
        SetHandler fcgid-script
        Require all granted
      </Location>`,
    ],
  })
  Object.assign(ports, { lighttpd, lighttpdOff, nginx, mod_fcgid: apache.ports[0] })
  const options: GatewayOptions = {
    onError: () => {},
    xSendfile: folder,
    xAccelRedirect: { '/protected/': folder },
  }
  ports.gateway = await startGateway(at, options)
  ports.gatewayOff = await startGateway(at, { onError: () => {}, localRedirects: false })
})

afterAll(async () => {
  for (const gateway of gateways) gateway.close()
  await site.stop()
})

async function startGateway(at: { path: string }, options: GatewayOptions): Promise<number> {
  const gateway = createGateway(at, options).listen(0, '127.0.0.1')
  gateways.push(gateway)
  await once(gateway, 'listening')
  return (gateway.address() as AddressInfo).port
}

/** Returns the response that a client receives if the app's response begins with `lines`. */
function responseOf(front: string, lines: string, ask: TestRequest = {}): Promise<TestResponse> {
  return send(
    { host: '127.0.0.1', port: ports[front]! },
    `/from%20here?${Buffer.from(`${lines}\r\n\r\nits body`).toString('base64url')}`,
    ask,
  )
}

describe('a local redirect', () => {
  test.each<[string, TestRequest]>([
    ['GET', {}],
    ['POST', { method: 'POST', body: 'hello', headers: ['Content-Type', 'text/plain', 'X-Own', '1'] }],
  ])('%s: the app gets the same request as under mod_fcgid', async (_, ask) => {
    const seen = async (front: string): Promise<unknown> => {
      const { text } = await responseOf(front, 'Location: /seen?x=%2F', ask)
      const { CONTENT_LENGTH, CONTENT_TYPE, ...params } = JSON.parse(text)
      const { REQUEST_METHOD, REQUEST_URI, SCRIPT_NAME, PATH_INFO, QUERY_STRING, HTTP_X_OWN } = params
      const { REDIRECT_STATUS, REDIRECT_URL, REDIRECT_QUERY_STRING } = params
      const request = { REQUEST_METHOD, REQUEST_URI, SCRIPT_NAME, PATH_INFO, QUERY_STRING, HTTP_X_OWN }
      return {
        ...request,
        REDIRECT_STATUS,
        REDIRECT_URL,
        REDIRECT_QUERY_STRING,
        length: CONTENT_LENGTH || '0',
      }
    }
    const ours = await seen('gateway')
    expect(ours).toMatchObject({
      REQUEST_METHOD: 'GET',
      PATH_INFO: '/seen',
      REDIRECT_URL: '/from here',
      length: '0',
    })
    expect(ours).toEqual(await seen('mod_fcgid'))
  })

  test.each([
    ['in a loop', 'Location: /again', 500],
    ['above the root', 'Location: /../x', undefined],
    ['with a status', 'Status: 302 Found\r\nLocation: /seen', 302],
    ['to another host', 'Location: http://elsewhere.test/', 302],
  ])('%s', async (_, lines, status) => {
    const [ours, theirs] = await Promise.all([responseOf('gateway', lines), responseOf('mod_fcgid', lines)])
    if (status === undefined) expect([ours.status, theirs.status]).toEqual([502, 400])
    else expect([ours.status, theirs.status]).toEqual([status, status])
  })

  test('nginx passes it to the client, and so does the gateway with localRedirects: false', async () => {
    for (const front of ['nginx', 'gatewayOff']) {
      const { status, headers } = await responseOf(front, 'Location: /seen?x=1')
      expect(status).toBe(302)
      expect(headers.location).toMatch(/\/seen\?x=1$/)
    }
  })
})

/** The parts of a file response that are compared: status, body and headers about the file. */
function fileResponse({ status, text, headers }: TestResponse): unknown {
  const { 'content-length': length, 'content-range': range, 'x-other': other } = headers
  const { 'cache-control': cache, 'content-disposition': disposition, 'set-cookie': cookies } = headers
  return status < 300 ? { status, text, length, range, other, cache, disposition, cookies } : { status }
}

const NAMES = [
  'a.txt',
  'a%20b.txt',
  'a b.txt',
  '50%25.txt',
  '50%.txt',
  '.hidden',
  'nothing.txt',
  'sub/',
  '../secret.txt',
]
const MORE =
  'X-Other: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nCache-Control: private\r\nContent-Disposition: attachment'
const RANGE: TestRequest = { headers: ['Range', 'bytes=5-6'] }

describe.each([
  ['X-Sendfile', 'lighttpd', (name: string) => `X-Sendfile: ${folder}/${name}`],
  ['X-Accel-Redirect', 'nginx', (name: string) => `X-Accel-Redirect: /protected/${name}`],
])('%s, compared with %s', (_, server, line) => {
  test.each(NAMES)('%s', async (name) => {
    const ours = fileResponse(await responseOf('gateway', line(name)))
    // The front servers keep a percent sign that starts no valid escape. The gateway responds with 404.
    if (name === '50%.txt') expect(ours).toEqual({ status: 404 })
    else expect(ours).toEqual(fileResponse(await responseOf(server, line(name))))
  })

  test.each<[string, string, TestRequest]>([
    ['a range', '', RANGE],
    ['with headers of the app', `\r\n${MORE}`, {}],
    ['both, and a length that differs from that of the file', `\r\n${MORE}\r\nContent-Length: 8`, RANGE],
    ['a status', '\r\nStatus: 404 Not Found', {}],
    ['HEAD', '', { method: 'HEAD' }],
    ['POST', '', { method: 'POST', body: 'hello' }],
  ])('%s', async (_name, lines, ask) => {
    const ours = fileResponse(await responseOf('gateway', line('a.txt') + lines, ask))
    expect(ours).toEqual(fileResponse(await responseOf(server, line('a.txt') + lines, ask)))
  })

  test('a link out of the folder is followed by the front server, and not by the gateway', async () => {
    expect((await responseOf(server, line('link.txt'))).text).toBe('TOP SECRET')
    const { status, text } = await responseOf('gateway', line('link.txt'))
    expect(status).toBe(403)
    expect(text).not.toContain('TOP SECRET')
  })
})

test('X-Sendfile is dropped unless it is enabled, and the body is sent', async () => {
  for (const front of ['lighttpdOff', 'gatewayOff']) {
    const { text, headers } = await responseOf(front, 'Status: 200 OK\r\nX-Sendfile: /a.txt')
    expect(text).toBe('its body')
    expect(headers).not.toHaveProperty('x-sendfile')
  }
})
