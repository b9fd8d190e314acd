// Front servers that connect to one app that listens. A pool must lose no request with any of them.

import { startApache } from '../support/fronts/apache.ts'
import type { Origin } from '../support/fronts/front.ts'
import { startLighttpd } from '../support/fronts/lighttpd.ts'
import { startNginxBefore } from '../support/fronts/nginx.ts'
import type { Listening } from '../support/fronts/ports.ts'
import { required } from '../support/fronts/programs.ts'
import type { Site } from '../support/fronts/site.ts'

/** A front server as it is set up before the pool. */
interface PoolFront {
  name: string
  socket: 'tcp' | 'unix'
  /** Starts it before the app at this address. */
  start(site: Site, at: Listening): Promise<Origin>
}

const startAt = (port: number | undefined): Origin => ({ host: '127.0.0.1', port: port! })

function nginx(upstream: string, location: string): PoolFront['start'] {
  return async (site, at) => startAt(await startNginxBefore(site, at, location, upstream))
}

async function apache(site: Site, at: Listening): Promise<Origin> {
  const url = 'path' in at ? `unix:${at.path}|fcgi://app/` : `fcgi://${at.host}:${at.port}/`
  const { ports } = await startApache(site, {
    modules: ['proxy', 'proxy_fcgi'],
    hosts: [`ProxyPass "/" "${url}"`],
  })
  return startAt(ports[0])
}

async function lighttpd(site: Site, at: Listening): Promise<Origin> {
  const where = 'path' in at ? `"socket" => "${at.path}"` : `"host" => "${at.host}", "port" => ${at.port}`
  const ports = await startLighttpd(
    site,
    1,
    () => `
      server.modules = ("mod_fastcgi")
      fastcgi.server = ("/" => ((${where}, "check-local" => "disable", "fix-root-scriptname" => "enable")))`,
  )
  return startAt(ports[0])
}

async function caddy(site: Site, at: Listening): Promise<Origin> {
  const home = site.makeFolder('home')
  const { ports } = await site.startServer(1, ([port]) => {
    const to = 'path' in at ? `unix/${at.path}` : `${at.host}:${at.port}`
    const config = site.write(
      'Caddyfile',
      `{
        admin off
        auto_https off
      }
      :${port} {
        bind 127.0.0.1
        reverse_proxy ${to} {
          transport fastcgi
        }
      }`,
    )
    const env = { HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home }
    return { file: required('caddy'), args: ['run', '--config', config, '--adapter', 'caddyfile'], env }
  })
  return startAt(ports[0])
}

async function haproxy(site: Site, at: Listening): Promise<Origin> {
  const { ports } = await site.startServer(1, ([port]) => {
    const config = site.write(
      'haproxy.cfg',
      `
global
  nbthread 1
  maxconn 1000
  log stderr format raw daemon

defaults
  mode http
  option http-no-delay
  timeout connect 5s
  timeout client 60s
  timeout server 60s

fcgi-app app
  docroot /srv
  no option keep-conn

listen front
  bind 127.0.0.1:${port}
  use-fcgi-app app
  server app ${'path' in at ? `unix@${at.path}` : `${at.host}:${at.port}`} proto fcgi
`,
    )
    return { file: required('haproxy'), args: ['-db', '-f', config] }
  })
  return startAt(ports[0])
}

/** The set-ups in which a reload must lose nothing. */
export const POOL_FRONTS: readonly PoolFront[] = (
  [
    ['nginx', nginx('', '')],
    ['nginx with kept connections', nginx('keepalive 16;', 'fastcgi_keep_conn on;')],
    ['Apache', apache],
    ['HAProxy', haproxy],
    ['lighttpd', lighttpd],
    ['Caddy', caddy],
  ] as const
).flatMap(([name, start]) => [
  { name: `${name} over TCP`, socket: 'tcp', start },
  { name: `${name} over a Unix socket`, socket: 'unix', start },
])

/** Each front server once, in turn over a Unix socket and TCP, for tests that must not take long. */
export const SOME_POOL_FRONTS: readonly PoolFront[] = POOL_FRONTS.filter(
  (_, index) => index % 4 === 1 || index % 4 === 2,
)
