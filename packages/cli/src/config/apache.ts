import { formatAddress } from '@fcgi-bridge/client/address'
import { apacheFolder, apacheWord } from './quote.ts'
import { type HostAndPort, httpsOrigin, type Site, type Statics, type Tls } from './site.ts'
import { type Config, header } from './target.ts'
import { indent, lines, pattern } from './text.ts'

/** What a module of Apache's that speaks FastCGI adds to a virtual host. */
export interface ApacheModule {
  /** As `a2enmod` takes them. */
  modules: readonly string[]
  /** What starts the app. */
  app: string
  /** Directives of the virtual host. */
  host: string
  /** Directives of the `<Location>` of the app's URLs. */
  location: string
  /** The directive there that hands a request to the app, where a file may be in its place. */
  handler: string
  /** Who measures a body that does not tell its length. */
  measured: string
}

/** A virtual host for an app, with a second one that redirects to HTTPS. */
export function virtualHosts(site: Site, module: ApacheModule): Config {
  const path = `/etc/apache2/sites-available/${site.name}.conf`
  const check = 'apachectl configtest'
  const reload = 'systemctl reload apache2'
  const modules = [...module.modules, ...(site.tls ? ['ssl', 'rewrite'] : [])].join(' ')
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

/** `<Name argument>`, and what is in it. */
export function section(head: string, body: string): string {
  return `<${head}>\n${indent(body)}\n</${head.split(' ')[0]}>`
}

function host(site: Site, module: ApacheModule): string {
  const { serverName, tls, statics, mount, maxBody } = site
  return lines(
    `ServerName ${serverName}`,
    tls && lines('', certificates(tls)),
    '',
    '# The path reaches the app as the client sent it; else /a%2Fb is a 404 of Apache’s own.',
    'AllowEncodedSlashes NoDecode',
    ...elsewhere(site),
    module.host,
    '',
    statics && lines(files(statics), ''),
    section(
      `Location "${mount || '/'}"`,
      lines(
        module.location,
        statics?.shared
          ? lines(
              '# What is a file is served as one; every other URL goes to the app.',
              section('If "! -f %{REQUEST_FILENAME}"', module.handler),
            )
          : module.handler,
        '# Apache keeps the Authorization header to itself unless told otherwise.',
        'CGIPassAuth On',
        '# The largest request body, in bytes; more is a 413. LimitRequestBody does not hold here: what does not',
        `# tell its length is ${module.measured}.`,
        section(`If "%{HTTP:Content-Length} -gt ${maxBody}"`, 'Redirect 413 "/"'),
      ),
    ),
    statics && hidden(statics),
  )
}

// Else it is a file of the server's, or a 403 of its own.
function elsewhere({ mount, statics }: Site): string[] {
  if (mount === '') return []
  const ours = [`${mount}(/|$)`, ...(statics && !statics.shared ? [`${statics.url}/`] : [])]
  return [`RedirectMatch 404 "^(?!${pattern(ours.join('|'))})"`]
}

function files({ folder, url }: Statics): string {
  return lines(
    `Alias "${url || '/'}" ${apacheWord(url === '' ? `${folder}/` : folder)}`,
    section(
      `Directory ${apacheFolder(folder)}`,
      lines(
        'Require all granted',
        'AllowOverride None',
        '# No listings, no index.html, no redirect to the name with a slash.',
        'Options FollowSymLinks',
        'DirectoryIndex disabled',
        'DirectorySlash Off',
      ),
    ),
  )
}

// After the <Location> of the app, for the last one that matches counts.
function hidden({ url }: Statics): string {
  return lines(
    '# No .env, no .git.',
    section(`LocationMatch "^${pattern(url)}/(.*/)?\\.(?!well-known/)"`, 'Require all denied'),
  )
}

// Redirect (mod_alias) would encode the %2F of a path once more, since NoDecode leaves it in the path.
function redirect(site: Site, { redirectFrom }: Tls): string {
  return section(
    `VirtualHost ${address(redirectFrom)}`,
    lines(
      `ServerName ${site.serverName}`,
      'AllowEncodedSlashes NoDecode',
      '# The target as the client sent it. 308 keeps the method; 301 makes a GET of a POST.',
      'RewriteEngine On',
      'RewriteCond %{THE_REQUEST} "^\\S+ (?:https?://[^/?\\s]*)?(/[^?\\s]*)(?:\\?(\\S*))?"',
      // Without a literal `?` Apache 2.4.60 and later refuse a target with a query.
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

// Debian's ports.conf has 80, and 443 with mod_ssl.
function listens({ listen, tls }: Site): string[] {
  const all = [listen, ...(tls ? [tls.redirectFrom] : [])]
  const others = all.filter(({ port }) => port !== 80 && port !== 443)
  if (others.length === 0) return []
  return [
    '# Not where the server listens there already: see ports.conf.',
    ...others.map((where) => `Listen ${where.host === undefined ? where.port : address(where)}`),
    '',
  ]
}
