import { startApache } from '../fronts/apache.ts'
import type { Site } from '../fronts/site.ts'
import { type Config, describeDiagnoses, type Patient } from './diagnoses.ts'

const root: Patient = {
  name: 'mod_proxy_fcgi, the whole site',
  prefix: '',
  healthy: healthy(''),
  start: (site, config) => start(site, config, '/'),
}

const mounted: Patient = {
  name: 'mod_proxy_fcgi, a mount',
  prefix: '/shop',
  healthy: healthy('/shop'),
  start: (site, config) => start(site, config, '/shop'),
}

const handler: Patient = {
  name: 'mod_proxy_fcgi by SetHandler',
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

describeDiagnoses(root, [
  { name: 'Authorization is kept', codes: ['authorization'], without: /CGIPassAuth/, place: 'location' },
  {
    name: 'a path with %2F',
    codes: ['encoded-slash'],
    wrong: { host: ['AllowEncodedSlashes Off'] },
    place: 'host',
  },
  { name: 'buffering', codes: ['buffering'], without: /flushpackets/, place: 'options' },
  { name: 'no kept connections', codes: ['keep-conn'], without: /enablereuse/, place: 'options' },
  { name: 'SCRIPT_NAME is the whole path', codes: ['mount'], without: /ProxyFCGISetEnvIf/, place: 'host' },
  {
    name: 'error pages of Apache',
    codes: ['error-pages'],
    wrong: { host: ['ProxyErrorOverride On'] },
    place: 'host',
  },
  {
    name: 'methods that are not let through',
    codes: ['methods'],
    wrong: { location: ['<LimitExcept GET POST>', 'Require all denied', '</LimitExcept>'] },
  },
])

describeDiagnoses(mounted, [
  { name: 'SCRIPT_NAME is the whole path', codes: ['mount'], without: /ProxyFCGISetEnvIf/, place: 'host' },
])

describeDiagnoses(handler, [
  {
    name: 'SCRIPT_NAME ends at the first slash',
    codes: ['mount'],
    without: /ProxyFCGISetEnvIf/,
    place: 'host',
  },
])

function healthy(prefix: string): Config {
  return {
    options: ['flushpackets=on', 'enablereuse=on'],
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
  const modules = ['proxy', 'proxy_fcgi', 'authz_host']
  const { ports } = await startApache(site, { modules, hosts: [lines.join('\n')] })
  return ports[0]!
}
