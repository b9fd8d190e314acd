import { join } from 'node:path'
import { run } from '../../../packages/cli/src/run.ts'
import { php74Command } from '../../../scripts/lib/php74.js'
import { type ApacheConfig, apacheFront, apacheTraits } from './apache.ts'
import type { Front, Mode, Traits } from './front.ts'
import { required } from './programs.ts'
import { startApps } from './served.ts'
import type { Site } from './site.ts'

const traits: Traits = {
  ...apacheTraits,
  // PHP cannot cut a connection off.
  failedResponse: 'looks complete',
}

const modes = (traits: Traits): readonly Mode[] => [
  { name: 'at the root', prefix: '', traits },
  { name: 'in a folder', prefix: '/shop', traits },
]

// Settings in addition to PHP's defaults. Debian's php.ini is not used.
const SETTINGS = { post_max_size: '0', upload_max_filesize: '64M' }

/** Apache's config for mod_php. `settings` are of php.ini. */
export function modPhp(
  site: Site,
  settings: Readonly<Record<string, string>> = {},
): Omit<ApacheConfig, 'hosts'> {
  const module = required('/usr/lib/apache2/modules/libphp8.2.so', '/usr/lib/apache2/modules/libphp8.4.so')
  const lines = Object.entries({ ...SETTINGS, ...settings }).map(([name, value]) => `${name} = ${value}`)
  site.write('php.ini', lines.join('\n'))
  return {
    modules: ['headers'],
    mpm: 'prefork',
    server: `
      LoadModule php_module ${module}
      PHPINIDir ${site.folder}
      <FilesMatch "\\.php$">
        SetHandler application/x-httpd-php
      </FilesMatch>`,
  }
}

/** The directives of a site whose folder has an .htaccess, on a shared host. */
export function sharedSite(root: string): string {
  return `
    DocumentRoot "${root}"
    <Directory "${root}">
      Require all granted
      AllowOverride FileInfo Options
    </Directory>`
}

/** mod_php runs the index.php that `fcgi-bridge init php` writes. */
export const apacheModPhp: Front = apacheFront(
  'Apache mod_php and index.php',
  modes(traits),
  async (site, all) => ({ ...modPhp(site), hosts: await hosts(site, all) }),
)

/** The same with PHP-FPM behind mod_proxy_fcgi. */
export const apachePhpFpm: Front = phpFpmFront('Apache, PHP-FPM and index.php', () => [
  required('php-fpm8.2', 'php-fpm8.4'),
])

/** The same with the oldest PHP that index.php supports. */
export const apachePhp74: Front = phpFpmFront('Apache, PHP-FPM 7.4 and index.php', php74Command)

function phpFpmFront(name: string, command: () => string[]): Front {
  return apacheFront(name, modes({ ...traits, streamsBodies: false }), async (site, all) => ({
    ...phpFpm(site, command()),
    hosts: await hosts(site, all),
  }))
}

/** Starts PHP-FPM, and returns Apache's config for it. `command` runs it, word by word. */
export function phpFpm(site: Site, command: readonly string[]): Omit<ApacheConfig, 'hosts'> {
  const socket = startPhpFpm(site, command)
  return {
    modules: ['headers', 'proxy', 'proxy_fcgi'],
    server: `
      <Proxy "fcgi://php/">
        ProxySet flushpackets=on
      </Proxy>
      <FilesMatch "\\.php$">
        SetHandler "proxy:unix:${socket}|fcgi://php/"
      </FilesMatch>`,
  }
}

function startPhpFpm(site: Site, [file, ...words]: readonly string[]): string {
  const socket = site.path('php.sock')
  const root = process.getuid?.() === 0
  const config = site.write(
    'php-fpm.conf',
    [
      '[global]',
      `error_log = ${site.path('php.log')}`,
      'daemonize = no',
      '[site]',
      `listen = ${socket}`,
      'listen.mode = 0666',
      ...(root ? ['user = root', 'group = root'] : []),
      'pm = static',
      'pm.max_children = 32',
      ...Object.entries(SETTINGS).map(([name, value]) => `php_admin_value[${name}] = ${value}`),
    ].join('\n'),
  )
  const args = [
    ...words,
    '--nodaemonize',
    '--no-php-ini',
    '--fpm-config',
    config,
    ...(root ? ['--allow-to-run-as-root'] : []),
  ]
  site.start(file!, args)
  return socket
}

async function hosts(
  site: Site,
  all: readonly { mode: Mode; app: 'express' | 'fetch' }[],
): Promise<ApacheConfig['hosts']> {
  const listening = await startApps(site, 'script-name')
  return Promise.all(
    all.map(async ({ mode, app }, index) => {
      const root = site.makeFolder(`host${index}`)
      const folder = join(root, mode.prefix)
      const { unix } = listening[app]
      if (!('path' in unix)) throw new Error('not a Unix socket')
      const status = await run(['init', 'php', '--socket', unix.path, '--output', folder], {
        write: () => true,
      })
      if (status !== 0) throw new Error(`fcgi-bridge init php exited with ${status}`)
      return sharedSite(root)
    }),
  )
}
