import { readFileSync } from 'node:fs'
import { makeCertificate } from '../support/fronts/certificate.ts'
import { required } from '../support/fronts/programs.ts'
import type { Site } from '../support/fronts/site.ts'
import { type Config, type Fault, type FrontSetup, testFaults } from './faults.ts'
import { apacheProxy } from './setups/apache-proxy.ts'
import { caddy } from './setups/caddy.ts'
import { h2o } from './setups/h2o.ts'
import { haproxy } from './setups/haproxy.ts'
import { lighttpd } from './setups/lighttpd.ts'
import { nginx, nginxWithTls } from './setups/nginx.ts'

// A front server that gets its requests from a proxy that terminates TLS. Only headers from the proxy can tell the front server the
// client's address, and that the client used HTTPS.
const both = (place: Fault['place']): Fault => ({
  name: 'REMOTE_ADDR is the address of the proxy, and HTTPS is lost',
  codes: ['https', 'remote-addr'],
  without: OF_THE_PROXY,
  ...(place !== undefined && { place }),
})

const OF_THE_PROXY = /HTTPS|X.Forwarded|RemoteIP|real_ip|extforward/i

testFaults(
  behindProxy(nginx, {
    http: ['map $http_x_forwarded_proto $app_https { https on; }'],
    server: ['set_real_ip_from 127.0.0.1;', 'real_ip_header X-Forwarded-For;'],
    location: ['fastcgi_param HTTPS $app_https if_not_empty;', 'fastcgi_param HTTP_HOST $http_host;'],
  }),
  [both(['http', 'location', 'server', 'server'])],
)

testFaults(
  behindProxy(apacheProxy, {
    host: [
      'SetEnvIf X-Forwarded-Proto "^https$" HTTPS=on',
      'RemoteIPHeader X-Forwarded-For',
      'RemoteIPInternalProxy 127.0.0.1',
    ],
  }),
  [both('host')],
)

testFaults(
  behindProxy(lighttpd, {
    server: ['server.modules += ( "mod_extforward" )', 'extforward.forwarder = ( "127.0.0.1" => "trust" )'],
  }),
  [both(['server', 'server', 'server', 'server'])],
)

testFaults(
  behindProxy(haproxy, {
    app: ['set-param HTTPS on if { req.hdr(x-forwarded-proto) https }'],
    front: ['http-request set-src hdr(x-forwarded-for) if { src 127.0.0.1 }'],
  }),
  [both(['app', 'front'])],
)

// These two have no setting for the client's address, so the app must trust the proxy.
for (const [setup, more, place] of [
  [caddy, { transport: ['env HTTPS on'] }, 'transport'],
  [h2o, { path: ['setenv: { HTTPS: "on" }'] }, 'path'],
] as const) {
  const always = [...(setup.always ?? []), 'remote-addr']
  testFaults({ ...behindProxy(setup, more), always }, [
    { name: 'HTTPS is lost', codes: ['https'], without: OF_THE_PROXY, place },
  ])
}

testFaults(nginxWithTls, [
  {
    name: 'HTTPS is missing',
    codes: ['https'],
    without: /HTTPS|REQUEST_SCHEME/,
    place: 'location',
  },
])

function behindProxy(setup: FrontSetup, more: Config): FrontSetup {
  const { healthy } = setup
  const places = Object.keys({ ...healthy, ...more })
  // Behind the proxy, the healthy config's own lines for HTTPS and HTTP_HOST would be wrong.
  const own = (place: string) => (healthy[place] ?? []).filter((line) => !/ (HTTPS|HTTP_HOST) /.test(line))
  return {
    ...setup,
    name: `${setup.name}, behind a proxy`,
    healthy: Object.fromEntries(places.map((place) => [place, [...own(place), ...(more[place] ?? [])]])),
    async start(site, config) {
      const { origin, args } = await setup.start(site, config)
      return { origin: await startProxy(site, origin), args: [...args, '--insecure'] }
    },
  }
}

async function startProxy(site: Site, origin: string): Promise<string> {
  const { cert, key } = makeCertificate(site)
  const pem = site.write('proxy.pem', readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'))
  const { ports } = await site.startServer(1, ([port]) => {
    const config = site.write(
      'proxy.cfg',
      `
global
  maxconn 1000
defaults
  mode http
  option http-no-delay
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen proxy
  bind 127.0.0.1:${port} ssl crt ${pem}
  option forwardfor
  http-request set-header X-Forwarded-Proto https
  server front ${new URL(origin).host}
`,
    )
    return { file: required('haproxy'), args: ['-db', '-f', config] }
  })
  return `https://127.0.0.1:${ports[0]}`
}
