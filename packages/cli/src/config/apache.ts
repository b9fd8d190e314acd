import { formatAddress } from '@fcgi-bridge/client/address'
import { apacheFolder, apacheWord } from './quote.ts'
import { type HostAndPort, httpsOrigin, type Site, type Statics, type Tls } from './site.ts'
import { type Config, FORWARDED_COMMENT, HASHED_CACHE_CONTROL, HASHED_COMMENT, header } from './target.ts'
import { indent, lines, pattern } from './text.ts'

/** What one of Apache's FastCGI modules adds to a virtual host. */
interface ApacheModule {
  /** The names of the modules for `a2enmod`. */
  modules: readonly string[]
  /** A sentence for the header comment that says what starts the app. */
  app: string
  /** Directives of the virtual host. */
  host: string
  /** Directives of the `<Location>` of the app's URLs. */
  location: string
  /** The directive that forwards a request to the app. With static files it applies only if no file has the request's path. */
  handler: string
  /** A sentence for a comment that says what limits a request body without a Content-Length. */
  chunkedLimit: string
}

/** Builds a virtual host for an app. With TLS, a second virtual host redirects HTTP to HTTPS. */
export function virtualHosts(site: Site, module: ApacheModule): Config {
  const path = `/etc/apache2/sites-available/${site.name}.conf`
  const check = 'apachectl configtest'
  const reload = 'systemctl reload apache2'
  const headers = site.statics?.hashed === undefined && !site.forwardedHeaders ? [] : ['headers']
  const modules = [...module.modules, ...headers, ...(site.tls ? ['ssl', 'rewrite'] : [])].join(' ')
  const install = lines(
    `Save this as ${path}. Then:`,
    `  a2enmod ${modules} && a2ensite ${site.name} && ${check} && ${reload}`,
  )
  const text = lines(
    header(`Apache for ${site.serverName}`, install, module.app),
    '',
    ...listens(site),
    site.tls && lines(redirect(site, site.tls), ''),
    section(`VirtualHost ${address(site.listen)}`, host(site, module)),
    '',
  )
  return { files: [{ path, text }], check, reload }
}

/** Writes `<Name argument>`, the indented body, and `</Name>`. `head` is `Name argument`. */
export function section(head: string, body: string): string {
  return `<${head}>\n${indent(body)}\n</${head.split(' ')[0]}>`
}

function host(site: Site, module: ApacheModule): string {
  const { serverName, tls, statics, mount, maxBody } = site
  return lines(
    `ServerName ${serverName}`,
    tls && lines('', certificates(tls)),
    '',
    '# Pass the path to the app as the client sent it. By default Apache responds to /a%2Fb with a 404.',
    'AllowEncodedSlashes NoDecode',
    ...notFoundOutside(site),
    module.host,
    '',
    statics && lines(files(statics), ''),
    section(
      `Location "${mount || '/'}"`,
      lines(
        module.location,
        statics?.shared
          ? lines(
              '# Apache serves the files that exist. Every other URL goes to the app.',
              section('If "! -f %{REQUEST_FILENAME}"', module.handler),
            )
          : module.handler,
        '# By default Apache does not pass on the Authorization header.',
        'CGIPassAuth On',
        site.forwardedHeaders && forwarded,
        '# The largest request body, in bytes. Respond to a larger one with a 413. LimitRequestBody has no effect here.',
        `# ${module.chunkedLimit}`,
        section(`If "%{HTTP:Content-Length} -gt ${maxBody}"`, 'Redirect 413 "/"'),
      ),
    ),
    statics && !statics.shared && isBelow(statics.url, mount) && exceptFiles(statics),
    statics && hidden(statics),
  )
}

const forwarded = lines(
  FORWARDED_COMMENT,
  'RequestHeader set X-Forwarded-For "expr=%{REMOTE_ADDR}"',
  'RequestHeader set X-Forwarded-Proto "expr=%{REQUEST_SCHEME}"',
  'RequestHeader set X-Forwarded-Host "expr=%{HTTP_HOST}"',
)

