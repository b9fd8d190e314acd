import { isIP } from 'node:net'
import { formatAddress } from '@fcgi-bridge/client/address'
import { systemdWord } from './quote.ts'
import { inheritWords, programWords, type Site, type SiteApp, wrong } from './site.ts'
import { type Config, header } from './target.ts'
import { lines } from './text.ts'

/** A service of systemd's that runs an app, and the socket that starts it. */
export function systemd(site: Site): Config {
  const { name, app, address } = site
  if (app === undefined) throw wrong('What is the app? Name its module: fcgi-bridge config systemd app.js.')
  if ('host' in address && isIP(address.host) === 0) {
    throw wrong(
      `--address ${formatAddress(address)}: systemd looks up no names. Say 127.0.0.1:${address.port}.`,
    )
  }
  const folder = '/etc/systemd/system'
  const [socketPath, servicePath] = [`${folder}/${name}.socket`, `${folder}/${name}.service`]
  const check = `systemd-analyze verify ${servicePath} ${socketPath}`
  const reload = `systemctl daemon-reload && systemctl enable --now ${name}.socket && systemctl restart ${name}.service`
  const command = [...programWords(), ...inheritWords(site).slice(1)]
  return {
    files: [
      { path: socketPath, text: socket(site, socketPath, check, reload) },
      { path: servicePath, text: service(site, app, servicePath, command) },
    ],
    check,
    reload,
    app: command,
  }
}

function socket({ address, serverUser, app }: Site, path: string, check: string, reload: string): string {
  return lines(
    header(
      `The socket of ${app?.file}`,
      lines(
        `Save this as ${path}, and the service beside it; both begin with`,
        `such a comment. Then:\n  ${check} && ${reload}`,
      ),
      'systemd opens it before the app is there, and keeps it while the app is started anew: nobody is refused.',
    ),
    '',
    '[Socket]',
    `ListenStream=${formatAddress(address)}`,
    'path' in address && '# The front server may connect, and nobody else: --server-user.',
    'path' in address && `SocketUser=${serverUser}`,
    'path' in address && 'SocketMode=0600',
    '',
    '[Install]',
    'WantedBy=sockets.target',
    '',
  )
}

function service({ name, user }: Site, app: SiteApp, path: string, command: readonly string[]): string {
  return lines(
    header(`The service of ${app.file}`, `Save this as ${path}.`, `What it logs: journalctl -u ${name}`),
    '',
    '[Unit]',
    `Requires=${name}.socket`,
    '',
    '[Service]',
    `ExecStart=${command.map(systemdWord).join(' ')}`,
    'Environment=NODE_ENV=production',
    '# Secrets, a NAME=value each line, in a file that root alone can read.',
    `EnvironmentFile=-/etc/${name}.env`,
    '# A stop goes to Node alone, which lets the requests that run come to their end.',
    'KillMode=mixed',
    'TimeoutStopSec=15',
    'Restart=on-failure',
    '',
    user === undefined
      ? '# A user of its own that owns nothing. It has to be able to read the app: else say --user.\nDynamicUser=yes'
      : `User=${user}`,
    `# The one folder that it may write to: /var/lib/${name}, which it finds in the variable STATE_DIRECTORY.`,
    `StateDirectory=${name}`,
    'UMask=0027',
    'NoNewPrivileges=yes',
    'CapabilityBoundingSet=',
    'ProtectSystem=strict',
    homeOf([app.file, ...command]),
    temporaryOf([app.file, ...command]),
    ...HARDENED.map((setting) => `${setting}=yes`),
    'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6',
    'SystemCallArchitectures=native',
    'SystemCallFilter=@system-service',
    '# No MemoryDenyWriteExecute: V8 compiles as it runs.',
    '',
  )
}

const HARDENED = [
  'PrivateDevices',
  'ProtectClock',
  'ProtectControlGroups',
  'ProtectHostname',
  'ProtectKernelLogs',
  'ProtectKernelModules',
  'ProtectKernelTunables',
  'LockPersonality',
  'RestrictNamespaces',
  'RestrictRealtime',
  'RestrictSUIDSGID',
]

// What of the program is in there has to be seen.
function homeOf(files: readonly string[]): string {
  return files.some((file) => /^\/(home|root|run\/user)\//.test(file))
    ? '# The app, or Node, is in there.\nProtectHome=read-only'
    : 'ProtectHome=yes'
}

function temporaryOf(files: readonly string[]): string {
  return files.some((file) => /^(\/var)?\/tmp\//.test(file))
    ? '# No PrivateTmp: the app is in there, until the next boot.'
    : 'PrivateTmp=yes'
}
