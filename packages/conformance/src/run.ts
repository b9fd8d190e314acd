import { setTimeout } from 'node:timers/promises'
import type { Check } from './check.ts'
import { Server, type ServerOptions } from './server.ts'
import { NotApplicable, Unmet } from './verdict.ts'

/** The result of one check. */
export type Result = { readonly check: Check } & (
  | { readonly verdict: 'pass' }
  | { readonly verdict: 'not-applicable'; readonly reason: string }
  | {
      readonly verdict: 'fail'
      /** A description of the records that were sent. Empty if there was no connection. */
      readonly sent: string
      /** What the server must do. */
      readonly expected: string
      /** What the server did. */
      readonly saw: string
    }
)

/** How long to wait for a server that has exited to be restarted, in milliseconds. */
const RESTART_TIMEOUT = 5000

/**
 * Runs checks one after another, each on its own connections, and yields each result at once. A plain request follows each check. If
 * the server does not respond to it, that check fails, and the next one waits until the server has been restarted. If it is not
 * restarted in time, all remaining checks fail. Throws `Unmet` if the server does not respond to a plain request before the first
 * check.
 */
export async function* runChecks(
  checks: readonly Check[],
  options: ServerOptions,
): AsyncGenerator<Result, void> {
  const server = new Server(options)
  try {
    await server.probe()
    server.values = await server.getValues('FCGI_MPXS_CONNS').catch(() => ({}))
    server.closeConnections()
    let lastCheck: string | undefined
    for (const check of checks) {
      if (lastCheck !== undefined) {
        const saw = `none: it has not responded since ${lastCheck}`
        yield { check, verdict: 'fail', sent: '', expected: 'a server', saw }
        continue
      }
      const result = await runCheck(check, server)
      const error = await probeError(server)
      if (error && !(await isRestarted(server))) lastCheck = check.id
      yield error && result.verdict !== 'fail' ? probeFailure(check, error) : result
    }
  } finally {
    server.closeConnections()
  }
}

async function runCheck(check: Check, server: Server): Promise<Result> {
  try {
    await check.run(server)
    return { check, verdict: 'pass' }
  } catch (error) {
    if (error instanceof NotApplicable) return { check, verdict: 'not-applicable', reason: error.message }
    if (!(error instanceof Unmet)) throw error
    const { sent, expected, saw } = error
    return { check, verdict: 'fail', sent, expected, saw }
  } finally {
    server.closeConnections()
  }
}

// The error of a plain request. Undefined if the server responded.
async function probeError(server: Server): Promise<Unmet | undefined> {
  try {
    await server.probe()
    return undefined
  } catch (error) {
    if (error instanceof Unmet) return error
    throw error
  } finally {
    server.closeConnections()
  }
}

async function isRestarted(server: Server): Promise<boolean> {
  const until = performance.now() + RESTART_TIMEOUT
  while (performance.now() < until) {
    await setTimeout(100)
    if (!(await probeError(server))) return true
  }
  return false
}

function probeFailure(check: Check, { saw, sent }: Unmet): Result {
  return { check, verdict: 'fail', sent, expected: 'a response to a plain request after this check', saw }
}
