import { fileURLToPath } from 'node:url'
import { required } from '../fronts/programs.ts'
import { type Peer, type PeerOptions, startPeer } from './peer.ts'

/** The default scripts of {@link startPhpFpm} and {@link startPhpCgi}: index.php selects the response by PATH_INFO. */
export const PHP_ROOT: string = fileURLToPath(new URL('php', import.meta.url))

export interface PhpFpmOptions extends PeerOptions {
  /** Settings of the pool, such as `{ 'pm.max_children': 2 }`. Default: two static children. */
  readonly pool?: Readonly<Record<string, string | number>>
}

interface PhpCgiOptions extends PeerOptions {
  /**
   * The number of child processes (PHP_FCGI_CHILDREN). Default: none, and the process itself handles one request at a
   * time.
   */
  readonly children?: number
  /** Requests after which a process exits (PHP_FCGI_MAX_REQUESTS). Default: 500, as in PHP. */
  readonly maxRequests?: number
}

// Settings in addition to PHP's defaults. Debian's php.ini is not used.
const SETTINGS = { post_max_size: '64M', upload_max_filesize: '64M', output_buffering: '0' }

/** Starts PHP-FPM with its own pool, in the foreground, as the current user, including root. */
export function startPhpFpm(options: PhpFpmOptions = {}): Promise<Peer> {
  const pool = { pm: 'static', 'pm.max_children': 2, ...options.pool }
  const root = process.getuid?.() === 0
  return startPeer(options, (site, listen) => {
    const lines = [
      '[global]',
      // On standard error each line of a child would appear twice.
      `error_log = ${site.path('error.log')}`,
      'daemonize = no',
      '[peer]',
      `listen = ${listen}`,
      ...(root ? ['user = root', 'group = root'] : []),
      'clear_env = no',
      ...Object.entries(pool).map(([name, value]) => `${name} = ${value}`),
      ...Object.entries(SETTINGS).map(([name, value]) => `php_admin_value[${name}] = ${value}`),
    ]
    const config = site.write('php-fpm.conf', `${lines.join('\n')}\n`)
    const args = ['--nodaemonize', '--no-php-ini', '--fpm-config', config]
    return {
      file: required('php-fpm8.2', 'php-fpm8.4'),
      args: root ? [...args, '--allow-to-run-as-root'] : args,
    }
  })
}

/** Starts `php-cgi -b`. */
export function startPhpCgi(options: PhpCgiOptions = {}): Promise<Peer> {
  const { children = 0, maxRequests = 500 } = options
  return startPeer(options, (_, listen) => ({
    file: required('php-cgi8.2', 'php-cgi8.4'),
    args: [
      '-n',
      '-b',
      listen,
      ...Object.entries(SETTINGS).flatMap(([name, value]) => ['-d', `${name}=${value}`]),
    ],
    env: { PHP_FCGI_CHILDREN: String(children), PHP_FCGI_MAX_REQUESTS: String(maxRequests) },
  }))
}
