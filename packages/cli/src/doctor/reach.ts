import { formatAddress, type SocketAddress } from '@fcgi-bridge/client'
import { type Denial, denialOf } from '../examine/socket-access.ts'
import { shellWord } from '../shell-word.ts'
import { type Finding, mend, mendFor, type ServerKind, withAlternative } from './finding.ts'
import type { Answer } from './front-client.ts'
import { findFront } from './front-process.ts'
import { kindOf } from './server-kind.ts'

/** The statuses by which front servers say that they do not get to the app, or get no answer. */
export function isGatewayError(status: number): boolean {
  return status === 502 || status === 503 || status === 504
}

/** Why a front server does not get to the app at an address: a socket it may not write to, else another address. */
export function unreached(url: URL, answer: Answer, server: ServerKind, address: SocketAddress): Finding {
  if (!('path' in address)) return elsewhere(answer, server, address)
  // Whoever is to connect to a Unix socket runs on this machine.
  const front = findFront(Number(url.port || (url.protocol === 'https:' ? 443 : 80)))
  const denial = front?.user && denialOf(address.path, front.user)
  if (denial !== undefined) return permission(answer, denial)
  return elsewhere(answer, server === 'other' ? kindOf(front?.name, true) : server, address)
}

function permission({ status }: Answer, denial: Denial): Finding {
  return {
    code: 'socket-permission',
    level: 'error',
    seen: `The front server answers ${status}. ${denial.seen}`,
    why: 'No request reaches the app.',
    mend: mend(
      'in a shell; for good, where the app makes its socket: fcgi-bridge serve --mode 660',
      denial.mend,
    ),
  }
}

function elsewhere({ status }: Answer, server: ServerKind, address: SocketAddress): Finding {
  const name = formatAddress(address)
  const isUnix = 'path' in address
  const backend = isUnix ? `unix:${name}|fcgi://app/` : `fcgi://${name}/`
  const apache = withAlternative(
    mend('in the virtual host', `ProxyPass "/" "${backend}" flushpackets=on`),
    'with an .htaccess alone, in it',
    `SetHandler "proxy:${backend}"`,
  )
  return {
    code: 'unreached',
    level: 'error',
    seen: `The front server answers ${status}, and nothing has come to ${name}.`,
    why: 'It does not get to the app: it may look for it at another address, or may not connect. Its error log says which.',
    mend: mendFor(server, {
      nginx: mend('in the location of the app', `fastcgi_pass ${isUnix ? `unix:${name}` : name};`),
      'apache-proxy': apache,
      'apache-fcgid': apache,
      lighttpd: mend(
        'in the fastcgi.server of the app',
        isUnix ? `"socket" => "${name}"` : `"host" => "${address.host}", "port" => ${address.port}`,
      ),
      caddy: mend(
        'in the site',
        `reverse_proxy ${isUnix ? `unix/${name}` : name} {`,
        '  transport fastcgi',
        '}',
      ),
      haproxy: mend('in the backend', `server app ${isUnix ? `unix@${name}` : name} proto fcgi`),
      h2o: mend(
        'at the path of the app',
        isUnix
          ? `fastcgi.connect: { port: ${name}, type: unix }`
          : `fastcgi.connect: { host: ${address.host}, port: ${address.port}, type: tcp }`,
      ),
      other: mend(`Let the front server connect to ${name}.`),
    }),
  }
}

/** Why an answer is not the app's, where the front server has one of its own. */
export function notPassedOn(url: URL, { status, headers }: Answer): Finding {
  const seen = `The front server answers ${url.pathname} itself, with ${status}`
  const finding = { code: 'not-passed-on', level: 'error' as const, why: 'No request reaches the app.' }
  if (status === 401) {
    return { ...finding, seen: `${seen}.`, mend: mend("Say who you are: -H 'Authorization: Basic …'") }
  }
  const { location } = headers
  if (status >= 300 && status < 400 && location !== undefined && URL.canParse(location, url.href)) {
    const to = new URL(location, url).href
    return {
      ...finding,
      seen: `${seen} to ${to}.`,
      mend: mend(`Examine that: fcgi-bridge doctor ${shellWord(to)}`),
    }
  }
  return {
    ...finding,
    seen: `${seen}.`,
    mend: mend(
      'Look for the location, ProxyPass, ScriptAlias, path or route of the app: this URL does not match it, or another app answers.',
    ),
  }
}

/** Requests come to the app without their headers. */
export function headersLost(server: ServerKind): Finding {
  return {
    code: 'headers-lost',
    level: 'error',
    seen: 'Requests reach the app without their headers.',
    why: 'No cookies, no logins, no content types: the app can do little with them.',
    mend: mendFor(server, {
      nginx: mend('in the location of the app', 'fastcgi_pass_request_headers on;'),
      other: mend('Let the front server hand on the headers of requests.'),
    }),
  }
}

/** The probe answers another doctor. */
export function wrongToken(): Finding {
  return {
    code: 'wrong-token',
    level: 'error',
    seen: 'The probe answers, and does not know the token.',
    why: 'It tells what it was sent to nobody else.',
    mend: mend(
      'Give both the same --token. If they have it, the front server drops the headers of requests.',
    ),
  }
}

/** What comes is no request. */
export function refused(why: string): Finding {
  return {
    code: 'refused',
    level: 'error',
    seen: `What the front server sends is no request: ${why}`,
    why: 'An app served by fcgi-bridge answers 400 to it.',
    mend: mend('Let the front server send what the client sent.'),
  }
}
