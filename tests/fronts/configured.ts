// The servers that `fcgi-bridge config` writes configs for, each set up as its package sets it up, with such a config in it.
import { execFileSync } from 'node:child_process'
import { startApache } from './apache.ts'
import { startNginx } from './nginx.ts'
import { required } from './programs.ts'
import type { Site } from './site.ts'

/** What `fcgi-bridge config --json` prints. */
export interface PrintedConfig {
  files: { path: string; text: string }[]
  check: string
  reload: string
  app?: string[]
}

type Print = (ports: number[]) => Promise<PrintedConfig>

/** Has a server check a config, and starts it; `print` makes the config for `count` ports. Gives the ports. */
type Start = (site: Site, count: number, print: Print) => Promise<number[]>

export const CONFIGURED: Readonly<Record<string, Start>> = {
  async nginx(site, count, print) {
    const ports = await startNginx(site, count, async (ports) => {
      return `include /etc/nginx/mime.types;\n${await textOf(print(ports))}`
    })
    execFileSync(required('nginx'), ['-t', '-q', '-c', site.path('nginx.conf'), '-e', site.path('error.log')])
    return ports
  },

  'apache-fcgid'(site, count, print) {
    const ours = `FcgidIPCDir ${site.makeFolder('fcgid')}\nFcgidProcessTableFile ${site.path('fcgid_shm')}`
    return startApacheSite(site, ['fcgid'], ours, count, print)
  },

  'apache-proxy': (site, count, print) => startApacheSite(site, ['proxy', 'proxy_fcgi'], '', count, print),
}

/** Debian's Apache as it comes, with the modules that the config wants. */
async function startApacheSite(
  site: Site,
  modules: readonly string[],
  server: string,
  count: number,
  print: Print,
): Promise<number[]> {
  const { ports } = await startApache(site, {
    modules: [
      'authz_host',
      'access_compat',
      'autoindex',
      'dir',
      'negotiation',
      'reqtimeout',
      'socache_shmcb',
      'ssl',
      ...modules,
    ],
    server: `
      TypesConfig /etc/mime.types
      ${server}
      <Directory "/">
        Options FollowSymLinks
        AllowOverride None
        Require all denied
      </Directory>`,
    hosts: [],
    written: { count, write: (ports) => textOf(print(ports)) },
  })
  execFileSync(required('apache2'), ['-t', '-f', site.path('apache.conf')], { stdio: 'pipe' })
  return ports
}

async function textOf(config: Promise<PrintedConfig>): Promise<string> {
  return (await config).files[0]!.text
}
