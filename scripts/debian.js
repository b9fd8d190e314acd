// The front servers that the tests start are Debian packages. A server that is missing is never a skipped test:
// either it gets installed here, or the tests do not begin.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { main, root, run, UserError } from './lib/run.js'

// Which program or file comes with which package: the tests look there too.
const PACKAGES_FILE = `${root}tests/support/fronts/debian-packages.json`

// The tests start servers of their own, so the machine's must stay as they are. policy-rc.d is Debian's word for
// "start nothing now", and a service that came with the installation is not to come up at the next boot either.
const INSTALL = `
set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 1' HUP INT TERM
  printf '#!/bin/sh\\nexit 101\\n' > "$policy"
  chmod 755 "$policy"
fi
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

/**
 * Whether a run of vitest with these arguments may start a front server: the packages' own tests do not; whatever else may
 * be asked for might.
 */
export function needFrontServers(args) {
  const paths = args.filter((arg) => /^(packages|examples|tests)\b/.test(arg))
  return paths.length === 0 || paths.some((path) => !path.startsWith('packages'))
}

/** Installs the front servers that are missing; a `UserError` with the command to run where that is not allowed. */
export function installFrontServers() {
  const packages = [...new Set(Object.values(JSON.parse(readFileSync(PACKAGES_FILE, 'utf8'))))]
  if (!hasDpkg()) {
    throw new UserError(
      `The tests start real front servers as Debian packages them (${packages.join(' ')}), and this system has no dpkg. Run them on Debian 12 (whose PHP is 8.2), or in a container of it. \`npm test -- packages\` needs no front server.`,
    )
  }
  installPackages(packages, 'The tests need front servers', 'npm test')
}

/**
 * Installs those of some Debian packages that are missing. A `UserError` with the command to run where that is not allowed:
 * `need` says who needs what, `npmCommand` what to run again.
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

/** The command that runs `command` as root with the same environment; undefined where that is not allowed. */
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

if (import.meta.url === pathToFileURL(process.argv[1]).href) main(installFrontServers)
