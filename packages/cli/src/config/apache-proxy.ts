import { formatAddress } from '@fcgi-bridge/client/address'
import { section, virtualHosts } from './apache.ts'
import { apacheWord } from './quote.ts'
import { type Site, serveWords } from './site.ts'
import { APP_SILENCE, type Config, runsByItself } from './target.ts'
import { lines, pattern } from './text.ts'

/** A virtual host for Apache with mod_proxy_fcgi: the app listens, Apache connects. */
export function apacheProxy(site: Site): Config {
  const { name, address, mount, buffer } = site
  const backend =
    'path' in address ? `unix:${address.path}|fcgi://${name}` : `fcgi://${formatAddress(address)}`
  const config = virtualHosts(site, {
    modules: ['proxy_fcgi'],
    app: runsByItself(site),
    host: section(
      `Proxy "${backend}/"`,
      lines(
        !buffer && '# Hand on what the app sends at once: server-sent events need it.',
        !buffer && 'ProxySet flushpackets=on',
        '# Seconds: to connect, and how long the app may stay silent in a request.',
        `ProxySet connectiontimeout=5 timeout=${APP_SILENCE}`,
      ),
    ),
    location: lines(
      'Require all granted',
      '# Else SCRIPT_NAME is as much of the path as there happens to be on the disk.',
      `ProxyFCGISetEnvIf ${apacheWord(`%{REQUEST_URI} =~ m#^${pattern(mount)}(/.*)?$#`)} PATH_INFO "$1"`,
      `ProxyFCGISetEnvIf "true" SCRIPT_NAME ${apacheWord(mount)}`,
    ),
    handler: `SetHandler "proxy:${backend}/"`,
    measured: 'measured by the app',
  })
  return { ...config, app: serveWords(site) }
}
