import { shellWord } from '../shell-word.ts'
import { serveWords } from './serve-words.ts'
import type { Site } from './site.ts'
import { comment, lines } from './text.ts'

/** One file of a config. */
export interface ConfigFile {
  /** The file's path on Debian. */
  path: string
  text: string
}

/** The config of one server. */
export interface Config {
  files: readonly ConfigFile[]
  /** The shell command with which the server checks the config. */
  check: string
  /** The shell command with which the server loads the config. */
  reload: string
  /** The words of the command that starts the app. Undefined: the front server starts it. */
  app?: readonly string[]
}

/** The longest time, in seconds, for which an app may be silent during a request. Event streams must send something more often. */
export const APP_READ_TIMEOUT = 300

/** The comment at the top of a config file: what it is, how to install it, and what starts the app. */
export function header(what: string, install: string, app: string): string {
  return comment(lines(`${what}. Written by fcgi-bridge config.`, '', install, '', app))
}

/** The lines of the header comment about an app that its front server does not start. */
export function howToStart(site: Site): string {
  return lines(
    'Start the app as a service (see `fcgi-bridge config systemd`), or by hand:',
    `  ${['npx', ...serveWords(site)].map(shellWord).join(' ')}`,
    'path' in site.address &&
      'Only the app’s user and group can connect to its socket: add the user of this server to that group.',
  )
}

/** The comment for the headers X-Forwarded-For, -Proto and -Host. */
export const FORWARDED_COMMENT =
  '# For libraries that read only headers. These values replace those that a client sends.'

/** The header `Cache-Control` of files whose names contain a hash of their content: browsers need not ask for them again. */
export const HASHED_CACHE_CONTROL = 'public, max-age=31536000, immutable'

/** The comment for these files. */
export const HASHED_COMMENT =
  '# The names of these files contain a hash of their content, so browsers may keep them.'
