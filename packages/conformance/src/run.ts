import { setTimeout } from 'node:timers/promises'
import type { Check } from './check.ts'
import { Server, type ServerOptions } from './server.ts'
import { NotApplicable, Unmet } from './verdict.ts'

/** What one check came to. */
export type Result = { readonly check: Check } & (
  | { readonly verdict: 'pass' }
  | { readonly verdict: 'not-applicable'; readonly reason: string }
  | {
      readonly verdict: 'fail'
      /** The records that were sent, in words; empty where there was no connection. */
      readonly sent: string
      /** What must happen. */
      readonly expected: string
      /** What happened. */
      readonly saw: string
    }
)

/** How long a server that has ended may take to be started again, in milliseconds. */
const RESTART = 5000

/**
 * Runs checks one after the other, each on connections of its own, and gives their results as they come. A server that does
 * not answer, or has ended, fails the check that made it so; it is waited for until it is back, and what it can not be asked any more fails too.
 * Throws `Unmet` where it serves no plain request to begin with.
 */
export async function* runChecks(
  checks: readonly Check[],
  options: ServerOptions,
): AsyncGenerator<Result, void> {
  const server = new Server(options)
  try {
    await server.probe()
    server.values = await server.askValues('FCGI_MPXS_CONNS').catch(() => ({}))
    server.release()
    let lost: string | undefined
    for (const check of checks) {
      if (lost !== undefined) {
        yield { check, verdict: 'fail', sent: '', expected: 'a server', saw: `none any more, since ${lost}` }
        continue
      }
      const result = await runCheck(check, server)
      const gone = await isGone(server)
      if (gone && !(await comesBack(server))) lost = check.id
      yield gone && result.verdict !== 'fail' ? goneResult(check, gone) : result
    }
  } finally {
    server.release()
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
    server.release()
  }
}

async function isGone(server: Server): Promise<Unmet | undefined> {
  try {
    await server.probe()
    return undefined
  } catch (error) {
    if (error instanceof Unmet) return error
    throw error
  } finally {
    server.release()
  }
}

async function comesBack(server: Server): Promise<boolean> {
  const until = performance.now() + RESTART
  while (performance.now() < until) {
    await setTimeout(100)
    if (!(await isGone(server))) return true
  }
  return false
}

function goneResult(check: Check, { saw, sent }: Unmet): Result {
  return { check, verdict: 'fail', sent, expected: 'a plain request to be served afterwards', saw }
}
