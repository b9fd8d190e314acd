import { existsSync, statSync, writeFileSync } from 'node:fs'
import { basename, extname, join } from 'node:path'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import { type Output, printJson } from '../terminal.ts'
import { apacheFcgid } from './apache-fcgid.ts'
import { apacheProxy } from './apache-proxy.ts'
import { caddy } from './caddy.ts'
import { checkApp } from './check-app.ts'
import { h2o } from './h2o.ts'
import { haproxy } from './haproxy.ts'
import { lighttpd } from './lighttpd.ts'
import { nginx } from './nginx.ts'
import type { ServerName } from './servers.ts'
import { type Site, type SiteFlags, siteOf } from './site.ts'
import { systemd } from './systemd.ts'
import type { Config, ConfigFile } from './target.ts'

/** What `fcgi-bridge config` is told. */
export interface ConfigFlags extends SiteFlags {
  output?: string
  json?: boolean
  /** Load the app first, and refuse what `serve` refuses. */
  check: boolean
}

const CONFIGS: Readonly<Record<ServerName, (site: Site) => Config>> = {
  nginx,
  'apache-fcgid': apacheFcgid,
  'apache-proxy': apacheProxy,
  lighttpd,
  caddy,
  h2o,
  haproxy,
  systemd,
}

/**
 * Prints a server's config for an app, or writes it to a file. Throws a Failure where the flags make no config, or where
 * `fcgi-bridge serve`, which the config names, would find no app in the module.
 */
export async function printConfig(
  server: ServerName,
  app: string | undefined,
  flags: ConfigFlags,
  stdout: Output,
  stderr: Output,
): Promise<void> {
  const site = siteOf(app, flags)
  const config = CONFIGS[server](site)
  if (site.app !== undefined && flags.check) await checkApp(site.app, stderr)
  if (flags.output !== undefined) write(flags.output, config.files)
  else if (!flags.json) stdout.write(config.files.map((file) => file.text).join('\n'))
  if (flags.json) printJson(config, stdout)
}

function write(output: string, files: readonly ConfigFile[]): void {
  const paths = files.map((file) => placeOf(output, file, files.length))
  const there = paths.find((path) => existsSync(path))
  if (there !== undefined) throw isThere(there)
  for (const [index, path] of paths.entries()) writeNew(path, files[index]!.text)
}

// In a folder each file has its own name. Of several files, such as the units of systemd, each keeps its ending.
function placeOf(output: string, { path }: ConfigFile, count: number): string {
  if (output.endsWith('/') || statSync(output, { throwIfNoEntry: false })?.isDirectory()) {
    return join(output, basename(path))
  }
  const ending = extname(path)
  return count === 1 ? output : `${output.replace(/\.(service|socket)$/, '')}${ending}`
}

function writeNew(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx' })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') throw isThere(path, error)
    throw new Failure(EXIT.failed, `${path} cannot be written: ${message}`, { cause: error })
  }
}

function isThere(path: string, cause?: unknown): Failure {
  const message = `${path} is there already, perhaps with changes of yours. Remove it, or name another file.`
  return new Failure(EXIT.failed, message, cause === undefined ? { code: 'EEXIST' } : { cause })
}
