import { existsSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import { type Output, printJson } from '../terminal.ts'
import { apacheFcgid } from './apache-fcgid.ts'
import { apacheProxy } from './apache-proxy.ts'
import { caddy } from './caddy.ts'
import { checkApp } from './check-app.ts'
import { h2o } from './h2o.ts'
import { haproxy } from './haproxy.ts'
import { htaccess } from './htaccess.ts'
import { lighttpd } from './lighttpd.ts'
import { nginx } from './nginx.ts'
import type { ServerName } from './servers.ts'
import { type Site, type SiteFlags, siteOf, usageError } from './site.ts'
import { systemd } from './systemd.ts'
import type { Config, ConfigFile } from './target.ts'
import { isName } from './values.ts'

/** The values of the flags of `fcgi-bridge config`. */
export interface ConfigFlags extends SiteFlags {
  json?: boolean
  /** Load the app first, and fail if `serve` would find no app in it. */
  check: boolean
}

const CONFIGS: Readonly<Record<ServerName, (site: Site) => Config>> = {
  nginx,
  'apache-fcgid': apacheFcgid,
  'apache-proxy': apacheProxy,
  htaccess,
  lighttpd,
  caddy,
  h2o,
  haproxy,
  systemd,
}

/**
 * Prints a server's config for an app, or writes it to a file. Throws a Failure if the flags contradict each other, or if
 * `fcgi-bridge serve` would find no app in the module.
 */
export async function printConfig(
  server: ServerName,
  app: string | undefined,
  flags: ConfigFlags,
  stdout: Output,
  stderr: Output,
): Promise<void> {
  const site = siteOf(app, flags, server === 'systemd' ? unitName(flags.output) : undefined)
  const config = CONFIGS[server](site)
  if (site.app !== undefined && flags.check) await checkApp(site.app, stderr)
  if (flags.output !== undefined) write(flags.output, config.files)
  else if (!flags.json) stdout.write(textOf(config.files))
  if (flags.json) printJson(config, stdout)
}

// The units name each other, so their names must be those of the files. Undefined if `output` is a folder, where the files keep their names.
function unitName(output: string | undefined): string | undefined {
  if (output === undefined || isFolder(output)) return undefined
  const name = basename(stemOf(output))
  if (isName(name)) return name
  throw usageError(
    `--output ${output}: the units are named after the file, and ${name} is not a name of a-z, 0-9 and dashes. Choose another, such as shop.`,
  )
}

// If there are several files, a comment before each has its path.
function textOf(files: readonly ConfigFile[]): string {
  const titled = files.length > 1
  return files.map(({ path, text }) => (titled ? `### ${path} ###\n${text}` : text)).join('\n')
}

function write(output: string, files: readonly ConfigFile[]): void {
  const paths = outputPaths(output, files)
  const existing = paths.find((path) => existsSync(path))
  if (existing !== undefined) throw fileExists(existing)
  for (const [index, path] of paths.entries()) writeNew(path, files[index]!.text)
}

// If `output` is a folder, each file keeps its name. If it is a file name and there are several files with different extensions, such as
// systemd's two units, each gets this name with its own extension. Otherwise, the first file gets this name, and the others keep theirs.
function outputPaths(output: string, files: readonly ConfigFile[]): string[] {
  if (isFolder(output)) {
    return files.map(({ path }) => join(output, basename(path)))
  }
  const extensions = files.map(({ path }) => extname(path))
  if (files.length > 1 && new Set(extensions).size === files.length) {
    return extensions.map((extension) => `${stemOf(output)}${extension}`)
  }
  return [output, ...files.slice(1).map(({ path }) => join(dirname(output), basename(path)))]
}

function isFolder(output: string): boolean {
  return output.endsWith('/') || statSync(output, { throwIfNoEntry: false })?.isDirectory() === true
}

function stemOf(output: string): string {
  return output.replace(/\.(service|socket)$/, '')
}

function writeNew(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx' })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') throw fileExists(path, error)
    throw new Failure(EXIT.failed, `Cannot write ${path}: ${message}`, { cause: error })
  }
}

function fileExists(path: string, cause?: unknown): Failure {
  const message = `${path} already exists, and may contain your changes. Remove it, or choose another file.`
  return new Failure(EXIT.failed, message, cause === undefined ? { code: 'EEXIST' } : { cause })
}
