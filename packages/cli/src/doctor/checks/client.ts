import type { Examination } from '../examination.ts'
import { type Finding, mend, mendFor, notInHtaccess } from '../finding.ts'

// Another address of this machine than a proxy on it uses.
const OTHER_LOOPBACK = '127.0.0.2'

/** Whether the app is told who its client is and how it came: HTTPS, and the client's own address. */
export async function checkClient(examination: Examination): Promise<Finding[]> {
  const { ask, plain } = examination
  const { from } = plain.answer
  // From the address that a proxy on this machine has, no server could tell the doctor from the proxy.
  const other =
    from === '127.0.0.1'
      ? await ask({ path: '/doctor/client', from: OTHER_LOOPBACK }).catch(() => undefined)
      : undefined
  const { params, answer } = other?.echo === undefined ? plain : other
  return [https(examination, params) ?? [], address(examination, params, answer.from) ?? []].flat()
}

type Params = Examination['plain']['params']

function https({ url, server }: Examination, params: Params): Finding | undefined {
  if (url.protocol !== 'https:') return undefined
  if (/^(on|1)$/i.test(params.get('HTTPS') ?? '') || params.get('REQUEST_SCHEME') === 'https')
    return undefined
  const proxied = params.get('REQUEST_SCHEME') === 'http' || params.has('HTTP_X_FORWARDED_PROTO')
  const sends = 'the proxy before it has to send X-Forwarded-Proto, and has to be the only way to it'
  const apache = mend(
    `in the virtual host, or an .htaccess; ${sends}`,
    'SetEnvIf X-Forwarded-Proto "^https$" HTTPS=on',
  )
  return {
    code: 'https',
    level: 'error',
    seen: 'The client came over HTTPS, and the app is told that it did not.',
    why: 'Redirects and links lead to http, cookies marked as secure are not set, and req.secure is false.',
    mend: mendFor(server, {
      nginx: proxied
        ? mend(
            `the first line in http, the second in the location of the app; ${sends}`,
            'map $http_x_forwarded_proto $app_https { https on; }',
            'fastcgi_param HTTPS $app_https if_not_empty;',
          )
        : mend('in the location of the app', 'fastcgi_param HTTPS $https if_not_empty;'),
      'apache-proxy': apache,
      'apache-fcgid': apache,
      lighttpd: mend(
        sends,
        'server.modules += ( "mod_extforward" )',
        `extforward.forwarder = ( "${params.get('REMOTE_ADDR')}" => "trust" )`,
      ),
      caddy: mend(`in \`transport fastcgi\`; ${sends}`, 'env HTTPS on'),
      haproxy: mend(
        `in the fcgi-app; ${sends}`,
        'set-param HTTPS on if { req.hdr(x-forwarded-proto) https }',
      ),
      h2o: mend('at the path of the app, if all of its clients come over HTTPS', 'setenv: { HTTPS: "on" }'),
      other: mend('Let the front server send HTTPS=on for these requests.'),
    }),
  }
}

function address({ server }: Examination, params: Params, from: string | undefined): Finding | undefined {
  const told = params.get('REMOTE_ADDR')
  if (told === undefined || from === undefined || told === from) return undefined
  // What is between here and a server far away may change it with good reason, but not if a proxy tells the true one.
  const forwarded = params.get('HTTP_X_FORWARDED_FOR')?.split(',') ?? []
  const tellsTrueOne = forwarded.some((one) => one.trim() === from)
  return from === OTHER_LOOPBACK || tellsTrueOne ? proxyAddress(told, from, server) : undefined
}

function proxyAddress(told: string, truth: string, server: Examination['server']): Finding {
  const sends = 'the proxy before it has to send X-Forwarded-For'
  const trustProxy = `app.set('trust proxy', '${told}')`
  const apache = notInHtaccess(
    mend(
      `in the virtual host, with mod_remoteip; ${sends}`,
      'RemoteIPHeader X-Forwarded-For',
      `RemoteIPInternalProxy ${told}`,
    ),
    'in an Express app',
    trustProxy,
  )
  return {
    code: 'remote-addr',
    level: 'warning',
    seen: `REMOTE_ADDR is ${told}, the address of a proxy; the client has ${truth}.`,
    why: 'To the app all clients are one: req.ip, limits by address and logs are of no use.',
    mend: mendFor(server, {
      nginx: mend(`in the server; ${sends}`, `set_real_ip_from ${told};`, 'real_ip_header X-Forwarded-For;'),
      'apache-proxy': apache,
      'apache-fcgid': apache,
      lighttpd: mend(
        sends,
        'server.modules += ( "mod_extforward" )',
        `extforward.forwarder = ( "${told}" => "trust" )`,
      ),
      haproxy: mend(
        `in the frontend; ${sends}`,
        `http-request set-src hdr(x-forwarded-for) if { src ${told} }`,
      ),
      other: mend(
        `where the server has a setting for it, of ${told} alone; else in an Express app`,
        trustProxy,
      ),
    }),
  }
}
