import type { ServerName } from './servers.ts'
import { usageError } from './site.ts'

type Refusal = readonly [flags: readonly string[], why: string]

const FRONT_ONLY: Refusal = [
  [
    'serverName',
    'listen',
    'redirectFrom',
    'static',
    'staticUrl',
    'tlsCert',
    'tlsKey',
    'buffer',
    'forwardedHeaders',
  ],
  'does not apply to systemd units. Use it with the config of the front server, for example: fcgi-bridge config nginx',
]
const UNIT_ONLY: Refusal = [
  ['user', 'serverUser'],
  'applies to systemd units only: fcgi-bridge config systemd',
]
const ONE_SOCKET: Refusal = [
  ['perWorkerSockets'],
  'applies to nginx only, which then balances the load. Remove it: workers can share one socket',
]
const noForwardedHeaders = (why: string): Refusal => [
  ['forwardedHeaders'],
  `does not apply to ${why}. Remove it, or use another server`,
]
const LIGHTTPD_ONLY: Refusal = [['spawn'], 'applies to lighttpd only. Remove it']

const REFUSALS: Readonly<Record<ServerName, readonly Refusal[]>> = {
  nginx: [UNIT_ONLY, LIGHTTPD_ONLY],
  'apache-fcgid': [
    UNIT_ONLY,
    [
      ['workers', 'perWorkerSockets'],
      'does not apply to mod_fcgid, which starts the processes itself. Remove it',
    ],
    [['spawn'], 'is not needed: mod_fcgid always starts the app. Remove it'],
    [
      ['socket', 'address'],
      'does not apply to mod_fcgid, which opens the sockets itself. Remove it, or use apache-proxy',
    ],
  ],
  'apache-proxy': [UNIT_ONLY, ONE_SOCKET, LIGHTTPD_ONLY],
  htaccess: [
    UNIT_ONLY,
    LIGHTTPD_ONLY,
    [
      [
        'workers',
        'perWorkerSockets',
        'socket',
        'address',
        'serverName',
        'listen',
        'redirectFrom',
        'tlsCert',
        'tlsKey',
        'mount',
        'static',
        'staticUrl',
        'maxBody',
        'buffer',
        'forwardedHeaders',
      ],
      'is not a setting of an .htaccess. Remove it',
    ],
  ],
  lighttpd: [
    UNIT_ONLY,
    ONE_SOCKET,
    noForwardedHeaders("lighttpd, which cannot set a header to the client's address"),
  ],
  caddy: [UNIT_ONLY, ONE_SOCKET, LIGHTTPD_ONLY],
  h2o: [
    UNIT_ONLY,
    ONE_SOCKET,
    noForwardedHeaders('H2O, which cannot set headers of requests'),
    [['spawn'], 'applies to lighttpd only: H2O does not restart an app that has exited. Remove it'],
  ],
  haproxy: [
    UNIT_ONLY,
    ONE_SOCKET,
    LIGHTTPD_ONLY,
    [
      ['static', 'staticUrl'],
      'does not apply to HAProxy, which serves no files. Remove it, and serve the files from the app',
    ],
  ],
  systemd: [FRONT_ONLY, ONE_SOCKET, LIGHTTPD_ONLY],
}

/** Throws a Failure for a flag that a server does not support. `given` returns whether a flag was given, by its property name. */
export function checkFlags(server: ServerName, given: (flag: string) => boolean): void {
  for (const [flags, why] of REFUSALS[server]) {
    const flag = flags.find(given)
    if (flag === undefined) continue
    throw usageError(`--${flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} ${why}.`)
  }
}
