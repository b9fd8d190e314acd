import type { Front, Mode, RunningFront, Traits } from './front.ts'
import { required } from './programs.ts'
import { runningOn, type Served, served } from './served.ts'
import type { Site } from './site.ts'

/** What Apache does with every module. */
export const apacheTraits: Traits = {
  streamsResponses: true,
  flushesHeads: false,
  streamsBodies: true,
  abortsUploads: true,
  dropsBodyOf: [],
  joinedCookies: 'a=1, b=2',
  host: 'as sent',
  emptyLength: 'as sent',
  failedResponse: 'aborted',
  logsErrors: true,
}

export interface ApacheConfig {
  /** The modules to load in addition to those of every site: 'fcgid' is mod_fcgid.so. */
  modules: readonly string[]
  /** Default: `event`. mod_php needs `prefork`, where each request has a process of its own. */
  mpm?: keyof typeof PROCESSES
  /** Server-wide directives. */
  server?: string
  /** Directives of each virtual host, in order. */
  hosts: readonly string[]
  /** Replaces `hosts`: virtual hosts that `write` creates for `count` ports. */
  written?: { count: number; write: (ports: number[]) => Promise<string> }
}

// Enough threads or processes for all tests, until the server stops.
const PROCESSES = {
  event: `
      StartServers 1
      ServerLimit 2
      ThreadLimit 128
      ThreadsPerChild 128
      MaxRequestWorkers 256
      MinSpareThreads 1
      MaxSpareThreads 256`,
  prefork: `
      StartServers 8
      MinSpareServers 8
      MaxSpareServers 64
      MaxRequestWorkers 64`,
}

const BASE_MODULES = ['authz_core', 'setenvif', 'env', 'mime', 'alias', 'rewrite']

/** Starts an Apache with one port per virtual host. */
export async function startApache(
  site: Site,
  { modules, mpm = 'event', server = '', hosts, written }: ApacheConfig,
): Promise<Apache> {
  const load = [`mpm_${mpm}`, ...BASE_MODULES, ...modules].map(
    (name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`,
  )
  const { program, ports } = await site.startServer(written?.count ?? hosts.length, async (ports) => {
    // Without NoDecode %2F is a 404. Since 2.4.59 Apache ignores an app's Content-Length unless the variable is set.
    const virtualHosts = hosts.map(
      (directives, index) => `
      Listen 127.0.0.1:${ports[index]}
      <VirtualHost 127.0.0.1:${ports[index]}>
        AllowEncodedSlashes NoDecode
        SetEnv ap_trust_cgilike_cl yes
        ${directives}
      </VirtualHost>`,
    )
    const config = site.write(
      'apache.conf',
      `
      ServerRoot ${site.folder}
      ServerName front.test
      PidFile ${site.path('apache.pid')}
      ErrorLog ${site.path('error.log')}
      TypesConfig /dev/null
      Mutex file:${site.makeFolder('mutexes')} default
      ${load.join('\n')}
      ${PROCESSES[mpm]}
      ${server}
      ${(await written?.write(ports)) ?? virtualHosts.join('\n')}`,
    )
    const command = asOrdinaryUser(required('apache2'), ['-f', config, '-DFOREGROUND'])
    // Apache opens its ports before it knows whether it can start.
    return { ...command, started: 'resuming normal operations' }
  })
  return { pid: program.pid, ports, exited: program.exited }
}

export interface Apache {
  pid: number
  ports: number[]
  /** Resolves when the parent process has exited. */
  exited: Promise<unknown>
}

/** A front server based on Apache. `configure` returns its directives when the apps have addresses. */
export function apacheFront<M extends Mode>(
  name: string,
  modes: readonly M[],
  configure: (site: Site, all: readonly Served<M>[]) => Promise<ApacheConfig>,
): Front {
  return {
    name,
    modes,
    async start(site): Promise<RunningFront> {
      const all = served(modes)
      const { ports } = await startApache(site, await configure(site, all))
      return runningOn(all, ports)
    },
  }
}

// Apache refuses to serve as root, and its www-data may not read this checkout's folder. Use a user with only that
// right.
function asOrdinaryUser(file: string, args: string[]): { file: string; args: string[] } {
  if (process.getuid?.() !== 0) return { file, args }
  const rights = ['--inh-caps=+dac_override', '--ambient-caps=+dac_override']
  const user = ['--reuid=www-data', '--regid=www-data', '--clear-groups', ...rights]
  return { file: required('setpriv'), args: ['--pdeathsig', 'TERM', ...user, '--', file, ...args] }
}
