// Front servers that listen on a Unix socket, for example behind a tunnel or another proxy. The client then has no
// address, as on node:http.
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { expect, test } from 'vitest'
import { readAll } from '../support/cases/http.ts'
import { startLighttpd } from '../support/fronts/lighttpd.ts'
import { startNginx } from '../support/fronts/nginx.ts'
import { required } from '../support/fronts/programs.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'

let site: Site
siteForEachTest((taken) => {
  site = taken
})

/** Starts a server that listens on `socket` and forwards all requests to the app at `app`. Both are paths. */
const FRONTS: Record<string, (socket: string, app: string) => Promise<unknown>> = {
  nginx: (socket, app) =>
    startNginx(
      site,
      1,
      ([port]) => `
        server {
          listen 127.0.0.1:${port};
          listen unix:${socket};
          location / { include /etc/nginx/fastcgi_params; fastcgi_pass unix:${app}; }
        }`,
    ),
  lighttpd: (socket, app) =>
    startLighttpd(
      site,
      1,
      () => `
        server.modules = ("mod_fastcgi")
        $SERVER["socket"] == "${socket}" {}
        fastcgi.server = ("/" => (("socket" => "${app}", "check-local" => "disable")))`,
    ),
  Caddy: (socket, app) =>
    site.startServer(1, ([port]) => {
      const config = site.write(
        'Caddyfile',
        `{
          admin off
          auto_https off
        }
        http://127.0.0.1:${port} {
          respond ok
        }
        http:// {
          bind unix/${socket}
          reverse_proxy unix/${app} {
            transport fastcgi
          }
        }`,
      )
      const home = site.makeFolder('home')
      const env = { HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home }
      return { file: required('caddy'), args: ['run', '--config', config, '--adapter', 'caddyfile'], env }
    }),
  HAProxy: (socket, app) =>
    site.startServer(1, ([port]) => {
      const config = site.write(
        'haproxy.cfg',
        `
global
  log stderr format raw daemon
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
fcgi-app app
  docroot /srv
listen front
  bind 127.0.0.1:${port}
  bind unix@${socket}
  use-fcgi-app app
  server app unix@${app} proto fcgi
`,
      )
      return { file: required('haproxy'), args: ['-db', '-f', config] }
    }),
}

test.each(Object.keys(FRONTS))('%s: the client has no address', async (name) => {
  const { at } = await site.startApp('express', site.path('express.sock'))
  const socketPath = site.path('front.sock')
  await FRONTS[name]!(socketPath, 'path' in at ? at.path : '')
  const seen = JSON.parse(await get(socketPath, '/echo'))
  expect(seen.remoteAddress).toBe(await addressOnNode())
  expect(seen.url).toBe('/echo')
})

async function get(socketPath: string, path: string): Promise<string> {
  const sent = request({ socketPath, path, agent: false, headers: { host: 'front.test' } }).end()
  const [incoming] = await once(sent, 'response')
  const text = (await readAll(incoming)).toString()
  expect(incoming.statusCode, text).toBe(200)
  return text
}

async function addressOnNode(): Promise<string | undefined> {
  const reference = createServer((req, res) =>
    res.end(JSON.stringify({ remoteAddress: req.socket.remoteAddress })),
  )
  reference.listen(site.path('reference.sock'))
  await once(reference, 'listening')
  const { remoteAddress } = JSON.parse(await get(site.path('reference.sock'), '/'))
  reference.close()
  return remoteAddress
}
