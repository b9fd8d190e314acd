import { formatAddress, type SocketAddress } from '@fcgi-bridge/client'
import { type Denial, denialOf } from '../examine/socket-access.ts'
import { shellWord } from '../shell-word.ts'
import { type Finding, fix, fixFor, type ServerKind, withAlternative } from './finding.ts'
import type { FrontResponse } from './front-client.ts'
import { findFrontProcess } from './front-process.ts'
import { kindOf } from './server-kind.ts'

// Findings about a front server whose requests do not reach the probe, or reach it without the token.

/** Whether front servers respond with this status if they cannot connect to the app, or get no response from it. */
export function isGatewayError(status: number): boolean {
  return status === 502 || status === 503 || status === 504
}

/** Finds out why a front server does not reach the app at an address: it may not write to the socket, or uses another address. */
export function appNotReached(
  url: URL,
  response: FrontResponse,
  server: ServerKind,
  address: SocketAddress,
): Finding {
  if (!('path' in address)) return wrongAddress(response, server, address)
  // A front server that connects to a Unix socket runs on this machine.
  const front = findFrontProcess(Number(url.port || (url.protocol === 'https:' ? 443 : 80)))
  const denial = front?.user && denialOf(address.path, front.user)
  if (denial !== undefined) return socketPermission(response, denial)
  return wrongAddress(response, server === 'other' ? kindOf(front?.name, true) : server, address)
}

function socketPermission({ status }: FrontResponse, denial: Denial): Finding {
  return {
    code: 'socket-permission',
    level: 'error',
    problem: `The front server responds with ${status}. ${denial.reason}`,
    why: 'No request reaches the app.',
    fix: fix(
      'in a shell; to fix it permanently, set the mode when the app creates its socket: fcgi-bridge serve --mode 660',
      denial.fix,
    ),
  }
}

function wrongAddress({ status }: FrontResponse, server: ServerKind, address: SocketAddress): Finding {
  const name = formatAddress(address)
  const isUnix = 'path' in address
  const backend = isUnix ? `unix:${name}|fcgi://app/` : `fcgi://${name}/`
  const apache = withAlternative(
    fix('in the virtual host', `ProxyPass "/" "${backend}" flushpackets=on`),
    'if you can change an .htaccess only, in it',
    `SetHandler "proxy:${backend}"`,
  )
  return {
    code: 'unreached',
    level: 'error',
    problem: `The front server responds with ${status}, and sent no request to ${name}.`,
    why: 'It does not reach the app: it may use another address, or lack the permission to connect. Its error log says which.',
    fix: fixFor(server, {
      nginx: fix('in the location of the app', `fastcgi_pass ${isUnix ? `unix:${name}` : name};`),
      'apache-proxy': apache,
      'apache-fcgid': apache,
      lighttpd: fix(
        'in the fastcgi.server of the app',
        isUnix ? `"socket" => "${name}"` : `"host" => "${address.host}", "port" => ${address.port}`,
      ),
      caddy: fix(
        'in the site',
        `reverse_proxy ${isUnix ? `unix/${name}` : name} {`,
        '  transport fastcgi',
        '}',
      ),
      haproxy: fix('in the backend', `server app ${isUnix ? `unix@${name}` : name} proto fcgi`),
      h2o: fix(
        'at the path of the app',
        isUnix
          ? `fastcgi.connect: { port: ${name}, type: unix }`
          : `fastcgi.connect: { host: ${address.host}, port: ${address.port}, type: tcp }`,
      ),
      other: fix(`Configure the front server to connect to ${name}.`),
    }),
  }
}

/** The finding that the front server responds itself and does not forward the request. */
export function notPassedOn(
  url: URL,
  { status, headers }: FrontResponse,
  server: ServerKind = 'other',
): Finding {
  const problem = `The front server responds with ${status} to ${url.pathname}, and does not forward the request`
  const finding = { code: 'not-passed-on', level: 'error' as const, why: 'No request reaches the app.' }
  if (status === 401) {
    return { ...finding, problem: `${problem}.`, fix: fix("Send credentials: -H 'Authorization: Basic …'") }
  }
  const { location } = headers
  if (status >= 300 && status < 400 && location !== undefined && URL.canParse(location, url.href)) {
    const to = new URL(location, url).href
    return {
      ...finding,
      problem: `${problem}. It redirects to ${to}.`,
      fix: fix(`Examine that URL: fcgi-bridge doctor ${shellWord(to)}`),
    }
  }
  const check = fix(
    'Check the location, ProxyPass, ScriptAlias, path or route of the app: this URL does not match it, or another app responds.',
  )
  return {
    ...finding,
    problem: `${problem}.`,
    fix: fixFor(server, {
      // mod_fcgid keeps the processes of a program that was edited in place. Those of `init htaccess` end within a second.
      'apache-fcgid': withAlternative(
        check,
        'if the program was changed, its old processes may still respond: try again after two seconds, or end them',
        'pkill -u "$USER" -f app.fcgi',
      ),
      other: check,
    }),
  }
}

/** The finding that requests reach the app without their headers. */
export function headersLost(server: ServerKind): Finding {
  return {
    code: 'headers-lost',
    level: 'error',
    problem: 'Requests reach the app without their headers.',
    why: 'Cookies, logins and content types do not work.',
    fix: fixFor(server, {
      nginx: fix('in the location of the app', 'fastcgi_pass_request_headers on;'),
      other: fix('Configure the front server to pass on the request headers.'),
    }),
  }
}

/** The finding that the probe was started with another token. */
export function wrongToken(): Finding {
  return {
    code: 'wrong-token',
    level: 'error',
    problem: 'The probe responds, but rejects the token.',
    why: 'Only a doctor with the same token learns what the probe received.',
    fix: fix(
      'Give the probe and the doctor the same --token. If they have it, the front server drops the request headers.',
    ),
  }
}

/** The finding that the front server sends invalid requests. `why` is the error. */
export function refused(why: string): Finding {
  return {
    code: 'refused',
    level: 'error',
    problem: `The front server sends an invalid request: ${why}`,
    why: 'fcgi-bridge responds with a 400, and does not call the app.',
    fix: fix('Configure the front server to send the request as the client sent it.'),
  }
}
