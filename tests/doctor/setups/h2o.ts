import { required } from '../../support/fronts/programs.ts'
import type { Site } from '../../support/fronts/site.ts'
import type { Config, FrontSetup } from '../faults.ts'

/** The app is mounted at the root. */
export const h2o: FrontSetup = {
  name: 'H2O, no mount',
  prefix: '',
  healthy: { server: [], path: [] },
  // H2O has no setting that drops the Proxy header.
  always: ['httpoxy'],
  start: (site, config) => start(site, config, '/'),
}

/** The app is mounted at /shop. */
export const mountedH2o: FrontSetup = {
  ...h2o,
  name: 'H2O, a mount',
  prefix: '/shop',
  // H2O also has no setting for SCRIPT_NAME.
  always: ['httpoxy', 'mount'],
  start: (site, config) => start(site, config, '/shop'),
}

async function start(
  site: Site,
  { server, path: lines }: Config,
  path: string,
): Promise<{ origin: string; args: string[] }> {
  const socket = site.path('app.sock')
  const { ports } = await site.startServer(1, ([port]) => {
    const config = site.write(
      'h2o.conf',
      `
${process.getuid?.() === 0 ? 'user: root' : ''}
num-threads: 1
error-log: ${site.path('error.log')}
pid-file: ${site.path('h2o.pid')}
${server!.join('\n')}
hosts:
  "*:${port}":
    listen: { host: 127.0.0.1, port: ${port} }
    paths:
      "${path}":
        fastcgi.connect: { port: ${socket}, type: unix }
${lines!.map((line) => `        ${line}`).join('\n')}
`,
    )
    return { file: required('h2o'), args: ['-m', 'worker', '-c', config] }
  })
  return { origin: `http://127.0.0.1:${ports[0]}`, args: ['--app', socket] }
}
