import { isIP } from 'node:net'
import { formatAddress } from '@fcgi-bridge/client/address'
import { systemdWord } from './quote.ts'
import { inheritWords, programWords } from './serve-words.ts'
import { type Site, type SiteApp, usageError } from './site.ts'
import { type Config, header } from './target.ts'
import { lines } from './text.ts'

/** Builds a systemd socket unit, and the service unit that it starts, which runs the app. */
export function systemd(site: Site): Config {
  const { name, app, address } = site
  if (app === undefined) {
    throw usageError(
      "No app is given, and the service needs one to run. Name the app's module: fcgi-bridge config systemd app.js.",
    )
  }
  if ('host' in address && isIP(address.host) === 0) {
    throw usageError(
      `--address ${formatAddress(address)}: a systemd socket needs an IP address, because systemd does not resolve host names. Use 127.0.0.1:${address.port}.`,
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
      `The systemd socket of ${app?.file}`,
      `Save this as ${path},\nand save the service unit in the same folder. Then:\n  ${check} && ${reload}`,
      'systemd opens the socket before the app starts, and keeps it open while the app restarts. Connections wait\nmeanwhile; none is refused.',
    ),
    '',
    '[Socket]',
    `ListenStream=${formatAddress(address)}`,
    'path' in address && '# Only the front server’s user may connect (--server-user).',
    'path' in address && `SocketUser=${serverUser}`,
    'path' in address && 'SocketMode=0600',
    '',
    '[Install]',
    'WantedBy=sockets.target',
    '',
  )
}

function service(
  { name, user, workers, address }: Site,
  app: SiteApp,
  path: string,
  command: readonly string[],
): string {
  return lines(
    header(
      `The systemd service of ${app.file}`,
      `Save this as ${path}.`,
      `To see its log: journalctl -u ${name}`,
    ),
    '',
    '[Unit]',
    `Requires=${name}.socket`,
    '',
    '[Service]',
    workers !== undefined && master(runtimeFolder(name, address)),
    `ExecStart=${command.map(systemdWord).join(' ')}`,
    'Environment=NODE_ENV=production',
    '# Optional: secrets, one NAME=value per line, in a file that only root can read.',
    `EnvironmentFile=-/etc/${name}.env`,
    '# On stop, send SIGTERM to the main process only. It finishes the running requests.',
    'KillMode=mixed',
    // A master kills workers that do not drain after 30 seconds.
    workers === undefined ? 'TimeoutStopSec=15' : 'TimeoutStopSec=40',
    'Restart=on-failure',
    '',
    user === undefined
      ? '# systemd creates a user that owns no files. If it cannot read the app’s files, use --user.\nDynamicUser=yes'
      : `User=${user}`,
    `# The app can write to /var/lib/${name} only. The variable STATE_DIRECTORY has this path.`,
    `StateDirectory=${name}`,
    'UMask=0027',
    'NoNewPrivileges=yes',
    'CapabilityBoundingSet=',
    'ProtectSystem=strict',
    protectHome([app.file, ...command]),
    privateTmp([app.file, ...command]),
    ...HARDENED.map((setting) => `${setting}=yes`),
    'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6',
    'SystemCallArchitectures=native',
    '# If the processor has memory protection keys (pkey_alloc), V8 uses them to protect the code that it compiles.',
    'SystemCallFilter=@system-service @pkey',
    '# MemoryDenyWriteExecute must stay off: V8 compiles code at run time.',
    '',
  )
}

// The settings for a master process, which reports to systemd: see packages/pool/src/program/notify.ts.
function master(folder: string): string {
  return lines(
    '# The master reports when all workers are ready. It runs systemd-notify, because Node has no Unix datagram sockets. systemd',
    '# accepts reports of that program only with NotifyAccess=all.',
    'Type=notify',
    'NotifyAccess=all',
    'WatchdogSec=30',
    '# systemctl reload replaces the workers, and returns when the new ones serve. The control socket is in this folder of /run.',
    `RuntimeDirectory=${folder}`,
    `ExecReload=${[...programWords(), 'reload'].map(systemdWord).join(' ')}`,
  )
}

// systemd removes the folder when the service stops, and with a dynamic user it lets only that user in. The socket of the app must therefore be
// in another folder.
function runtimeFolder(name: string, address: Site['address']): string {
  return 'path' in address && address.path.startsWith(`/run/${name}/`) ? `${name}-control` : name
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

// The app and Node must stay readable if they are in a home folder.
function protectHome(files: readonly string[]): string {
  return files.some((file) => /^\/(home|root|run\/user)\//.test(file))
    ? '# Read-only, because the app or Node is in a home folder.\nProtectHome=read-only'
    : 'ProtectHome=yes'
}

function privateTmp(files: readonly string[]): string {
  return files.some((file) => /^(\/var)?\/tmp\//.test(file))
    ? '# PrivateTmp must stay off because the app is in /tmp. Move the app: /tmp is emptied at boot.'
    : 'PrivateTmp=yes'
}
