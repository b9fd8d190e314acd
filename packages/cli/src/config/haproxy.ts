import { formatAddress } from '@fcgi-bridge/client/address'
import { haproxyWord } from './quote.ts'
import { serveWords } from './serve-words.ts'
import { type HostAndPort, httpsOrigin, type Site, type Tls, usageError } from './site.ts'
import { APP_READ_TIMEOUT, type Config, FORWARDED_COMMENT, header, howToStart } from './target.ts'
import { indent, lines, pattern } from './text.ts'

/** Builds sections for HAProxy's config: a frontend, its backend, and the FastCGI app. */
export function haproxy(site: Site): Config {
  const path = '/etc/haproxy/haproxy.cfg'
  const check = `haproxy -c -f ${path}`
  const reload = 'systemctl reload haproxy'
  const { name, tls } = site
  const text = lines(
    header(
      `HAProxy for ${site.serverName}`,
      `Add this to the end of ${path}. Then:\n  ${check} && ${reload}`,
      howToStart(site),
    ),
    '',
    tls &&
      section(
        `frontend ${name}-http`,
        lines(
          ...binds(tls.redirectFrom, ''),
          HTTP_TIMEOUTS,
          '# 308 keeps the method; with 301 a POST becomes a GET.',
          `http-request redirect prefix ${httpsOrigin(site)} code 308`,
        ),
      ),
    section(`frontend ${name}`, frontend(site)),
    section(`backend ${name}`, backend(site)),
    section(`fcgi-app ${name}`, app(site)),
  )
  return { files: [{ path, text }], check, reload, app: serveWords(site) }
}

const HTTP_TIMEOUTS = lines(
  'mode http',
  'timeout client 60s',
  '# The longest time that a client may take to send the request headers.',
  'timeout http-request 15s',
)

function section(head: string, body: string): string {
  return `${head}\n${indent(body)}\n`
}

function frontend({ name, listen, tls, mount, maxBody, buffer, forwardedHeaders }: Site): string {
  return lines(
    ...binds(listen, tls ? ` ssl crt ${haproxyWord(pem(tls))} ssl-min-ver TLSv1.2` : ''),
    HTTP_TIMEOUTS,
    !buffer && '# Do not delay the response. Server-sent events need this.',
    !buffer && 'option http-no-delay',
    '# The largest request body, in bytes. HAProxy responds to a larger one with a 413. A body without a Content-Length must',
    '# fit its buffer (16 KiB). Otherwise HAProxy responds with a 400.',
    `http-request deny deny_status 413 if { req.hdr(content-length) -m int gt ${maxBody} }`,
    mount !== '' && `http-request deny deny_status 404 unless { path ${mount} } or { path_beg ${mount}/ }`,
    forwardedHeaders && forwarded(tls === undefined ? 'http' : 'https'),
    `default_backend ${name}`,
  )
}

// HAProxy turns each `-` of a header's name into `_` in the param's name, so both spellings become the same param.
function forwarded(scheme: string): string {
  return lines(
    FORWARDED_COMMENT,
    'http-request del-header ^x[_-]forwarded[_-](for|proto|host)$ -m reg',
    'http-request set-header X-Forwarded-For %[src]',
    `http-request set-header X-Forwarded-Proto ${scheme}`,
    'http-request set-header X-Forwarded-Host %[req.hdr(host)]',
  )
}

function backend({ name, address, buffer }: Site): string {
  return lines(
    'mode http',
    !buffer && 'option http-no-delay',
    'timeout connect 5s',
    '# The longest time without output of the app.',
    `timeout server ${APP_READ_TIMEOUT}s`,
    `use-fcgi-app ${name}`,
    `server app ${'path' in address ? `unix@${address.path}` : formatAddress(address)} proto fcgi`,
  )
}

function app({ mount }: Site): string {
  return lines(
    '# HAProxy requires a docroot, but reads nothing from it.',
    'docroot /nonexistent',
    // Without it, HAProxy sends the whole path as SCRIPT_NAME.
    `path-info ^(${mount === '' ? '' : pattern(mount)})(/.*)?$`,
    'log-stderr global',
    '# By default HAProxy does not pass on the Authorization header. Do not trust REMOTE_USER: HAProxy copies the user',
    '# name from this header without checking the password.',
    'pass-header Authorization',
  )
}

function binds({ host, port }: HostAndPort, options: string): string[] {
  return (host === undefined ? [`:${port}`, `[::]:${port} v6only`] : [formatAddress({ host, port })]).map(
    (at) => `bind ${at}${options}`,
  )
}

// HAProxy 2.x looks for the key in the certificate's file, then in a file with that name plus `.key`.
function pem({ cert, key }: Tls): string {
  if (key !== cert && key !== `${cert}.key`) {
    throw usageError(
      `--tls-key ${key}: HAProxy reads the key only from the certificate's file, or from ${cert}.key. Move the key there, and give that path.`,
    )
  }
  return cert
}
