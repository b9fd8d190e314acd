import type { Examination } from '../examination.ts'
import { type Finding, fix, fixFor } from '../finding.ts'

/** Checks whether Authorization and Host reach the app, and whether unsafe request headers are dropped. */
export async function checkHeaders(examination: Examination): Promise<Finding[]> {
  return [authorization, host, underscores, proxy].flatMap((check) => check(examination) ?? [])
}

function authorization({ plain, authorization, server }: Examination): Finding | undefined {
  if (plain.params.get('HTTP_AUTHORIZATION') === authorization) return undefined
  return {
    code: 'authorization',
    level: 'error',
    problem: 'The Authorization header does not reach the app.',
    why: 'Logging in with Basic or Bearer authentication fails.',
    fix: fixFor(server, {
      'apache-proxy': fix('in the <Location> or <Directory> of the app, or its .htaccess', 'CGIPassAuth On'),
      'apache-fcgid': fix('in the <Directory> or <Location> of the app, or its .htaccess', 'CGIPassAuth On'),
      haproxy: fix('in the fcgi-app', 'pass-header Authorization'),
      nginx: fix(
        'in the location of the app, in place of any other line with HTTP_AUTHORIZATION',
        'fastcgi_param HTTP_AUTHORIZATION $http_authorization;',
      ),
      other: fix('Configure the front server to pass on the Authorization header.'),
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
    problem: `The client sent the host '${url.host}', and the app received ${sent === undefined ? 'none' : `'${sent}'`}.`,
    why: 'Absolute redirects and links point to the wrong place, and checks of the Origin header fail.',
    fix: fixFor(server, {
      nginx: fix(
        'in the location of the app, in place of the line with HTTP_HOST in fastcgi_params',
        isPortLost ? 'fastcgi_param HTTP_HOST $host:$server_port;' : 'fastcgi_param HTTP_HOST $host;',
      ),
      other: fix(
        'Configure the front server, and every proxy before it, to pass on the Host header unchanged.',
      ),
    }),
  }
}

// X_Forwarded_For and X-Forwarded-For become the same variable, so a client that can send the first can forge the second.
function underscores({ plain, server }: Examination): Finding | undefined {
  if (!plain.params.has('HTTP_X_DOCTOR') || server !== 'nginx') return undefined
  return {
    code: 'underscores',
    level: 'warning',
    problem: 'Request headers with underscores in their names reach the app.',
    why: 'X_Real_IP and X-Real-IP become the same variable, so a client can forge a header that only a proxy should set.',
    fix: fix('in the server, or in http', 'underscores_in_headers off;'),
  }
}

// The header becomes the variable HTTP_PROXY, from which many HTTP clients read their proxy: https://httpoxy.org
function proxy({ plain, server }: Examination): Finding | undefined {
  if (!plain.params.get('HTTP_PROXY')) return undefined
  return {
    code: 'httpoxy',
    level: 'note',
    problem: 'The Proxy header reaches the app as HTTP_PROXY.',
    why: 'Programs that the app starts with the params as their environment use this value as their proxy. fcgi-bridge does not pass the Proxy header to apps.',
    fix: fixFor(server, {
      nginx: fix('in the location of the app', 'fastcgi_param HTTP_PROXY "";'),
      caddy: fix('next to the reverse_proxy of the app', 'request_header -Proxy'),
      h2o: fix(
        'H2O cannot drop the header. An app that is not served by fcgi-bridge must ignore HTTP_PROXY.',
      ),
      other: fix('Configure the front server to drop the Proxy header.'),
    }),
  }
}
