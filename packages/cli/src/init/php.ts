import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { formatAddress, type SocketAddress } from '@fcgi-bridge/client/address'
import { findModule } from '../app/load-module.ts'
import { projectFolder } from '../app/project-folder.ts'
import { programWords } from '../config/site.ts'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import type { Output } from '../terminal.ts'

/** The flags of `fcgi-bridge init php`. */
export interface PhpFlags {
  output: string
  socket?: string
  address?: { host: string; port: number }
  as?: string
  export?: string
}

/** A file to write, with its lines for the case that the user has such a file already. */
interface NewFile {
  path: string
  text: string
}

const TEMPLATE = new URL('../../init/index.php', import.meta.url)

/**
 * Writes `index.php` and `.htaccess` into the folder of a site on a host that runs only PHP. `index.php` forwards
 * each request to the app over FastCGI, and starts the app if PHP may start programs. Overwrites no file: the content of an `.htaccess` that exists already is printed instead. Throws a Failure if `index.php` exists, or if the folder
 * contains the app, whose files would be public.
 */
export function initPhp(app: string | undefined, flags: PhpFlags, stdout: Output): void {
  const folder = resolve(flags.output)
  const settings = settingsOf(app, flags, folder)
  const index = { path: join(folder, 'index.php'), text: fillIn(settings) }
  if (existsSync(index.path)) {
    throw new Failure(
      EXIT.failed,
      `${index.path} exists already. Remove it, or name another folder with --output.`,
      {
        code: 'EEXIST',
      },
    )
  }
  mkdirSync(folder, { recursive: true })
  mkdirSync(dirname(settings.log), { recursive: true })
  const written: string[] = []
  const kept: NewFile[] = []
  for (const file of [index, htaccess(folder)]) {
    if (existsSync(file.path)) kept.push(file)
    else {
      writeFileSync(file.path, file.text, { flag: 'wx' })
      written.push(file.path)
    }
  }
  stdout.write(report(written, kept, settings))
}

/** What differs from site to site in `index.php`. */
interface Settings {
  address: string
  /** Empty if PHP does not start the app. */
  command: readonly string[]
  folder: string
  log: string
}

function settingsOf(app: string | undefined, flags: PhpFlags, folder: string): Settings {
  if (app === undefined) {
    const at = addressOf(flags)
    if (at === undefined) {
      throw new Failure(
        EXIT.usage,
        'Name the module of the app, or where the app listens: --socket or --address.',
      )
    }
    return { address: at, command: [], folder: dirname(folder), log: join(dirname(folder), 'app.log') }
  }
  const file = findModule(app)
  const project = projectFolder(file)
  if (isInside(project, folder)) {
    throw new Failure(
      EXIT.usage,
      `${project} is inside ${folder}, so the files of the app would be public. Move the app out of the folder of the site.`,
    )
  }
  const address = addressOf(flags) ?? join(project, 'tmp/app.sock')
  const log = join(project, 'tmp/app.log')
  const at = address.startsWith('/')
    ? ['--path', address]
    : ['--port', address.slice(address.lastIndexOf(':') + 1)]
  const kind = [
    ...(flags.as === undefined ? [] : ['--as', flags.as]),
    ...(flags.export === undefined ? [] : ['--export', flags.export]),
  ]
  const serve = ['serve', file, ...kind, ...at, '--mount', 'script-name', '--detach', '--log-file', log]
  return { address, command: [...programWords(), ...serve], folder: project, log }
}

function addressOf({ socket, address }: PhpFlags): string | undefined {
  if (socket !== undefined) return resolve(socket)
  return address && formatAddress(address as SocketAddress)
}

function isInside(inner: string, outer: string): boolean {
  const path = relative(existsSync(outer) ? realpathSync(outer) : outer, inner)
  return path === '' || !(path === '..' || path.startsWith(`..${sep}`))
}

function fillIn({ address, command, folder, log }: Settings): string {
  const values: Record<string, string> = {
    ADDRESS: phpString(address),
    COMMAND: `[${command.map(phpString).join(', ')}]`,
    FOLDER: phpString(folder),
    LOG_FILE: phpString(log),
  }
  return readFileSync(TEMPLATE, 'utf8').replace(/^const (\w+) = .*;$/gm, (line, name: string) =>
    values[name] === undefined ? line : `const ${name} = ${values[name]};`,
  )
}

function phpString(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&')}'`
}

function htaccess(folder: string): NewFile {
  return {
    path: join(folder, '.htaccess'),
    text: `# Files are served as they are. Every other URL goes to the app.
RewriteEngine On
# Apache hides the Authorization header from PHP.
RewriteRule ^ - [E=HTTP_AUTHORIZATION:%{HTTP:Authorization}]
RewriteRule ^index\\.php$ - [L]
RewriteCond %{REQUEST_FILENAME} !-f
RewriteRule ^ index.php [L]
# PHP must leave uploaded forms to the app, so it must not see what they are.
<IfModule mod_headers.c>
    SetEnvIf Content-Type "^(multipart/form-data.*)" FORM_TYPE=$1
    RequestHeader set Content-Type application/octet-stream env=FORM_TYPE
</IfModule>
# The same for mod_php, which then also passes bodies on as they arrive.
<IfModule mod_php.c>
    php_flag enable_post_data_reading Off
</IfModule>
<IfModule mod_php7.c>
    php_flag enable_post_data_reading Off
</IfModule>
`,
  }
}

function report(
  written: readonly string[],
  kept: readonly NewFile[],
  { address, command }: Settings,
): string {
  const parts = [`Wrote ${written.join(', ')}.`]
  for (const { path, text } of kept) parts.push(`${path} exists already. Add these lines to it:\n\n${text}`)
  parts.push(
    command.length === 0
      ? `The app must listen on ${address}, with --mount script-name.`
      : `The first request starts the app, which then listens on ${address}.`,
  )
  return `${parts.join('\n')}\n`
}
