import type { Front, Mode, Traits } from './front.ts'
import { required } from './programs.ts'
import { type ListeningApps, runningOn, served, startApps } from './served.ts'
import type { Site } from './site.ts'

/** The traits of a lighttpd that streams responses. */
export const lighttpdTraits: Traits = {
  streamsResponses: true,
  flushesHeads: true,
  streamsBodies: false,
  abortsUploads: true,
  dropsBodyOf: [],
  joinedCookies: 'a=1; b=2',
  host: 'lower case',
  emptyLength: 'as sent',
  requiresLengthOf: ['POST'],
  failedResponse: 'aborted',
  logsErrors: true,
}

/** Starts a lighttpd on `count` ports. `configure` returns the site's own configuration. Resolves with the ports. */
export async function startLighttpd(
  site: Site,
  count: number,
  configure: (ports: number[]) => string | Promise<string>,
): Promise<number[]> {
  const file = required('lighttpd')
  const { ports } = await site.startServer(count, async (ports) => {
    const config = site.write(
      'lighttpd.conf',
      `
      server.document-root = "${site.makeFolder('documents')}"
      server.errorlog = "${site.path('error.log')}"
      server.upload-dirs = ("${site.makeFolder('uploads')}")
      server.bind = "127.0.0.1"
      server.port = ${ports[0]}
      ${await configure(ports)}`,
    )
    return { file, args: ['-D', '-f', config] }
  })
  return ports
}

/** Configuration that gives each port its own settings. */
export function sockets(ports: readonly number[], settings: readonly string[]): string {
  const one = (port: number, index: number) =>
    `$SERVER["socket"] == "127.0.0.1:${port}" {\n${settings[index]}\n}`
  return ports.map(one).join('\n')
}

interface FastCgiMode extends Mode {
  settings: string
  /** The setting of fastcgi.server with the app's address. */
  backend(site: Site, app: 'express' | 'fetch', listening: ListeningApps): string
}

const modes: readonly FastCgiMode[] = [
  {
    name: 'host and port',
    prefix: '',
    traits: lighttpdTraits,
    settings: 'server.stream-response-body = 1',
    backend: (_site, app, listening) => hostAndPort(listening, app),
  },
  {
    name: 'host and port, streaming bodies',
    prefix: '',
    traits: { ...lighttpdTraits, streamsBodies: true },
    settings: 'server.stream-response-body = 1\nserver.stream-request-body = 2',
    backend: (_site, app, listening) => hostAndPort(listening, app),
  },
  {
    name: 'bin-path',
    prefix: '',
    traits: lighttpdTraits,
    settings: 'server.stream-response-body = 1',
    backend: (site, app) => {
      const program = site.writeProgram(`${app}.fcgi`, app)
      return `"bin-path" => "${program}", "socket" => "${site.path(`spawned-${app}.sock`)}", "max-procs" => 2`
    },
  },
]

/** mod_fastcgi: connects to an app that listens, or starts the app with its socket as fd 0. */
export const lighttpd: Front = {
  name: 'lighttpd',
  modes,
  async start(site) {
    const listening = await startApps(site)
    const all = served(modes)
    const hosts = all.map(({ mode, app }) => {
      const backend = mode.backend(site, app, listening)
      return `
        ${mode.settings}
        fastcgi.server = ("/" => ((
          ${backend}, "check-local" => "disable", "fix-root-scriptname" => "enable"
        )))`
    })
    const ports = await startLighttpd(
      site,
      all.length,
      (ports) => `server.modules = ("mod_fastcgi")\n${sockets(ports, hosts)}`,
    )
    return runningOn(all, ports)
  },
}

function hostAndPort(listening: ListeningApps, app: 'express' | 'fetch'): string {
  const { tcp } = listening[app]
  if ('path' in tcp) throw new TypeError(`${app} does not listen on TCP.`)
  return `"host" => "${tcp.host}", "port" => ${tcp.port}`
}
