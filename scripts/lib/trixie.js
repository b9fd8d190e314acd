// Makes a folder with Debian 13 (trixie), so that the tests can run with its front servers on Debian 12.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { asRoot, installPackages } from '../debian.js'
import { root, run, UserError } from './run.js'

// Outside the repository, so that all checkouts share it.
const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'fcgi-bridge')

const BUILD = `${root}scripts/trixie/build.sh`
const ENTER = `${root}scripts/trixie/enter.sh`

// The packages of tests/support/fronts/debian-packages.json that the tests with front servers need, and dependencies of H2O and Node 26.
const PACKAGES = [
  'adduser',
  'apache2',
  'caddy',
  'faketime',
  'haproxy',
  'libapache2-mod-fcgid',
  'libapache2-mod-php8.4',
  'libatomic1',
  'libstdc++6',
  'libyaml-0-2',
  'lighttpd',
  'lighttpd-mod-openssl',
  'nginx',
  'openssl',
  'php8.4-cgi',
  'php8.4-fpm',
  'python3-prometheus-client',
  'spawn-fcgi',
  'systemd',
]

/**
 * Makes the folder, unless one with these packages exists, and returns its path. It takes half a minute, and 340 MB in the user's
 * cache folder. Throws a `UserError` if it cannot be made.
 */
export function makeTrixie() {
  const key = createHash('sha256').update(PACKAGES.join()).update(readFileSync(BUILD))
  const folder = join(CACHE, `trixie-${key.digest('hex').slice(0, 16)}`)
  if (existsSync(folder)) return folder
  installPackages(
    ['mmdebstrap', 'debian-archive-keyring'],
    'Tests on Debian 13 need packages',
    'npm run test:trixie',
  )
  mkdirSync(CACHE, { recursive: true })
  console.log('Making a folder with Debian 13 and its front servers…')
  const [command, ...args] = rootCommand([BUILD, folder, PACKAGES.join()])
  if (!run(command, args)) throw new UserError(`Making ${folder} failed: see above.`)
  return folder
}

/** Returns the command that runs a Node script inside the folder, with the Node at `node`, which is also the first in `PATH`. */
export function inTrixie(folder, node, args) {
  const empty = join(CACHE, 'mount-point')
  mkdirSync(empty, { recursive: true })
  const path = '/opt/node/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  // NODE_EXTRA_CA_CERTS is a file outside the folder, and Node warns if it does not exist.
  const inside = [
    '/usr/bin/env',
    '--unset=NODE_EXTRA_CA_CERTS',
    `PATH=${path}`,
    '/opt/node/bin/node',
    ...args,
  ]
  return rootCommand([
    'unshare',
    '--mount',
    '--',
    ENTER,
    folder,
    empty,
    root.replace(/\/$/, ''),
    node,
    ...inside,
  ])
}

function rootCommand(command) {
  const allowed = asRoot(command)
  if (allowed === undefined) {
    throw new UserError(
      'The tests on Debian 13 mount folders, which needs root. Run them as root, or set up password-less sudo.',
    )
  }
  return allowed
}
