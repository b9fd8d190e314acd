import { startApache } from '../../support/fronts/apache.ts'
import type { Site } from '../../support/fronts/site.ts'
import type { Config, FrontSetup } from '../faults.ts'

/** The app is mounted at the root. */
export const apacheProxy: FrontSetup = {
  name: 'mod_proxy_fcgi, no mount',
  prefix: '',
  healthy: healthy(''),
  start: (site, config) => start(site, config, '/'),
}

/** The app is mounted at /shop. */
export const mountedApacheProxy: FrontSetup = {
  name: 'mod_proxy_fcgi, a mount',
  prefix: '/shop',
  healthy: healthy('/shop'),
  start: (site, config) => start(site, config, '/shop'),
}

/** The app's address is in SetHandler. */
export const apacheProxyBySetHandler: FrontSetup = {
  name: 'mod_proxy_fcgi with SetHandler',
  prefix: '',
  healthy: healthy(''),
  async start(site, { options, host, location }) {
    const socket = site.path('app.sock')
    const port = await startHost(site, [
      `DocumentRoot "${site.makeFolder('documents')}"`,
      ...host!,
      `<Proxy "unix:${socket}|fcgi://app/">`,
      `ProxySet ${options!.join(' ')}`,
      '</Proxy>',
      `<Location "/">`,
      `SetHandler "proxy:unix:${socket}|fcgi://app/"`,
      ...location!,
      'Require all granted',
      '</Location>',
    ])
    return { origin: `http://127.0.0.1:${port}`, args: ['--app', socket] }
  },
}

function healthy(prefix: string): Config {
  return {
    // enablereuse is left out on purpose: the doctor must not advise to add it.
    options: ['flushpackets=on'],
    host: [
      `ProxyFCGISetEnvIf "%{REQUEST_URI} =~ m#^${prefix}(/.*)?$#" PATH_INFO "$1"`,
      `ProxyFCGISetEnvIf "true" SCRIPT_NAME "${prefix}"`,
    ],
    location: ['CGIPassAuth On'],
  }
}

async function start(
  site: Site,
  { options, host, location }: Config,
  path: string,
): Promise<{ origin: string; args: string[] }> {
  const socket = site.path('app.sock')
  const port = await startHost(site, [
    `ProxyPass "${path}" "unix:${socket}|fcgi://app${path}" ${options!.join(' ')}`,
    ...host!,
    `<Location "${path}">`,
    ...location!,
    '</Location>',
  ])
  return { origin: `http://127.0.0.1:${port}`, args: ['--app', socket] }
}

async function startHost(site: Site, lines: readonly string[]): Promise<number> {
  const modules = ['proxy', 'proxy_fcgi', 'authz_host', 'setenvif', 'remoteip']
  const { ports } = await startApache(site, { modules, hosts: [lines.join('\n')] })
  return ports[0]!
}
