import { formatAddress } from '@fcgi-bridge/client/address'
import { caddyFolder, caddyWord } from './quote.ts'
import { type HostAndPort, httpsOrigin, type Site, type Statics, serveWords, type Tls } from './site.ts'
import { APP_SILENCE, type Config, header, runsByItself } from './target.ts'
import { block, lines } from './text.ts'

/** A site for Caddy. A name of the public DNS, without a port or certificate of its own, gets Caddy's automatic HTTPS. */
export function caddy(site: Site): Config {
  const path = `/etc/caddy/sites/${site.name}.caddyfile`
  const check = 'caddy validate --config /etc/caddy/Caddyfile'
  const reload = 'systemctl reload caddy'
  const automatic = isAutomatic(site)
  const text = lines(
    header(
      `Caddy for ${site.serverName}`,
      `Save this as ${path}, with a line \`import sites/*.caddyfile\` in\n/etc/caddy/Caddyfile. Then: ${check} && ${reload}`,
      runsByItself(site),
    ),
    '',
    site.tls &&
      lines(
        block(
          `http://${site.serverName}:${site.tls.redirectFrom.port}`,
          lines(
            bind(site.tls.redirectFrom),
            '# 308 keeps the method; 301 makes a GET of a POST.',
            `redir ${httpsOrigin(site)}{uri} 308`,
          ),
        ),
        '',
      ),
    automatic && '# Caddy gets a certificate for it by itself, and redirects HTTP to HTTPS.',
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
    '# The largest request body, in bytes; more is a 413.',
    block('request_body', `max_size ${maxBody}`),
    '# A client’s Proxy header must not become the variable HTTP_PROXY (httpoxy).',
    'request_header -Proxy',
    '',
    block(
      'route',
      lines(
        statics && hidden(statics),
        statics && !statics.shared && apart(statics),
        mount !== '' && `@elsewhere not path ${mount} ${mount}/*\nerror @elsewhere 404`,
        mount !== '' && `uri strip_prefix ${mount}`,
        statics?.shared && shared(statics),
        backend(site),
      ),
    ),
  )
}

function certificates({ cert, key }: Tls): string {
  return `tls ${caddyWord(cert)} ${caddyWord(key)}`
}

// Go's expressions know no lookahead: a name with a dot in front, but for .well-known alone.
function hidden({ url }: Statics): string {
  return lines(
    '# No .env, no .git.',
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

function apart({ folder, url }: Statics): string {
  return block(`handle_path ${url}/*`, lines(`root * ${caddyFolder(folder)}`, 'file_server'))
}

function shared({ folder }: Statics): string {
  return lines(
    '# What is a file is served as one; every other URL goes to the app.',
    `root * ${caddyFolder(folder)}`,
    block('@file', lines('file', 'not path */')),
    'file_server @file',
  )
}

function backend({ address, mount, buffer }: Site): string {
  const at = 'path' in address ? `unix/${address.path}` : formatAddress(address)
  return block(
    `reverse_proxy ${at}`,
    lines(
      !buffer && '# Hand on what the app sends at once, whatever its type.',
      !buffer && 'flush_interval -1',
      block(
        'transport fastcgi',
        lines(
          mount !== '' && `env SCRIPT_NAME ${mount}`,
          'dial_timeout 5s',
          '# How long the app may stay silent in a request.',
          `read_timeout ${APP_SILENCE}s`,
        ),
      ),
    ),
  )
}
