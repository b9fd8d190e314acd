import type { PoolStatus } from '../status.ts'

/** A command for a control socket: one JSON document on one line. The reply has the same form. */
export type PoolCommand = { command: 'reload' | 'status' | 'stop' }

/** The reply of a control socket. Dates are ISO 8601 strings on the wire. */
export type PoolReply =
  | { ok: true; status?: PoolStatus }
  | { ok: false; error: { message: string; code?: string } }