function isBelow(url: string, mount: string): boolean {
  return url.startsWith(`${mount}/`)
}

// The <Location> of the app's URLs has the URLs of the files in it.
function exceptFiles({ url }: Statics): string {
  return lines(
    '# Apache serves these files, and responds with a 404 if there is no such file.',
    section(`Location "${url}/"`, 'SetHandler none'),
  )
}

// Without this, Apache responds to a URL outside the mount with a file of its document root, or with a 403.
function notFoundOutside({ mount, statics }: Site): string[] {
  if (mount === '') return []
  const inside = [`${mount}(/|$)`, ...(statics && !statics.shared ? [`${statics.url}/`] : [])]
  return [`RedirectMatch 404 "^(?!${pattern(inside.join('|'))})"`]
}

function files({ folder, url, hashed }: Statics): string {
  return lines(
    `Alias "${url || '/'}" ${apacheWord(url === '' ? `${folder}/` : folder)}`,
    section(
      `Directory ${apacheFolder(folder)}`,
      lines(
        'Require all granted',
        'AllowOverride None',
        '# Do not list folders, do not serve index.html, and do not redirect to add a slash.',
        'Options FollowSymLinks',
        'DirectoryIndex disabled',
        'DirectorySlash Off',
      ),
    ),
    hashed !== undefined &&
      section(
        `Directory ${apacheFolder(`${folder}${hashed}`)}`,
        lines(
          HASHED_COMMENT,
          `Header set Cache-Control "${HASHED_CACHE_CONTROL}" "expr=-f %{REQUEST_FILENAME}"`,
        ),
      ),
  )
}

// Must come after the app's <Location>: Apache applies the last section that matches.
function hidden({ url }: Statics): string {
  return lines(
    '# Do not serve hidden files such as .env and .git.',
    section(`LocationMatch "^${pattern(url)}/(.*/)?\\.(?!well-known/)"`, 'Require all denied'),
  )
}

// Uses mod_rewrite because Redirect (mod_alias) would encode a %2F in the path again: NoDecode keeps it encoded.
function redirect(site: Site, { redirectFrom }: Tls): string {
  return section(
    `VirtualHost ${address(redirectFrom)}`,
    lines(
      `ServerName ${site.serverName}`,
      'AllowEncodedSlashes NoDecode',
      '# Redirect to the path and query as the client sent them. 308 keeps the method; with 301 a POST becomes a GET.',
      'RewriteEngine On',
      'RewriteCond %{THE_REQUEST} "^\\S+ (?:https?://[^/?\\s]*)?(/[^?\\s]*)(?:\\?(\\S*))?"',
      // Apache 2.4.60 and later reject a target with a query unless the rule has a literal `?`.
      `RewriteRule ^ "${httpsOrigin(site)}%1?%2" [R=308,NE,L]`,
    ),
  )
}

function certificates({ cert, key }: Tls): string {
  return lines(
    'SSLEngine on',
    `SSLCertificateFile ${apacheWord(cert)}`,
    `SSLCertificateKeyFile ${apacheWord(key)}`,
    'SSLProtocol -all +TLSv1.2 +TLSv1.3',
  )
}

function address({ host = '*', port }: HostAndPort): string {
  return formatAddress({ host, port })
}

// Debian's ports.conf listens on 80, and on 443 with mod_ssl.
function listens({ listen, tls }: Site): string[] {
  const all = [listen, ...(tls ? [tls.redirectFrom] : [])]
  const others = all.filter(({ port }) => port !== 80 && port !== 443)
  if (others.length === 0) return []
  return [
    '# Remove a line if ports.conf has it already.',
    ...others.map((where) => `Listen ${where.host === undefined ? where.port : address(where)}`),
    '',
  ]
}
