import { formatAddress } from '@fcgi-bridge/client/address'
import { caddyFolder, caddyWord } from './quote.ts'
import { serveWords } from './serve-words.ts'
import { type HostAndPort, httpsOrigin, type Site, type Statics, type Tls } from './site.ts'
import {
  APP_READ_TIMEOUT,
  type Config,
  HASHED_CACHE_CONTROL,
  HASHED_COMMENT,
  header,
  howToStart,
} from './target.ts'
import { block, lines } from './text.ts'

/**
 * Builds a site for Caddy. Caddy's automatic HTTPS is used if the server name can be a public DNS name and the site has neither
 * `listen` nor `tls`.
 */
export function caddy(site: Site): Config {
  const path = `/etc/caddy/sites/${site.name}.caddyfile`
  const check = 'caddy validate --config /etc/caddy/Caddyfile'
  const reload = 'systemctl reload caddy'
  const automatic = isAutomatic(site)
  const text = lines(
    header(
      `Caddy for ${site.serverName}`,
      `Save this as ${path}, with a line \`import sites/*.caddyfile\` in\n/etc/caddy/Caddyfile. Then: ${check} && ${reload}`,
      howToStart(site),
    ),
    '',
    site.tls &&
      lines(
        block(
          `http://${site.serverName}:${site.tls.redirectFrom.port}`,
          lines(
            bind(site.tls.redirectFrom),
            '# 308 keeps the method; with 301 a POST becomes a GET.',
            `redir ${httpsOrigin(site)}{uri} 308`,
          ),
        ),
        '',
      ),
    automatic && '# Caddy obtains a certificate for this name, and redirects HTTP to HTTPS.',
    block(automatic ? site.serverName : address(site), body(site)),
    '',
  )
  return { files: [{ path, text }], check, reload, app: serveWords(site) }
}

function isAutomatic({ serverName, listen, tls }: Site): boolean {
  return !tls && listen.port === 80 && listen.host === undefined && /\.[a-z]/.test(serverName)
}

function address({ serverName, listen, tls }: Site): string {
  return `${tls ? 'https' : 'http'}://${serverName}:${listen.port}`
}

function bind({ host }: HostAndPort): string | undefined {
  return host && `bind ${host}`
}

function body(site: Site): string {
  const { listen, tls, maxBody, mount, statics } = site
  return lines(
    bind(listen),
    tls && certificates(tls),
    '# The largest request body, in bytes. Caddy responds to a larger one with a 413.',
    block('request_body', `max_size ${maxBody}`),
    '# Drop the Proxy header: it would become the variable HTTP_PROXY (httpoxy).',
    'request_header -Proxy',
    site.forwardedHeaders && forwarded,
    '',
    block(
      'route',
      lines(
        statics && hidden(statics),
        statics && !statics.shared && filesUnderOwnUrl(statics),
        mount !== '' && `@outside not path ${mount} ${mount}/*\nerror @outside 404`,
        mount !== '' && `uri strip_prefix ${mount}`,
        statics?.shared && filesAmongAppUrls(statics),
        backend(site),
      ),
    ),
  )
}

// Caddy sets X-Forwarded-For, -Proto and -Host itself. It turns each `-` of a header's name into `_` in the param's
// name, so the names below become the same params.
const forwarded = lines(
  '# Caddy sends its own X-Forwarded-For, -Proto and -Host. Drop names that become the same variables.',
  ...['For', 'Proto', 'Host'].flatMap((name) =>
    [`X_Forwarded_${name}`, `X_Forwarded-${name}`, `X-Forwarded_${name}`].map(
      (similar) => `request_header -${similar}`,
    ),
  ),
)

function certificates({ cert, key }: Tls): string {
  return `tls ${caddyWord(cert)} ${caddyWord(key)}`
}

// Go's regular expressions have no lookahead, so .well-known needs a separate matcher.
function hidden({ url }: Statics): string {
  return lines(
    '# Do not serve hidden files such as .env and .git.',
    block(
      '@hidden',
      lines(
        `path ${url}/*`,
        'path_regexp /\\.',
        'not path_regexp ^(/[^/.][^/]*)*/\\.well-known(/[^/.][^/]*)*$',
      ),
    ),
    'error @hidden 404',
  )
}

function filesUnderOwnUrl(statics: Statics): string {
  const { folder, url } = statics
  return block(
    `handle_path ${url}/*`,
    lines(`root * ${caddyFolder(folder)}`, cacheHashed(statics), 'file_server'),
  )
}

// Caddy has already removed the URL of the files from the path: by `handle_path`, or by `uri strip_prefix`.
function cacheHashed({ hashed }: Statics): string | false {
  if (hashed === undefined) return false
  return lines(
    HASHED_COMMENT,
    block('@hashed', lines('file', `path ${hashed}/*`)),
    `header @hashed Cache-Control "${HASHED_CACHE_CONTROL}"`,
  )
}

function filesAmongAppUrls(statics: Statics): string {
  return lines(
    '# Caddy serves the files that exist. Every other URL goes to the app.',
    `root * ${caddyFolder(statics.folder)}`,
    block('@file', lines('file', 'not path */')),
    cacheHashed(statics),
    'file_server @file',
  )
}

function backend({ address, mount, buffer }: Site): string {
  const at = 'path' in address ? `unix/${address.path}` : formatAddress(address)
  return block(
    `reverse_proxy ${at}`,
    lines(
      !buffer && '# Do not buffer the response, of any content type.',
      !buffer && 'flush_interval -1',
      block(
        'transport fastcgi',
        lines(
          mount !== '' && `env SCRIPT_NAME ${mount}`,
          'dial_timeout 5s',
          '# The longest time without output of the app.',
          `read_timeout ${APP_READ_TIMEOUT}s`,
        ),
      ),
    ),
  )
}
