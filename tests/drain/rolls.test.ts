// One worker after the other serves a socket that the test holds, under load: the new one listens before the old one gets SIGTERM.
import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startApache } from '../support/fronts/apache.ts'
import type { Origin } from '../support/fronts/front.ts'
import { startLighttpd } from '../support/fronts/lighttpd.ts'
import { startNginxBefore } from '../support/fronts/nginx.ts'
import type { Listening } from '../support/fronts/ports.ts'
import { required } from '../support/fronts/programs.ts'
import { listeningOf, type Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'
import { HeldSocket } from '../support/held-socket.ts'
import { OpenLoop } from '../support/open-loop.ts'

/** `FCGI_BRIDGE_ROLLS=20 npx vitest run tests/drain/rolls` measures for longer, and with more requests per second. */
const asked = process.env.FCGI_BRIDGE_ROLLS
const ROLLS = Number(asked ?? 3)
const RATE = asked === undefined ? 100 : 200

/** Requests at a time. */
const MOST = 40

/** Milliseconds. */
const TIMEOUT = 30_000 + ROLLS * 15_000

let site: Site

siteForEachTest(
  (each) => {
    site = each
  },
  (each) => each.kill(),
)

type Start = (at: Listening) => Promise<number>

function nginx(at: Listening, ...directives: string[]): Promise<number> {
  return startNginxBefore(site, at, ...directives)
}

async function apache(at: Listening, options: string): Promise<number> {
  const url = 'path' in at ? `unix:${at.path}|fcgi://app/` : `fcgi://${at.host}:${at.port}/`
  const hosts = [`ProxyPass "/" "${url}" ${options}`]
  const { ports } = await startApache(site, { modules: ['proxy', 'proxy_fcgi'], hosts })
  return ports[0]!
}

async function haproxy(at: Listening, options: string): Promise<number> {
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
  timeout connect 5s
  timeout client 60s
  timeout server 60s
fcgi-app app
  docroot /srv
${options}
listen front
  bind 127.0.0.1:${port}
  use-fcgi-app app
  server app ${'path' in at ? `unix@${at.path}` : `${at.host}:${at.port}`} proto fcgi
`,
    )
    return { file: required('haproxy'), args: ['-db', '-f', config] }
  })
  return ports[0]!
}

async function lighttpd(at: Listening): Promise<number> {
  const address = 'path' in at ? `"socket" => "${at.path}"` : `"host" => "${at.host}", "port" => ${at.port}`
  const [port] = await startLighttpd(
    site,
    1,
    () => `
      server.modules = ("mod_fastcgi")
      fastcgi.server = ("/" => ((${address}, "check-local" => "disable")))`,
  )
  return port!
}

async function caddy(at: Listening): Promise<number> {
  const { ports } = await site.startServer(1, ([port]) => {
    const config = site.write(
      'Caddyfile',
      `{
  admin off
  auto_https off
}
:${port} {
  bind 127.0.0.1
  reverse_proxy ${'path' in at ? `unix/${at.path}` : `${at.host}:${at.port}`} {
    transport fastcgi
  }
}
`,
    )
    const home = site.makeFolder('home')
    const env = { HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home }
    return { file: required('caddy'), args: ['run', '--config', config, '--adapter', 'caddyfile'], env }
  })
  return ports[0]!
}

const BUSY_REUSE = 'Apache mod_proxy_fcgi with enablereuse'

const KEPT = ['fastcgi_keep_conn on;', 'keepalive 16;'] as const

const FRONTS: [name: string, transport: 'tcp' | 'unix', start: Start][] = [
  ['nginx with kept connections', 'tcp', (at) => nginx(at, ...KEPT)],
  ['nginx with kept connections', 'unix', (at) => nginx(at, ...KEPT)],
  [
    'nginx with kept connections, unbuffered',
    'unix',
    (at) => nginx(at, `${KEPT[0]} fastcgi_buffering off;`, KEPT[1]),
  ],
  ['nginx', 'tcp', (at) => nginx(at)],
  ['Apache mod_proxy_fcgi', 'unix', (at) => apache(at, '')],
  [BUSY_REUSE, 'tcp', (at) => apache(at, 'enablereuse=on')],
  ['HAProxy with kept connections', 'tcp', (at) => haproxy(at, '')],
  ['HAProxy without kept connections', 'unix', (at) => haproxy(at, '  no option keep-conn')],
  ['lighttpd', 'tcp', lighttpd],
  ['Caddy', 'unix', caddy],
]

test.each(FRONTS)('%s, %s: no request is lost', { timeout: TIMEOUT }, async (name, transport, startFront) => {
  const held = await HeldSocket.open(site, transport)
  let worker = held.start()
  await listeningOf(worker)
  const origin: Origin = { host: '127.0.0.1', port: await startFront(held.at) }
  // A machine that is too busy for the rate would otherwise fill the socket's queue, which has nothing to do with restarts.
  const load = new OpenLoop(origin, '/?wait=10', RATE, MOST)
  const drained: number[] = []
  for (let roll = 0; roll < ROLLS; roll++) {
    const next = held.start()
    await listeningOf(next)
    await setTimeout(300)
    const began = performance.now()
    expect(await worker.stop()).toEqual({ code: 0, signal: null })
    drained.push(Math.round(performance.now() - began))
    worker = next
  }
  const outcome = await load.stop()
  if (asked !== undefined) console.log(name, transport, outcome, drained)
  // Its connections are never quiet, and a request may be in transit when one is closed: see docs/reload.md.
  const isBusy = name === BUSY_REUSE
  expect(outcome.failed.length).toBeLessThanOrEqual(isBusy ? outcome.requests / 200 : 0)
  held.close()
})
