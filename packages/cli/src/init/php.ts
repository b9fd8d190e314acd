import { dirname, join, resolve } from 'node:path'
import { formatAddress, type SocketAddress } from '@fcgi-bridge/client/address'
import { rewriteTo } from '../config/htaccess.ts'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import type { Output } from '../terminal.ts'
import { hostedApp, quote, readTemplate, writeNewFiles } from './hosted-app.ts'

/** The flags of `fcgi-bridge init php`. */
export interface PhpFlags {
  output: string
  socket?: string
  address?: { host: string; port: number }
  as?: string
  export?: string
}

/** The values in `index.php` that differ between sites. */
interface Settings {
  /** `/run/app.sock` or `127.0.0.1:9000`. */
  address: string
  /** Empty if PHP does not start the app. */
  command: readonly string[]
  /** The working directory of `command`. */
  folder: string
  site: string
  log: string
}

/**
 * Writes `index.php` and `.htaccess` into the folder of a site on a host that runs only PHP. `index.php` forwards each request to
 * the app over FastCGI, and starts the app if PHP may start programs. Overwrites no file: an `.htaccess` that exists already is
 * kept, and its lines are printed. Throws a Failure if `index.php` exists, or if the folder contains the app, whose files would be
 * public.
 */
export function initPhp(app: string | undefined, flags: PhpFlags, stdout: Output): void {
  const settings = app === undefined ? remoteSettings(flags) : startedSettings(app, flags)
  const files = [
    { path: join(settings.site, 'index.php'), text: indexPhp(settings), required: true },
    { path: join(settings.site, '.htaccess'), text: HTACCESS, required: false },
  ]
  stdout.write(writeNewFiles(settings, files))
  stdout.write(
    settings.command.length === 0
      ? `The app must listen on ${settings.address}, with --mount script-name.\n`
      : `The first request starts the app, which then listens on ${settings.address}.\n`,
  )
}

function remoteSettings(flags: PhpFlags): Settings {
  const site = resolve(flags.output)
  const address = addressOf(flags)
  if (address === undefined) {
    throw new Failure(
      EXIT.usage,
      'Name the module of the app, or where the app listens: --socket or --address.',
    )
  }
  const folder = dirname(site)
  return { address, command: [], folder, site, log: join(folder, 'app.log') }
}

function startedSettings(app: string, flags: PhpFlags): Settings {
  const { site, project, name, log, program, serve } = hostedApp(app, flags)
  const address = addressOf(flags) ?? join(project, 'tmp', `${name}.sock`)
  const at = address.startsWith('/')
    ? ['--path', address]
    : ['--port', address.slice(address.lastIndexOf(':') + 1)]
  const restart = ['--restart-file', join(project, 'tmp/restart.txt'), join(site, 'restart.txt')]
  const command = [...program, 'serve', ...serve, ...at, '--mount', 'script-name', '--detach', ...restart]
  return { address, command, folder: project, site, log }
}

function addressOf({ socket, address }: PhpFlags): string | undefined {
  if (socket !== undefined) return resolve(socket)
  return address && formatAddress(address as SocketAddress)
}

function indexPhp({ address, command, folder, log }: Settings): string {
  return readTemplate('index.php', {
    ADDRESS: quote(address),
    COMMAND: `[${command.map(quote).join(', ')}]`,
    FOLDER: quote(folder),
    // Without a command, the app has no log that PHP knows.
    LOG_FILE: quote(command.length === 0 ? '' : log),
  })
}

const HTACCESS = `${rewriteTo('index.php')}# The app reads uploaded forms. Hide their Content-Type, so that PHP does not read them first.
<IfModule mod_headers.c>
    SetEnvIf Content-Type "^(multipart/form-data.*)" FORM_TYPE=$1
    RequestHeader set Content-Type application/octet-stream env=FORM_TYPE
</IfModule>
# The same for mod_php. It then also passes on request bodies as they arrive.
<IfModule mod_php.c>
    php_flag enable_post_data_reading Off
</IfModule>
<IfModule mod_php7.c>
    php_flag enable_post_data_reading Off
</IfModule>
`
