import { PoolError } from '../error.ts'
import type { Reason } from './reconcile.ts'
import type { WorkerExit } from './worker-process.ts'

/** How a worker ended before it was ready. */
interface StartFailure {
  pid: number | undefined
  exit: WorkerExit
  reason: Reason
  /** Milliseconds. */
  startTimeout: number
}

/** The error of a call that needs a running pool. */
export function closedError(): PoolError {
  return new PoolError('FCGI_ERR_POOL_CLOSED', 'The pool is closed, or about to be.')
}

/** The error of a pool whose first worker failed. */
export function startFailure(failure: StartFailure): PoolError {
  return new PoolError('FCGI_ERR_POOL_START', `The first worker ${describe(failure)}.`, failure.exit)
}

/** The error of a reload whose new worker failed. */
export function reloadFailure(failure: StartFailure): PoolError {
  const message = `The reload failed, and the old workers keep running: a new worker ${describe(failure)}.`
  return new PoolError('FCGI_ERR_POOL_RELOAD', message, failure.exit)
}

function describe({ pid, exit: { code, signal, error }, reason, startTimeout }: StartFailure): string {
  if (error !== undefined) return `could not be started: ${error.message}`
  const who = `(pid ${pid})`
  if (reason === 'start-timeout') {
    return `${who} did not listen within ${startTimeout / 1000} s. Make it call serve(app) without an address, or raise startTimeout`
  }
  const end = `${who} ended before it listened, with ${signal ?? `exit status ${code}`}`
  return code === 0 ? `${end}. The program must call serve(app) without an address` : end
}
