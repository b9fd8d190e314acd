import type { Examination } from '../examination.ts'
import { type Finding, mend, mendFor } from '../finding.ts'

/** Whether request headers reach the app, and those do not that should not. */
export async function checkHeaders(examination: Examination): Promise<Finding[]> {
  return [authorization, host, underscores, proxy].flatMap((check) => check(examination) ?? [])
}

function authorization({ plain, authorization, server }: Examination): Finding | undefined {
  if (plain.params.get('HTTP_AUTHORIZATION') === authorization) return undefined
  return {
    code: 'authorization',
    level: 'error',
    seen: 'The app is not told the Authorization header.',
    why: 'Nobody can log in with Basic or Bearer: the app sees every request without it.',
    mend: mendFor(server, {
      'apache-proxy': mend('in the <Location> or <Directory> of the app, or its .htaccess', 'CGIPassAuth On'),
      'apache-fcgid': mend('in the <Directory> or <Location> of the app, or its .htaccess', 'CGIPassAuth On'),
      haproxy: mend('in the fcgi-app', 'pass-header Authorization'),
      nginx: mend(
        'in the location of the app, and no other line of HTTP_AUTHORIZATION',
        'fastcgi_param HTTP_AUTHORIZATION $http_authorization;',
      ),
      other: mend('Let the front server hand on the Authorization header.'),
    }),
  }
}

function host({ url, plain, server }: Examination): Finding | undefined {
  const sent = plain.params.get('HTTP_HOST')
  if (sent?.toLowerCase() === url.host) return undefined
  const isPortLost = sent?.toLowerCase() === url.hostname
  return {
    code: isPortLost ? 'host-port' : 'host',
    level: isPortLost ? 'warning' : 'error',
    seen: `The app is told the host ${sent === undefined ? 'not at all' : `'${sent}'`}, where the client sent '${url.host}'.`,
    why: 'Redirects and links with a host in them lead somewhere else, and checks of the origin of a request fail.',
    mend: mendFor(server, {
      nginx: mend(
        'in the location of the app, in place of the line of HTTP_HOST in fastcgi_params',
        isPortLost ? 'fastcgi_param HTTP_HOST $host:$server_port;' : 'fastcgi_param HTTP_HOST $host;',
      ),
      other: mend('Let the front server, and every proxy before it, hand on the Host header as it is.'),
    }),
  }
}

// X_Forwarded_For and X-Forwarded-For are the same variable: whoever can send one can claim the other.
function underscores({ plain, server }: Examination): Finding | undefined {
  if (!plain.params.has('HTTP_X_DOCTOR') || server !== 'nginx') return undefined
  return {
    code: 'underscores',
    level: 'warning',
    seen: 'Headers with underscores in their names reach the app.',
    why: 'X_Real_IP comes out as the same variable as X-Real-IP: a client can claim what only a proxy may say.',
    mend: mend('in the server, or in http', 'underscores_in_headers off;'),
  }
}

// It comes out as HTTP_PROXY, which many HTTP clients take for their proxy: https://httpoxy.org
function proxy({ plain, server }: Examination): Finding | undefined {
  if (!plain.params.get('HTTP_PROXY')) return undefined
  return {
    code: 'httpoxy',
    level: 'note',
    seen: 'The Proxy header reaches the app as HTTP_PROXY.',
    why: 'Programs that the app starts, with the params as their environment, take it for their proxy. Apps served by fcgi-bridge never see it as a header.',
    mend: mendFor(server, {
      nginx: mend('in the location of the app', 'fastcgi_param HTTP_PROXY "";'),
      caddy: mend('beside the reverse_proxy of the app', 'request_header -Proxy'),
      other: mend('Let the front server drop the Proxy header.'),
    }),
  }
}
