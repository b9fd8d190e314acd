import { userInfo } from 'node:os'
import { dirname, relative } from 'node:path'
import { type Exchange, type ServeOptions, serve } from '@fcgi-bridge/core'
import { endProgram } from '../end-program.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { reportError } from '../failure.ts'
import { shellWord } from '../shell-word.ts'
import { SyntaxErrorWithoutLocation } from './load-module.ts'
import type { RestartRequest } from './restart-while-loading.ts'
import { shownPath } from './shown-path.ts'

// How long (milliseconds) this process responds with the page before it exits. If it exited at once, a front server would start a new
// process for each request, and mod_fcgid pauses after ten starts. The next process loads the app again, which may be fixed by then.
const SERVE_TIME = 5000

/** A response to every request, and how the process then ends. */
interface Page {
  status: 500 | 503
  text: string
  /** What is written to the log. */
  report: string
  /** How long (milliseconds) this process responds before it closes. */
  serveTime: number
  exitCode: ExitCode
}

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
  const { text, exitCode } = reportError(error)
  const location = error instanceof SyntaxErrorWithoutLocation ? error.findLocation() : ''
  const report = [text, location].join('\n\n').trim()
  const page: Page = { status: 500, text: pageOf(report, logFile), report, serveTime: SERVE_TIME, exitCode }
  await servePage(page, error, listen)
}

/**
 * Like {@link serveFailure}, but for a log file that cannot be opened. The page contains the reason, because there is no log that the user
 * can read.
 */
export async function serveLogFailure(error: unknown, logFile: string): Promise<void> {
  const { text: report, exitCode } = reportError(error)
  const cause = (error as Error).cause as NodeJS.ErrnoException
  const reason = permissionAdvice(cause) ?? failureWithoutPath(cause, logFile)
  const text = `500. The app could not be started. ${reason}\n`
  await servePage({ status: 500, text, report, serveTime: SERVE_TIME, exitCode }, error, {})
}

/**
 * Responds with a 503 page to the requests that wait, because the process must restart while the app loads. Then exits with 0. Throws `request`
 * if no front server started this process.
 */
export async function serveRestart(request: RestartRequest, listen: ServeOptions): Promise<void> {
  const { message } = request
  const text = `503. ${message} Load this page again.\n`
  await servePage({ status: 503, text, report: message, serveTime: 0, exitCode: EXIT.ok }, request, listen)
}

// Undefined if the error is another one than a lack of permission. With a web server that runs as another user, this is what most users see first.
function permissionAdvice({ code, syscall, path }: NodeJS.ErrnoException): string | undefined {
  if (code !== 'EACCES' || path === undefined) return undefined
  const user = userName()
  const { name, base, place } = shownPath(path)
  const folder = relative(base, dirname(path)) || '.'
  const [missing, create, paths] =
    syscall === 'mkdir'
      ? [name, `mkdir ${shellWord(name)}`, shellWord(name)]
      : [folder, `touch ${shellWord(name)}`, `${shellWord(folder)} ${shellWord(name)}`]
  return `Cannot open the log file, because the web server runs as user ${user}, which may not write to ${missing} in ${place}. Run these commands there, as your own user:

  ${create}
  setfacl -m u:${user}:rwX ${paths}

If the host has no setfacl, use \`chmod a+rwX ${paths}\` instead. All users of the host can then write there. Wait five seconds, and load this page again.`
}

// The message of the error contains the full path.
function failureWithoutPath({ message }: NodeJS.ErrnoException, logFile: string): string {
  return `Cannot open the log file ${shownPath(logFile).text}: ${message.split(',', 1)[0]}.`
}

async function servePage(page: Page, error: unknown, listen: ServeOptions): Promise<void> {
  const server = await serve((exchange) => respond(exchange, page), listen).catch(() => {
    throw error
  })
  process.stderr.write(`fcgi-bridge: ${page.report}\n`)
  server.once('close', () => void endProgram(page.exitCode))
  setTimeout(() => void server.close(), page.serveTime)
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // The user has no entry in /etc/passwd.
    return String(process.getuid?.())
  }
}

function pageOf(report: string, logFile: string | undefined): string {
  const log = logFile === undefined ? 'the error log of the web server' : shownPath(logFile).text
  const shown = process.env.NODE_ENV === 'development' ? `\n\n${report}` : ''
  return `500. The app could not be started. The error is in ${log}. After a correction, the app starts again within five seconds.${shown}\n`
}

function respond(exchange: Exchange, { status, text }: Page): void {
  if (status === 500) exchange.appStatus = EXIT.app
  exchange.writeHead(status, [
    'content-type',
    'text/plain; charset=utf-8',
    'content-length',
    String(Buffer.byteLength(text)),
    'cache-control',
    'no-store',
    // The new process is started for the next request.
    ...(status === 503 ? ['retry-after', '1'] : []),
  ])
  exchange.end(text)
}
