import { required } from '../../support/fronts/programs.ts'
import type { Site } from '../../support/fronts/site.ts'
import type { Config, FrontSetup } from '../faults.ts'

/** The app is mounted at the root. */
export const caddy: FrontSetup = {
  name: 'Caddy, no mount',
  prefix: '',
  healthy: { site: ['request_header -Proxy'], proxy: [], transport: [] },
  start,
}

/** The app is mounted at /shop. */
export const mountedCaddy: FrontSetup = {
  name: 'Caddy, a mount',
  prefix: '/shop',
  healthy: { site: ['request_header -Proxy'], proxy: [], transport: ['split /shop'] },
  start,
}

async function start(
  site: Site,
  { site: lines, proxy, transport }: Config,
): Promise<{ origin: string; args: string[] }> {
  const socket = site.path('app.sock')
  const { ports } = await site.startServer(1, ([port]) => {
    const config = site.write(
      'Caddyfile',
      `{
        admin off
        auto_https off
      }
      :${port} {
        bind 127.0.0.1
        ${lines!.join('\n')}
        reverse_proxy unix/${socket} {
          ${proxy!.join('\n')}
          transport fastcgi {
            ${transport!.join('\n')}
          }
        }
      }`,
    )
    const home = site.makeFolder('home')
    const env = { HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home }
    return { file: required('caddy'), args: ['run', '--config', config, '--adapter', 'caddyfile'], env }
  })
  return { origin: `http://127.0.0.1:${ports[0]}`, args: ['--app', socket] }
}
