import { formatAddress } from '@fcgi-bridge/client/address'
import { section, virtualHosts } from './apache.ts'
import { apacheWord } from './quote.ts'
import { serveWords } from './serve-words.ts'
import type { Site } from './site.ts'
import { APP_READ_TIMEOUT, type Config, howToStart } from './target.ts'
import { lines, pattern } from './text.ts'

/** Builds a virtual host for Apache with mod_proxy_fcgi. The app listens, and Apache connects to it. */
export function apacheProxy(site: Site): Config {
  const { name, address, mount, buffer } = site
  const backend =
    'path' in address ? `unix:${address.path}|fcgi://${name}` : `fcgi://${formatAddress(address)}`
  const config = virtualHosts(site, {
    modules: ['proxy_fcgi'],
    app: howToStart(site),
    host: section(
      `Proxy "${backend}/"`,
      lines(
        !buffer && '# Do not buffer the response. Server-sent events need this.',
        !buffer && 'ProxySet flushpackets=on',
        '# In seconds: the longest time to connect, and the longest time without output of the app.',
        `ProxySet connectiontimeout=5 timeout=${APP_READ_TIMEOUT}`,
      ),
    ),
    location: lines(
      'Require all granted',
      '# Without these lines, Apache looks for the path on the disk, and SCRIPT_NAME is the part that exists there.',
      `ProxyFCGISetEnvIf ${apacheWord(`%{REQUEST_URI} =~ m#^${pattern(mount)}(/.*)?$#`)} PATH_INFO "$1"`,
      `ProxyFCGISetEnvIf "true" SCRIPT_NAME ${apacheWord(mount)}`,
    ),
    handler: `SetHandler "proxy:${backend}/"`,
    chunkedLimit: 'The app limits a body without a Content-Length.',
  })
  return { ...config, app: serveWords(site) }
}
