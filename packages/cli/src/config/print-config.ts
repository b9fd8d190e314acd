import { writeFileSync } from 'node:fs'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import { type Output, printJson } from '../terminal.ts'
import { apacheFcgid } from './apache-fcgid.ts'
import { apacheProxy } from './apache-proxy.ts'
import { caddy } from './caddy.ts'
import { h2o } from './h2o.ts'
import { haproxy } from './haproxy.ts'
import { lighttpd } from './lighttpd.ts'
import { nginx } from './nginx.ts'
import type { ServerName } from './servers.ts'
import { type Site, type SiteFlags, siteOf } from './site.ts'
import { systemd } from './systemd.ts'
import type { Config } from './target.ts'

/** What `fcgi-bridge config` is told. */
export interface ConfigFlags extends SiteFlags {
  output?: string
  json?: boolean
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

/** Prints a server's config for an app, or writes it to a file. Throws a Failure where the flags make no config. */
export function printConfig(
  server: ServerName,
  app: string | undefined,
  flags: ConfigFlags,
  stdout: Output,
): void {
  const config = CONFIGS[server](siteOf(app, flags))
  const text = config.files.map((file) => file.text).join('\n')
  if (flags.output !== undefined) write(flags.output, text)
  else if (!flags.json) stdout.write(text)
  if (flags.json) printJson(config, stdout)
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: 'wx' })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why =
      code === 'EEXIST'
        ? 'is there already, perhaps with changes of yours. Remove it, or name another file.'
        : `can not be written: ${message}`
    throw new Failure(EXIT.failed, `${file} ${why}`, { cause: error })
  }
}
