import { required } from '../../support/fronts/programs.ts'
import type { Site } from '../../support/fronts/site.ts'
import type { Config, FrontSetup } from '../faults.ts'

/** The app is mounted at the root. */
export const haproxy: FrontSetup = { name: 'HAProxy, no mount', prefix: '', healthy: healthy(''), start }

/** The app is mounted at /shop. */
export const mountedHaproxy: FrontSetup = {
  name: 'HAProxy, a mount',
  prefix: '/shop',
  healthy: healthy('/shop'),
  start,
}

function healthy(prefix: string): Config {
  return {
    global: ['tune.bufsize 65536'],
    app: ['pass-header Authorization', `path-info ^(${prefix})(/.*)?$`],
    front: [],
  }
}

async function start(
  site: Site,
  { global, app, front }: Config,
): Promise<{ origin: string; args: string[] }> {
  const socket = site.path('app.sock')
  const { ports } = await site.startServer(1, ([port]) => {
    const config = site.write(
      'haproxy.cfg',
      `
global
  nbthread 1
  maxconn 1000
  log stderr format raw daemon
${global!.map((line) => `  ${line}`).join('\n')}

defaults
  mode http
  option http-no-delay
  timeout connect 5s
  timeout client 60s
  timeout server 60s

fcgi-app the-app
  docroot /srv
  log-stderr global
${app!.map((line) => `  ${line}`).join('\n')}

listen front
  bind 127.0.0.1:${port}
${front!.map((line) => `  ${line}`).join('\n')}
  use-fcgi-app the-app
  server app unix@${socket} proto fcgi
`,
    )
    return { file: required('haproxy'), args: ['-db', '-f', config] }
  })
  return { origin: `http://127.0.0.1:${ports[0]}`, args: ['--app', socket] }
}
