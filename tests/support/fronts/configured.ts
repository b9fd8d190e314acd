// The servers that `fcgi-bridge config` supports. Each is set up as its package does it, with a printed configuration.
import { execFileSync, spawnSync } from 'node:child_process'
import { startApache } from './apache.ts'
import { startNginx } from './nginx.ts'
import { required } from './programs.ts'
import type { Site } from './site.ts'

/** The output of `fcgi-bridge config --json` for a front server. */
export interface PrintedConfig {
  files: { path: string; text: string }[]
  check: string
  reload: string
  app?: string[]
}

type Print = (ports: number[]) => Promise<PrintedConfig>

/**
 * Lets a server check a configuration, then starts it. `print` creates the configuration for `count` ports. Resolves
 * with the ports.
 */
type Start = (site: Site, count: number, print: Print) => Promise<number[]>

export const CONFIGURED: Readonly<Record<string, Start>> = {
  async nginx(site, count, print) {
    const ports = await startNginx(site, count, async (ports) => {
      return `include /etc/nginx/mime.types;\n${await textOf(print(ports))}`
    })
    check(required('nginx'), '-t', '-q', '-c', site.path('nginx.conf'), '-e', site.path('error.log'))
    return ports
  },

  'apache-fcgid'(site, count, print) {
    const ours = `FcgidIPCDir ${site.makeFolder('fcgid')}\nFcgidProcessTableFile ${site.path('fcgid_shm')}`
    return startApacheSite(site, ['fcgid'], ours, count, print)
  },

  'apache-proxy': (site, count, print) => startApacheSite(site, ['proxy', 'proxy_fcgi'], '', count, print),

  async lighttpd(site, count, print) {
    const file = required('lighttpd')
    const { ports } = await site.startServer(count, async (ports) => {
      // lighttpd does not start if its own port is in use, so its own address is a Unix socket.
      const text = `
        server.modules = ("mod_indexfile", "mod_access", "mod_alias", "mod_redirect")
        server.document-root = "${site.makeFolder('documents')}"
        server.errorlog = "${site.path('error.log')}"
        server.upload-dirs = ("${site.makeFolder('uploads')}")
        server.bind = "${site.path('main.sock')}"
        index-file.names = ("index.php", "index.html")
        static-file.exclude-extensions = (".php", ".pl", ".fcgi")
        include_shell "/usr/share/lighttpd/create-mime.conf.pl"
        ${await textOf(print(ports))}
        server.modules += ("mod_dirlisting", "mod_staticfile")`
      site.write('check.conf', text)
      // The printed config must not list its folders, even if the server does. (The document root is not part of it.)
      const listing = '$HTTP["url"] != "/" { dir-listing.activate = "enable" }'
      const config = site.write('lighttpd.conf', `${text}\n${listing}`)
      return { file, args: ['-D', '-f', config] }
    })
    const { status, stderr } = spawnSync(file, ['-tt', '-f', site.path('check.conf')], { encoding: 'utf8' })
    if (status !== 0 || stderr !== '') throw new Error(`lighttpd -tt: status ${status}\n${stderr}`)
    return ports
  },

  async caddy(site, count, print) {
    const file = required('caddy')
    const home = site.makeFolder('home')
    const env = { HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home }
    const { ports } = await site.startServer(count, async (ports) => {
      site.write('site.caddyfile', await textOf(print(ports)))
      const config = site.write(
        'Caddyfile',
        '{\n  admin off\n  auto_https disable_redirects\n  skip_install_trust\n}\nimport site.caddyfile\n',
      )
      return { file, args: ['run', '--config', config, '--adapter', 'caddyfile'], env }
    })
    check(file, 'validate', '--config', site.path('Caddyfile'), '--adapter', 'caddyfile')
    return ports
  },

  async h2o(site, count, print) {
    const file = required('h2o')
    const { ports } = await site.startServer(count, async (ports) => {
      const config = site.write(
        'h2o.conf',
        `${process.getuid?.() === 0 ? 'user: root\n' : ''}num-threads: 1
error-log: ${site.path('error.log')}
pid-file: ${site.path('h2o.pid')}
${await textOf(print(ports))}`,
      )
      return { file, args: ['-m', 'worker', '-c', config] }
    })
    check(file, '-m', 'test', '-c', site.path('h2o.conf'))
    return ports
  },

  async haproxy(site, count, print) {
    const file = required('haproxy')
    const { ports } = await site.startServer(count, async (ports) => {
      const config = site.write(
        'haproxy.cfg',
        `global\n  maxconn 1000\n  log stderr format raw daemon\n\n${await textOf(print(ports))}`,
      )
      return { file, args: ['-db', '-f', config] }
    })
    check(file, '-c', '-f', site.path('haproxy.cfg'))
    return ports
  },
}

/** Runs a server's own configuration check. Throws an error with its output if it fails. */
function check(file: string, ...args: string[]): void {
  execFileSync(file, args, { stdio: 'pipe' })
}

/** Debian's default Apache, with the modules that the configuration needs. */
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
  check(required('apache2'), '-t', '-f', site.path('apache.conf'))
  return ports
}

async function textOf(config: Promise<PrintedConfig>): Promise<string> {
  return (await config).files.map(({ text }) => text).join('\n')
}
