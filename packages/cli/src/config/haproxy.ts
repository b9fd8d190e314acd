import { formatAddress } from '@fcgi-bridge/client/address'
import { haproxyWord } from './quote.ts'
import { type HostAndPort, httpsOrigin, type Site, serveWords, type Tls, wrong } from './site.ts'
import { APP_SILENCE, type Config, header, runsByItself } from './target.ts'
import { indent, lines, pattern } from './text.ts'

/** Sections for HAProxy's config: a frontend, its backend, and the FastCGI app. */
export function haproxy(site: Site): Config {
  const path = '/etc/haproxy/haproxy.cfg'
  const check = `haproxy -c -f ${path}`
  const reload = 'systemctl reload haproxy'
  const { name, tls } = site
  const text = lines(
    header(
      `HAProxy for ${site.serverName}`,
      `Add this to the end of ${path}. Then:\n  ${check} && ${reload}`,
      runsByItself(site),
    ),
    '',
    tls &&
      section(
        `frontend ${name}-http`,
        lines(
          ...binds(tls.redirectFrom, ''),
          TIMES,
          '# 308 keeps the method; 301 makes a GET of a POST.',
          `http-request redirect prefix ${httpsOrigin(site)} code 308`,
        ),
      ),
    section(`frontend ${name}`, frontend(site)),
    section(`backend ${name}`, backend(site)),
    section(`fcgi-app ${name}`, app(site)),
  )
  return { files: [{ path, text }], check, reload, app: serveWords(site) }
}

const TIMES = lines(
  'mode http',
  'timeout client 60s',
  '# How long a client may take for its request’s head.',
  'timeout http-request 15s',
)

function section(head: string, body: string): string {
  return `${head}\n${indent(body)}\n`
}

function frontend({ name, listen, tls, mount, maxBody, buffer }: Site): string {
  return lines(
    ...binds(listen, tls ? ` ssl crt ${haproxyWord(pem(tls))} ssl-min-ver TLSv1.2` : ''),
    TIMES,
    !buffer && '# Hand on what the app sends at once: server-sent events need it.',
    !buffer && 'option http-no-delay',
    '# The largest request body, in bytes. One that does not tell its length is a 400 when it does not fit a buffer (16 KiB).',
    `http-request deny deny_status 413 if { req.hdr(content-length) -m int gt ${maxBody} }`,
    mount !== '' && `http-request deny deny_status 404 unless { path ${mount} } or { path_beg ${mount}/ }`,
    `default_backend ${name}`,
  )
}

function backend({ name, address, buffer }: Site): string {
  return lines(
    'mode http',
    !buffer && 'option http-no-delay',
    'timeout connect 5s',
    '# How long the app may stay silent in a request.',
    `timeout server ${APP_SILENCE}s`,
    `use-fcgi-app ${name}`,
    `server app ${'path' in address ? `unix@${address.path}` : formatAddress(address)} proto fcgi`,
  )
}

function app({ mount }: Site): string {
  return lines(
    '# It has to be said, and nothing is read there.',
    'docroot /nonexistent',
    mount !== '' && `path-info ^(${pattern(mount)})(/.*)?$`,
    'log-stderr global',
    '# HAProxy keeps the Authorization header to itself unless told otherwise. Mind that REMOTE_USER is then what the',
    '# client claims there: nobody has checked it.',
    'pass-header Authorization',
  )
}

function binds({ host, port }: HostAndPort, options: string): string[] {
  return (host === undefined ? [`:${port}`, `[::]:${port} v6only`] : [formatAddress({ host, port })]).map(
    (at) => `bind ${at}${options}`,
  )
}

// HAProxy 2.x looks for the key in the certificate's file, then in the file of that name with .key behind it.
function pem({ cert, key }: Tls): string {
  if (key !== cert && key !== `${cert}.key`) {
    throw wrong(
      `--tls-key ${key}: HAProxy reads the key from the file of the certificate, or from ${cert}.key. Put it there, and name that.`,
    )
  }
  return cert
}
