import type { ServerName } from './servers.ts'
import { wrong } from './site.ts'

type Refusal = readonly [flags: readonly string[], why: string]

const FRONT: Refusal = [
  ['serverName', 'listen', 'redirectFrom', 'static', 'staticUrl', 'tlsCert', 'tlsKey', 'buffer'],
  'is for the front server: make its config as well',
]
const UNIT: Refusal = [['user', 'serverUser'], 'is for units of systemd: fcgi-bridge config systemd']
const SPAWN: Refusal = [['spawn'], 'is for lighttpd']

const REFUSALS: Readonly<Record<ServerName, readonly Refusal[]>> = {
  nginx: [UNIT, SPAWN],
  'apache-fcgid': [
    UNIT,
    [['spawn'], 'is what mod_fcgid always does'],
    [['socket', 'address'], 'is not for mod_fcgid, which opens the sockets itself. apache-proxy takes it'],
  ],
  'apache-proxy': [UNIT, SPAWN],
  lighttpd: [UNIT],
  caddy: [UNIT, SPAWN],
  h2o: [UNIT, [['spawn'], 'is for lighttpd: an app that H2O started and that ends is never started again']],
  haproxy: [
    UNIT,
    SPAWN,
    [['static', 'staticUrl'], 'is for servers that serve files, and HAProxy serves none. Let the app do it'],
  ],
  systemd: [FRONT, SPAWN],
}

/** Throws a Failure for a flag that a server can not honour. `given` says whether one, by its property name, was given. */
export function checkFit(server: ServerName, given: (flag: string) => boolean): void {
  for (const [flags, why] of REFUSALS[server]) {
    const flag = flags.find(given)
    if (flag === undefined) continue
    throw wrong(`--${flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} ${why}.`)
  }
}
