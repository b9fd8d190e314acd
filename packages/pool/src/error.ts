import type { WorkerExit } from './master/worker-process.ts'

/** The `code` of a {@link PoolError}. */
export type PoolErrorCode =
  /** The first worker ended, or did not listen in time, before any worker was ready. */
  | 'FCGI_ERR_POOL_START'
  /** A new worker failed, so the reload failed. The old workers keep running. */
  | 'FCGI_ERR_POOL_RELOAD'
  /** The pool is closing, or was closed. */
  | 'FCGI_ERR_POOL_CLOSED'

/** An error of a pool. */
export class PoolError extends Error {
  readonly code: PoolErrorCode
  /** How the worker ended, if that is the reason. */
  readonly exit: WorkerExit | undefined

  constructor(code: PoolErrorCode, message: string, exit?: WorkerExit) {
    super(message, exit?.error === undefined ? undefined : { cause: exit.error })
    this.name = 'PoolError'
    this.code = code
    this.exit = exit
  }
}
