import { userInfo } from 'node:os'
import { dirname } from 'node:path'
import { type Exchange, type ServeOptions, serve } from '@fcgi-bridge/core'
import { endProgram } from '../end-program.ts'
import { EXIT } from '../exit-codes.ts'
import { reportError } from '../failure.ts'
import { shellWord } from '../shell-word.ts'
import { UnplacedSyntaxError } from './load-module.ts'

// How long (milliseconds) this process responds with the page before it exits. If it exited at once, a front server would start a new
// process for each request, and mod_fcgid pauses after ten starts. The next process loads the app again, which may be fixed by then.
const SERVE_TIME = 5000

/**
 * Responds with a 500 page to the front server that started this process, because the app could not be loaded. Then exits with the
 * status of the failure. The page says where the error is logged, for users without a shell. With `NODE_ENV=development` it
 * contains the error. Throws `error` if no front server started this process.
 */
export async function serveFailure(
  error: unknown,
  listen: ServeOptions,
  logFile: string | undefined,
): Promise<void> {
  const report = reportError(error)
  const place = error instanceof UnplacedSyntaxError ? error.place() : ''
  const text = [report.text, place].join('\n\n').trim()
  await servePage(pageOf(text, logFile), { error, text, exitCode: report.exitCode }, listen)
}

/**
 * Like {@link serveFailure}, but for a log file that cannot be opened. The page contains the error, because there is no log that the user
 * can read.
 */
export async function serveLogFailure(error: unknown): Promise<void> {
  const { text, exitCode } = reportError(error)
  const reason = permissionAdvice((error as Error).cause as NodeJS.ErrnoException) ?? text
  await servePage(`500. The app could not be started. ${reason}\n`, { error, text, exitCode }, {})
}

// Undefined if the error is another one than a lack of permission. With a web server that runs as another user, this is what most users see first.
function permissionAdvice({ code, syscall, path }: NodeJS.ErrnoException): string | undefined {
  if (code !== 'EACCES' || path === undefined) return undefined
  const user = userName()
  const [folder, create, paths] =
    syscall === 'mkdir'
      ? [path, `mkdir ${shellWord(path)}`, shellWord(path)]
      : [dirname(path), `touch ${shellWord(path)}`, `${shellWord(dirname(path))} ${shellWord(path)}`]
  return `Cannot open the log file, because the web server runs as user ${user}, which may not write to ${folder}. Run these commands as your own user:

  ${create}
  setfacl -m u:${user}:rwX ${paths}

If the host has no setfacl, use \`chmod a+rwX ${paths}\` instead. All users of the host can then write there. Wait five seconds, and load this page again.`
}

async function servePage(
  page: string,
  { error, text, exitCode }: { error: unknown; text: string; exitCode: number },
  listen: ServeOptions,
): Promise<void> {
  const server = await serve((exchange) => respond(exchange, page), listen).catch(() => {
    throw error
  })
  process.stderr.write(`fcgi-bridge: ${text}\n`)
  server.once('close', () => void endProgram(exitCode))
  setTimeout(() => void server.close(), SERVE_TIME)
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // The user has no entry in /etc/passwd.
    return String(process.getuid?.())
  }
}

function pageOf(text: string, logFile = 'the error log of the web server'): string {
  const shown = process.env.NODE_ENV === 'development' ? `\n\n${text}` : ''
  return `500. The app could not be started. The error is in ${logFile}. After a correction, the app starts again within five seconds.${shown}\n`
}

function respond(exchange: Exchange, page: string): void {
  exchange.appStatus = EXIT.app
  exchange.writeHead(500, [
    'content-type',
    'text/plain; charset=utf-8',
    'content-length',
    String(Buffer.byteLength(page)),
    'cache-control',
    'no-store',
  ])
  exchange.end(page)
}
