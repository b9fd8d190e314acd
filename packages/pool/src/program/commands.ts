import type { PoolStatus } from '../status.ts'

/** What a control socket takes: one JSON document on one line. The answer is one, too. */
export type PoolCommand = { command: 'reload' | 'status' | 'stop' }

/** The answer of a control socket. Dates are ISO 8601 strings on the wire. */
export type PoolAnswer =
  | { ok: true; status?: PoolStatus }
  | { ok: false; error: { message: string; code?: string } }
