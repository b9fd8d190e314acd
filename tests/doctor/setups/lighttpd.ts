import { startLighttpd } from '../../support/fronts/lighttpd.ts'
import type { Site } from '../../support/fronts/site.ts'
import type { Config, FrontSetup } from '../faults.ts'

/** The app is mounted at the root. */
export const lighttpd: FrontSetup = {
  name: 'lighttpd, no mount',
  prefix: '',
  healthy: healthy('/'),
  start,
}

/** The app is mounted at /shop. */
export const mountedLighttpd: FrontSetup = {
  name: 'lighttpd, a mount',
  prefix: '/shop',
  healthy: healthy('/shop'),
  start,
}

function healthy(key: string): Config {
  return {
    server: ['server.stream-response-body = 1'],
    key: [`"${key}" => ((`],
    backend: key === '/' ? ['"fix-root-scriptname" => "enable"'] : [],
  }
}

async function start(
  site: Site,
  { server, key, backend }: Config,
): Promise<{ origin: string; args: string[] }> {
  const socket = site.path('app.sock')
  const app = [`"socket" => "${socket}"`, '"check-local" => "disable"', ...backend!]
  const [port] = await startLighttpd(
    site,
    1,
    () => `
      server.modules = ( "mod_fastcgi" )
      ${server!.join('\n')}
      fastcgi.server = ( ${key!.join('\n')} ${app.join(', ')} )) )`,
  )
  return { origin: `http://127.0.0.1:${port}`, args: ['--app', socket] }
}
