import { shellWord } from '../shell-word.ts'
import { type Site, serveWords } from './site.ts'
import { comment, lines } from './text.ts'

/** One file of a config. */
export interface ConfigFile {
  /** Where it belongs on Debian. */
  path: string
  text: string
}

/** What is printed for one server. */
export interface Config {
  files: readonly ConfigFile[]
  /** The shell command that has the server check what it was given. */
  check: string
  /** The shell command that puts it to use. */
  reload: string
  /** The command that starts the app, word by word; none where the front server starts it. */
  app?: readonly string[]
}

/** How long an app may stay silent in a request, in seconds: event streams send something more often. */
export const APP_SILENCE = 300

/** The comment at the top of a front server's config: what it is, where it goes, and what runs the app. */
export function header(what: string, install: string, app: string): string {
  return comment(lines(`${what}. Written by fcgi-bridge config.`, '', install, '', app))
}

/** How an app runs that its front server does not start. */
export function runsByItself(site: Site): string {
  return lines(
    'The app runs by itself: as a service, see `fcgi-bridge config systemd`, or by hand:',
    `  ${['npx', ...serveWords(site)].map(shellWord).join(' ')}`,
    'path' in site.address &&
      'Its socket is for its user and group alone: this server has to be in that group.',
  )
}
