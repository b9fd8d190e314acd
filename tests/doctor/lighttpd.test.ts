import { startLighttpd } from '../fronts/lighttpd.ts'
import type { Site } from '../fronts/site.ts'
import { type Config, describeDiagnoses, type Patient } from './diagnoses.ts'

const root: Patient = {
  name: 'lighttpd, the whole site',
  prefix: '',
  healthy: healthy('/'),
  start,
}

const mounted: Patient = {
  name: 'lighttpd, a mount',
  prefix: '/shop',
  healthy: healthy('/shop'),
  start,
}

describeDiagnoses(root, [
  {
    name: 'SCRIPT_NAME ends at the second slash',
    codes: ['mount'],
    without: /fix-root-scriptname/,
    place: 'backend',
  },
  { name: 'the stock buffering', codes: ['buffering'], without: /stream-response-body/, place: 'server' },
  {
    name: 'a limit of bodies',
    codes: ['body-limit'],
    wrong: { server: ['server.max-request-size = 1024'] },
    place: 'server',
  },
  {
    name: 'bodies that are streamed need a length',
    codes: ['chunked'],
    wrong: { server: ['server.stream-request-body = 2'] },
    place: 'server',
  },
  {
    name: 'error pages of lighttpd',
    codes: ['error-pages'],
    wrong: { server: ['server.error-intercept = "enable"'] },
    place: 'server',
  },
])

describeDiagnoses(mounted, [
  {
    name: 'the app has the whole site',
    codes: ['mount'],
    without: /"\/shop"/,
    wrong: { key: ['"/" => (('], backend: ['"fix-root-scriptname" => "enable"'] },
    place: 'key',
  },
])

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
