import { formatAddress } from '@fcgi-bridge/client/address'
import { lighttpdCommand, lighttpdWord } from './quote.ts'
import { inheritWords, programWords, serveWords } from './serve-words.ts'
import { type HostAndPort, httpsOrigin, type Site, type Statics, type Tls } from './site.ts'
import { APP_READ_TIMEOUT, type Config, HASHED_COMMENT, header, howToStart } from './target.ts'
import { block, indent, lines, pattern } from './text.ts'

// URLs without a file are rewritten to this path. fcgi-bridge reads REQUEST_URI, which a rewrite does not change.
const REWRITTEN = '/fcgi-bridge'

/** Builds a site for lighttpd, selected by its host name. With `spawn`, lighttpd starts the app. */
export function lighttpd(site: Site): Config {
  const { name, serverName, listen, tls, spawn } = site
  const path = `/etc/lighttpd/conf-available/50-${name}.conf`
  const check = 'lighttpd -tt -f /etc/lighttpd/lighttpd.conf'
  const reload = 'systemctl restart lighttpd'
  const modules = [
    ...['access', 'fastcgi', 'alias', 'rewrite'],
    ...(site.statics?.hashed === undefined ? [] : ['expire']),
    ...(tls ? ['openssl', 'redirect'] : []),
  ]
  const text = lines(
    header(
      `lighttpd for ${serverName}`,
      `${tls ? 'apt-get install lighttpd-mod-openssl. ' : ''}Save this as ${path}. Then:\n  lighty-enable-mod ${name} && ${check} && ${reload}`,
      spawn ? 'lighttpd starts the app.' : `${howToStart(site)}\nWith --spawn, lighttpd starts it.`,
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

// lighttpd.conf already listens on port 80.
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
    '# 308 keeps the method; with 301 a POST becomes a GET.',
    'url.redirect-code = 308',
    `url.redirect = ( "" => "${httpsOrigin(site)}\${url.path}\${qsa}" )`,
  )
}

function body(site: Site): string {
  const { mount, statics, maxBody, buffer } = site
  const below = mount === '' ? '' : `^${pattern(mount)}(/|$)`
  return lines(
    '# The largest request body, in KiB. lighttpd responds to a larger one with a 413.',
    `server.max-request-size = ${Math.ceil(maxBody / 1024)}`,
    '# In seconds: the longest pause in a request from a client, and the longest time without output of the app.',
    'server.max-read-idle = 60',
    `server.max-write-idle = ${APP_READ_TIMEOUT}`,
    !buffer && '# Do not buffer the response. Server-sent events need this.',
    !buffer && 'server.stream-response-body = 1',
    '',
    statics?.shared ? filesAmongAppUrls(site, statics) : filesUnderOwnUrl(site, statics, below),
    statics && hidden(statics),
    statics?.hashed !== undefined &&
      lines(
        HASHED_COMMENT,
        `expire.url = ( "${statics.url}${statics.hashed}/" => "access plus 31536000 seconds" )`,
      ),
  )
}

function filesAmongAppUrls(site: Site, { folder, url }: Statics): string {
  return lines(
    '# lighttpd serves the files that exist. Every other URL goes to the app.',
    `alias.url = ( "${url}/" => ${lighttpdWord(`${folder}/`)} )`,
    `url.rewrite-if-not-file = ( "^${pattern(url)}(?:[/?]|$)" => "${REWRITTEN}\${qsa}" )`,
    backend(site, REWRITTEN),
  )
}

function filesUnderOwnUrl(site: Site, statics: Statics | undefined, below: string): string {
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

// Does not use dir-listing.activate: unless something else enables it, lighttpd 1.4.69 does not load mod_dirlisting, and warns that
// the key is unknown. If the app shares the URL path of the files, the rewrite sends the URLs of folders to the app.
function hidden({ url, shared }: Statics): string {
  const names = shared ? '\\.(?!well-known/)' : '(\\.(?!well-known/)|$)'
  return lines(
    'index-file.names = ()',
    `# Do not serve hidden files such as .env and .git${shared ? '' : ', and do not list folders'}.`,
    block(`$HTTP["url"] =~ "^${pattern(url)}/(.*/)?${names}"`, 'url.access-deny = ( "" )'),
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
    '# One process handles many requests concurrently. lighttpd’s default is four processes.',
    '"max-procs" => 1',
    '"bin-environment" => ( "NODE_ENV" => "production" )',
  ]
  return `fastcgi.server = ( "${prefix}" => ((
${indent(settings([...at, ...(started || []), '"check-local" => "disable"', '"fix-root-scriptname" => "enable"']))}
)) )`
}

// Adds a comma after each setting but the last, and none after comments.
function settings(all: readonly string[]): string {
  return all
    .map((line, index) => (line.startsWith('#') || index === all.length - 1 ? line : `${line},`))
    .join('\n')
}
