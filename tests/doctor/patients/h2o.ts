import { required } from '../../support/fronts/programs.ts'
import type { Site } from '../../support/fronts/site.ts'
import type { Config, Patient } from '../diagnoses.ts'

/** The app has the whole site. */
export const h2o: Patient = {
  name: 'H2O, the whole site',
  prefix: '',
  healthy: { server: [], path: ['fastcgi.timeout.keepalive: 4000'] },
  // It has no setting that would drop the Proxy header.
  left: ['httpoxy'],
  start: (site, config) => start(site, config, '/'),
}

/** The app is at /shop. */
export const mountedH2o: Patient = {
  ...h2o,
  name: 'H2O, a mount',
  prefix: '/shop',
  // Nor one for SCRIPT_NAME.
  left: ['httpoxy', 'mount'],
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
