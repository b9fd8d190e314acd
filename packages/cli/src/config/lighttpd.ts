import { formatAddress } from '@fcgi-bridge/client/address'
import { lighttpdCommand, lighttpdWord } from './quote.ts'
import {
  type HostAndPort,
  httpsOrigin,
  inheritWords,
  programWords,
  type Site,
  type Statics,
  serveWords,
  type Tls,
} from './site.ts'
import { APP_SILENCE, type Config, header, runsByItself } from './target.ts'
import { block, indent, lines, pattern } from './text.ts'

// What is no file is rewritten to it. The app goes by REQUEST_URI, which stays as the client sent it.
const REWRITTEN = '/fcgi-bridge'

/** A site for lighttpd, by its host name; lighttpd can start the app itself. */
export function lighttpd(site: Site): Config {
  const { name, serverName, listen, tls, spawn } = site
  const path = `/etc/lighttpd/conf-available/50-${name}.conf`
  const check = 'lighttpd -tt -f /etc/lighttpd/lighttpd.conf'
  const reload = 'systemctl restart lighttpd'
  const modules = ['access', 'fastcgi', 'alias', 'rewrite', ...(tls ? ['openssl', 'redirect'] : [])]
  const text = lines(
    header(
      `lighttpd for ${serverName}`,
      `${tls ? 'apt-get install lighttpd-mod-openssl. ' : ''}Save this as ${path}. Then:\n  lighty-enable-mod ${name} && ${check} && ${reload}`,
      spawn ? 'lighttpd starts the app.' : `${runsByItself(site)}\nWith --spawn, lighttpd starts it.`,
    ),
    '',
    `server.modules += ( ${modules.map((module) => `"mod_${module}"`).join(', ')} )`,
    '',
    ...sockets(listen, tls),
    ...(tls ? sockets(tls.redirectFrom, undefined) : []),
    tls && lines(scheme('http', named(site, redirect(site))), ''),
    tls ? scheme('https', named(site, body(site))) : named(site, body(site)),
    '',
  )
  return { files: [{ path, text }], check, reload, ...(!spawn && { app: serveWords(site) }) }
}

// Port 80 is lighttpd.conf's.
function sockets(where: HostAndPort, tls: Tls | undefined): string[] {
  const { host, port } = where
  if (port === 80 && host === undefined) return []
  const all = host === undefined ? [`:${port}`, `[::]:${port}`] : [formatAddress({ host, port })]
  return all.map((socket) =>
    lines(block(`$SERVER["socket"] == "${socket}"`, tls ? certificates(tls) : ''), ''),
  )
}

function certificates({ cert, key }: Tls): string {
  return lines(
    'ssl.engine = "enable"',
    `ssl.pemfile = ${lighttpdWord(cert)}`,
    `ssl.privkey = ${lighttpdWord(key)}`,
    'ssl.openssl.ssl-conf-cmd = ( "MinProtocol" => "TLSv1.2" )',
  )
}

function scheme(name: string, body: string): string {
  return block(`$HTTP["scheme"] == "${name}"`, body)
}

function named({ serverName }: Site, body: string): string {
  return block(`$HTTP["host"] == "${serverName}"`, body)
}

function redirect(site: Site): string {
  return lines(
    '# 308 keeps the method; 301 makes a GET of a POST.',
    'url.redirect-code = 308',
    `url.redirect = ( "" => "${httpsOrigin(site)}\${url.path}\${qsa}" )`,
  )
}

function body(site: Site): string {
  const { mount, statics, maxBody, buffer } = site
  const below = mount === '' ? '' : `^${pattern(mount)}(/|$)`
  return lines(
    '# The largest request body, in KiB; more is a 413.',
    `server.max-request-size = ${Math.ceil(maxBody / 1024)}`,
    '# Seconds: how long a client may take for a piece of its request, and how long the app may stay silent.',
    'server.max-read-idle = 60',
    `server.max-write-idle = ${APP_SILENCE}`,
    !buffer && '# Hand on what the app sends at once: server-sent events need it.',
    !buffer && 'server.stream-response-body = 1',
    '',
    statics?.shared ? shared(site, statics) : apart(site, statics, below),
    statics && hidden(statics),
  )
}

function shared(site: Site, { folder, url }: Statics): string {
  return lines(
    '# What is a file is served as one; every other URL goes to the app.',
    `alias.url = ( "${url}/" => ${lighttpdWord(`${folder}/`)} )`,
    `url.rewrite-if-not-file = ( "^${pattern(url)}(?:[/?]|$)" => "${REWRITTEN}\${qsa}" )`,
    backend(site, REWRITTEN),
  )
}

function apart(site: Site, statics: Statics | undefined, below: string): string {
  const app = backend(site, site.mount || '/')
  const files =
    statics &&
    block(
      `$HTTP["url"] =~ "^${pattern(statics.url)}/"`,
      `alias.url = ( "${statics.url}/" => ${lighttpdWord(`${statics.folder}/`)} )`,
    )
  if (files === undefined) return below === '' ? app : block(`$HTTP["url"] =~ "${below}"`, app)
  return `${files} else ${block(`$HTTP["url"] =~ "${below}"`, app)}`
}

function hidden({ url }: Statics): string {
  return lines(
    'index-file.names = ()',
    'dir-listing.activate = "disable"',
    '# No .env, no .git.',
    block(`$HTTP["url"] =~ "^${pattern(url)}/(.*/)?\\.(?!well-known/)"`, 'url.access-deny = ( "" )'),
  )
}

function backend(site: Site, prefix: string): string {
  const { name, address, spawn } = site
  const command = spawn && [...programWords(), ...inheritWords(site).slice(1)]
  const at =
    'path' in address
      ? [`"socket" => "${address.path}"`]
      : command
        ? [`"socket" => "/run/lighttpd/${name}.sock"`]
        : [`"host" => "${address.host}"`, `"port" => ${address.port}`]
  const started = command && [
    `"bin-path" => ${lighttpdWord(lighttpdCommand(command))}`,
    '# One process serves many requests at once; lighttpd’s own default is four.',
    '"max-procs" => 1',
    '"bin-environment" => ( "NODE_ENV" => "production" )',
  ]
  return `fastcgi.server = ( "${prefix}" => ((
${indent(settings([...at, ...(started || []), '"check-local" => "disable"', '"fix-root-scriptname" => "enable"']))}
)) )`
}

// A comma behind each but the last, and none behind comments.
function settings(all: readonly string[]): string {
  return all
    .map((line, index) => (line.startsWith('#') || index === all.length - 1 ? line : `${line},`))
    .join('\n')
}
