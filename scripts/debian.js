// Installs the Debian packages of the front servers that the tests start. If a server is missing and cannot be installed, the tests do
// not begin: a missing server must not become a skipped test.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { root, run, UserError } from './lib/run.js'

// Maps programs and files to their packages. The tests read it, too.
const PACKAGES_FILE = `${root}tests/support/fronts/debian-packages.json`

// The installation must not start or enable any service of this machine, because the tests start their own servers. policy-rc.d with
// status 101 forbids starting services now. `systemctl disable` prevents their start at the next boot.
const INSTALL = `
set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 1' HUP INT TERM
  printf '#!/bin/sh\\nexit 101\\n' > "$policy"
  chmod 755 "$policy"
fi
# scripts/trixie/build.sh may run at the same time, and apt fails if it is locked.
exec 9> /run/lock/fcgi-bridge-apt
flock 9
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends "$@"
if [ -d /run/systemd/system ]; then
  for package in "$@"; do
    if systemctl cat "$package.service" > /dev/null 2>&1; then
      systemctl disable --quiet "$package"
    fi
  done
fi
`

/** Whether a vitest run with these arguments may start a front server. Only runs of the packages' own tests do not. */
export function needFrontServers(args) {
  const paths = args.filter((arg) => /^(packages|examples|tests)\b/.test(arg))
  return paths.length === 0 || paths.some((path) => !path.startsWith('packages'))
}

/** Installs missing front servers. Throws a `UserError` with the command to run if this user may not install packages. */
export function installFrontServers() {
  const packages = [...new Set(Object.values(JSON.parse(readFileSync(PACKAGES_FILE, 'utf8'))))]
  if (!hasDpkg()) {
    throw new UserError(
      `The tests need the front servers of Debian 12 (${packages.join(' ')}), and this system has no dpkg. Run the tests on Debian 12, or in a container with it. \`npm test -- packages\` needs no front server.`,
    )
  }
  installPackages(packages, 'The tests need front servers', 'npm test')
}

/**
 * Installs the missing ones of some Debian packages. Throws a `UserError` with the command to run if this user may not install
 * packages. `need` begins its message, such as `The tests need front servers`. `npmCommand` is the command to run again afterwards.
 */
export function installPackages(packages, need, npmCommand) {
  const missing = missingPackages(packages)
  if (missing.length === 0) return
  const advice = `As root, run:\n\n  apt-get update && apt-get install -y --no-install-recommends ${missing.join(' ')}\n\nand then ${npmCommand} again.`
  const shell = ['sh', '-c', INSTALL, 'install', ...missing]
  const command = asRoot(shell)
  if (!command || !hasDpkg()) throw new UserError(`${need} that are not installed. ${advice}`)
  console.log(`Installing ${missing.join(' ')}…`)
  if (!run(command[0], command.slice(1)) || missingPackages(packages).length > 0) {
    throw new UserError(`Installing ${missing.join(' ')} failed: see above. ${advice}`)
  }
}

/** Returns the command that runs `command` as root with the same environment. Undefined if this user may not do that. */
export function asRoot(command) {
  if (process.getuid?.() === 0) return command
  return hasPasswordlessSudo() ? ['sudo', '--non-interactive', '--preserve-env', ...command] : undefined
}

function missingPackages(packages) {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
  const format = '${Package} ${db:Status-Abbrev}\n'
  const { stdout } = spawnSync('dpkg-query', ['-W', '-f', format, ...packages], { encoding: 'utf8' })
  const installed = new Set(stdout?.split('\n'))
  return packages.filter((name) => !installed.has(`${name} ii `))
}

function hasDpkg() {
  return spawnSync('dpkg-query', ['--version'], { stdio: 'ignore' }).status === 0
}

function hasPasswordlessSudo() {
  return spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0
}
