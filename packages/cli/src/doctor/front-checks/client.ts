import type { Examination } from '../examination.ts'
import { type Finding, fix, fixFor, notInHtaccess } from '../finding.ts'

// A loopback address that a proxy on this machine does not connect from.
const OTHER_LOOPBACK = '127.0.0.2'

/** Checks whether the front server tells the app that the client used HTTPS, and the client's own address. */
export async function checkClient(examination: Examination): Promise<Finding[]> {
  const { send, plain } = examination
  const { from } = plain.response
  // A proxy on this machine connects from 127.0.0.1. If the doctor does too, REMOTE_ADDR does not tell the two apart.
  const other =
    from === '127.0.0.1'
      ? await send({ path: '/doctor/client', from: OTHER_LOOPBACK }).catch(() => undefined)
      : undefined
  const { params, response } = other?.echo === undefined ? plain : other
  return [https(examination, params) ?? [], address(examination, params, response.from) ?? []].flat()
}

type Params = Examination['plain']['params']

function https({ url, server }: Examination, params: Params): Finding | undefined {
  if (url.protocol !== 'https:') return undefined
  if (/^(on|1)$/i.test(params.get('HTTPS') ?? '') || params.get('REQUEST_SCHEME') === 'https')
    return undefined
  const proxied = params.get('REQUEST_SCHEME') === 'http' || params.has('HTTP_X_FORWARDED_PROTO')
  const sends =
    'the proxy before it must send X-Forwarded-Proto, and clients must not be able to bypass that proxy'
  const apache = fix(
    `in the virtual host, or an .htaccess; ${sends}`,
    'SetEnvIf X-Forwarded-Proto "^https$" HTTPS=on',
  )
  return {
    code: 'https',
    level: 'error',
    problem: 'The client used HTTPS, but the front server tells the app that it used HTTP.',
    why: 'Redirects and links point to http URLs, secure cookies are not set, and req.secure is false.',
    fix: fixFor(server, {
      nginx: proxied
        ? fix(
            `the first line in http, the second in the location of the app; ${sends}`,
            'map $http_x_forwarded_proto $app_https { https on; }',
            'fastcgi_param HTTPS $app_https if_not_empty;',
          )
        : fix('in the location of the app', 'fastcgi_param HTTPS $https if_not_empty;'),
      'apache-proxy': apache,
      'apache-fcgid': apache,
      lighttpd: fix(
        sends,
        'server.modules += ( "mod_extforward" )',
        `extforward.forwarder = ( "${params.get('REMOTE_ADDR')}" => "trust" )`,
      ),
      caddy: fix(`in \`transport fastcgi\`; ${sends}`, 'env HTTPS on'),
      haproxy: fix(`in the fcgi-app; ${sends}`, 'set-param HTTPS on if { req.hdr(x-forwarded-proto) https }'),
      h2o: fix('at the path of the app, if all of its clients use HTTPS', 'setenv: { HTTPS: "on" }'),
      other: fix('Configure the front server to send HTTPS=on for these requests.'),
    }),
  }
}

function address({ server }: Examination, params: Params, from: string | undefined): Finding | undefined {
  const reported = params.get('REMOTE_ADDR')
  if (reported === undefined || from === undefined || reported === from) return undefined
  // On the way to a remote server, NAT may change the address. It is a fault only if X-Forwarded-For has the client's own address.
  const forwarded = params.get('HTTP_X_FORWARDED_FOR')?.split(',') ?? []
  const isForwarded = forwarded.some((one) => one.trim() === from)
  return from === OTHER_LOOPBACK || isForwarded ? proxyAddress(reported, from, server) : undefined
}

function proxyAddress(proxy: string, client: string, server: Examination['server']): Finding {
  const sends = 'the proxy before it must send X-Forwarded-For'
  const trustProxy = `app.set('trust proxy', '${proxy}')`
  const apache = notInHtaccess(
    fix(
      `in the virtual host, with mod_remoteip; ${sends}`,
      'RemoteIPHeader X-Forwarded-For',
      `RemoteIPInternalProxy ${proxy}`,
    ),
    'in an Express app',
    trustProxy,
  )
  return {
    code: 'remote-addr',
    level: 'warning',
    problem: `REMOTE_ADDR is ${proxy}, the address of a proxy. The client's address is ${client}.`,
    why: 'The app sees the same address for all clients, in req.ip, rate limits and logs.',
    fix: fixFor(server, {
      nginx: fix(`in the server; ${sends}`, `set_real_ip_from ${proxy};`, 'real_ip_header X-Forwarded-For;'),
      'apache-proxy': apache,
      'apache-fcgid': apache,
      lighttpd: fix(
        sends,
        'server.modules += ( "mod_extforward" )',
        `extforward.forwarder = ( "${proxy}" => "trust" )`,
      ),
      haproxy: fix(
        `in the frontend; ${sends}`,
        `http-request set-src hdr(x-forwarded-for) if { src ${proxy} }`,
      ),
      other: fix(
        `if the front server has a setting for trusted proxies, trust ${proxy} only; otherwise, in an Express app`,
        trustProxy,
      ),
    }),
  }
}
