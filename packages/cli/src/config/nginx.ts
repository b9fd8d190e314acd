import { formatAddress } from '@fcgi-bridge/client/address'
import { formatSize } from '../size.ts'
import { nginxWord } from './quote.ts'
import { addressesOf, serveWords } from './serve-words.ts'
import { type HostAndPort, httpsOrigin, type Site, type Statics, type Tls } from './site.ts'
import {
  APP_READ_TIMEOUT,
  type Config,
  FORWARDED_COMMENT,
  HASHED_CACHE_CONTROL,
  HASHED_COMMENT,
  header,
  howToStart,
} from './target.ts'
import { block, lines, pattern } from './text.ts'

/** Builds a site for nginx: an upstream and a server. With TLS, a second server redirects HTTP to HTTPS. */
export function nginx(site: Site): Config {
  const path = `/etc/nginx/sites-available/${site.name}.conf`
  const check = 'nginx -t'
  const reload = 'systemctl reload nginx'
  const install = lines(
    `Save this as ${path} and link it into sites-enabled. If there is no`,
    `such folder, save it as /etc/nginx/conf.d/${site.name}.conf. Then: ${check} && ${reload}`,
  )
  const text = lines(
    header(`nginx for ${site.serverName}`, install, howToStart(site)),
    '',
    upstream(site),
    '',
    site.tls && lines(block('server', redirect(site, site.tls)), ''),
    block('server', server(site)),
    '',
  )
  return { files: [{ path, text }], check, reload, app: serveWords(site) }
}

function upstream(site: Site): string {
  const servers = addressesOf(site).map(
    (address) => `server ${'path' in address ? `unix:${address.path}` : formatAddress(address)};`,
  )
  return block(
    `upstream ${site.name}`,
    lines(
      servers.length > 1 &&
        '# One socket for each worker of the app. The worker with the fewest requests gets the next one.',
      servers.length > 1 && 'least_conn;',
      ...servers,
      '# The number of idle connections to the app that each worker of nginx keeps open.',
      'keepalive 16;',
    ),
  )
}

function redirect(site: Site, { redirectFrom }: Tls): string {
  return lines(
    ...listens(redirectFrom),
    `server_name ${site.serverName};`,
    '# 308 keeps the method; with 301 a POST becomes a GET.',
    `return 308 ${httpsOrigin(site)}$request_uri;`,
  )
}

function server(site: Site): string {
  const { serverName, listen, maxBody, mount, tls, statics } = site
  return lines(
    ...listens(listen, tls && 'ssl http2'),
    `server_name ${serverName};`,
    'server_tokens off;',
    '',
    tls && lines(...certificates(tls), ''),
    '# The largest request body. nginx responds to a larger one with a 413.',
    `client_max_body_size ${formatSize(maxBody)};`,
    '# The longest time to receive the request headers, and the longest pause in a request body.',
    'client_header_timeout 15s;',
    'client_body_timeout 30s;',
    '',
    mount !== '' && `location = ${mount} { rewrite ^ ${mount}/ last; }`,
    statics?.shared
      ? lines(files(statics, '@app'), block('location @app', fastcgi(site)))
      : block(`location ${mount}/`, fastcgi(site)),
    statics && !statics.shared && files(statics, '=404'),
    mount !== '' && 'location / { return 404; }',
  )
}

function certificates({ cert, key }: Tls): string[] {
  return [
    `ssl_certificate ${nginxWord(cert)};`,
    `ssl_certificate_key ${nginxWord(key)};`,
    'ssl_protocols TLSv1.2 TLSv1.3;',
    'ssl_session_cache shared:SSL:10m;',
  ]
}

function files(statics: Statics, missing: string): string {
  const { folder, url, hashed } = statics
  if (!hashed) return filesIn(statics, missing)
  const ofHash = { ...statics, folder: `${folder}${hashed}`, url: `${url}${hashed}`, hashed: '' }
  return lines(filesIn(ofHash, missing), filesIn({ ...statics, hashed: undefined }, missing))
}

function filesIn({ folder, url, shared, hashed }: Statics, missing: string): string {
  return block(
    `location ^~ ${url}/`,
    lines(
      shared && '# nginx serves the files that exist. Every other URL goes to the app.',
      hashed === '' && HASHED_COMMENT,
      hashed === '' && `add_header Cache-Control "${HASHED_CACHE_CONTROL}";`,
      `alias ${nginxWord(`${folder}/`)};`,
      `try_files $uri ${missing};`,
      'add_header X-Content-Type-Options nosniff;',
      '# Do not serve hidden files such as .env and .git.',
      'location ~ /\\.(?!well-known/) { return 404; }',
    ),
  )
}

function fastcgi(site: Site): string {
  const { name, mount, serverName, buffer, forwardedHeaders } = site
  return lines(
    `fastcgi_pass ${name};`,
    'fastcgi_keep_conn on;',
    !buffer && '# Do not buffer the response. Server-sent events need this.',
    !buffer && 'fastcgi_buffering off;',
    '# The response headers, with all cookies, must fit this buffer. If they do not, nginx responds with a 502.',
    'fastcgi_buffer_size 16k;',
    'fastcgi_buffers 8 16k;',
    '# The longest time without output of the app.',
    `fastcgi_read_timeout ${APP_READ_TIMEOUT}s;`,
    '',
    mount !== '' && `fastcgi_split_path_info "(?s)^(${pattern(mount)})(/.*)$";`,
    '# All params are listed because the fastcgi_params file of some systems lower-cases the host and drops its port.',
    ...params({
      GATEWAY_INTERFACE: 'CGI/1.1',
      SERVER_SOFTWARE: 'nginx/$nginx_version',
      SERVER_PROTOCOL: '$server_protocol',
      SERVER_NAME: serverName,
      SERVER_ADDR: '$server_addr',
      SERVER_PORT: '$server_port',
      REMOTE_ADDR: '$remote_addr',
      REMOTE_PORT: '$remote_port',
      REQUEST_METHOD: '$request_method',
      REQUEST_SCHEME: '$scheme',
      HTTPS: '$https if_not_empty',
      REQUEST_URI: '$request_uri',
      SCRIPT_NAME: mount || '""',
      PATH_INFO: mount === '' ? '$uri' : '$fastcgi_path_info',
      QUERY_STRING: '$query_string',
      CONTENT_TYPE: '$content_type',
      CONTENT_LENGTH: '$content_length',
    }),
    '# A Proxy header from the client must not become the variable HTTP_PROXY (httpoxy).',
    ...params({ HTTP_PROXY: '""' }),
    forwardedHeaders && FORWARDED_COMMENT,
    ...params(forwardedHeaders ? FORWARDED : {}),
  )
}

const FORWARDED = {
  HTTP_X_FORWARDED_FOR: '$remote_addr',
  HTTP_X_FORWARDED_PROTO: '$scheme',
  HTTP_X_FORWARDED_HOST: '$http_host',
}

function params(values: Record<string, string>): string[] {
  return Object.entries(values).map(([name, value]) => `fastcgi_param ${name.padEnd(17)} ${value};`)
}

function listens({ host, port }: HostAndPort, options = ''): string[] {
  const words = options && ` ${options}`
  if (host !== undefined) return [`listen ${formatAddress({ host, port })}${words};`]
  return [`listen ${port}${words};`, `listen [::]:${port}${words};`]
}
