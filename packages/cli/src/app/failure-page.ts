import { type Exchange, type ServeOptions, serve } from '@fcgi-bridge/core'
import { endProgram } from '../end-program.ts'
import { EXIT } from '../exit-codes.ts'
import { type ErrorReport, reportError } from '../failure.ts'

// How long (milliseconds) this process responds with the page before it exits. If it exited at once, a front server would start a new
// process for each request, and mod_fcgid pauses after ten starts. The next process loads the app again, which may be fixed by then.
const SERVE_TIME = 5000

/**
 * Responds to the front server that started this process with a 500 page, because the app could not be loaded, and then exits with
 * the status of the failure. The page says where the error is logged, for users without a shell. With `NODE_ENV=development` it
 * contains the error. Throws `error` if no front server started this process.
 */
export async function serveFailure(
  error: unknown,
  listen: ServeOptions,
  logFile: string | undefined,
): Promise<void> {
  const report = reportError(error)
  const page = pageOf(report, logFile)
  const server = await serve((exchange) => respond(exchange, page), listen).catch(() => {
    throw error
  })
  process.stderr.write(`fcgi-bridge: ${report.text}\n`)
  server.once('close', () => void endProgram(report.exitCode))
  setTimeout(() => void server.close(), SERVE_TIME)
}

function pageOf({ text }: ErrorReport, logFile = 'the error log of the web server'): string {
  const shown = process.env.NODE_ENV === 'development' ? `\n\n${text}` : ''
  return `500. The app could not be started. The error is in ${logFile}.${shown}\n`
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
