import type { Role } from '../exchange/exchange.ts'
import { FCGI_KEEP_CONN, FCGI_NULL_REQUEST_ID } from '../protocol/constants.ts'
import { ProtocolError } from '../protocol/error.ts'

/** What a FCGI_BEGIN_REQUEST says (section 5.1). */
export interface BeginRequest {
  /** Undefined for a role that there is not. */
  role: Role | undefined
  keepConn: boolean
}

// The roles by their number.
const ROLES: readonly (Role | undefined)[] = [undefined, 'responder', 'authorizer', 'filter']

/** Reads the body `chunk[start, end)`. Throws {@link ProtocolError} for one that is none, and for the id 0. */
export function readBeginRequest(requestId: number, chunk: Buffer, start: number, end: number): BeginRequest {
  if (requestId === FCGI_NULL_REQUEST_ID) {
    throw new ProtocolError(
      'FCGI_ERR_NULL_REQUEST_ID',
      'A request began with the id 0, which is for management records.',
    )
  }
  if (end - start !== 8) {
    throw new ProtocolError('FCGI_ERR_BODY_LENGTH', `A BEGIN_REQUEST of ${end - start} bytes; it has 8.`)
  }
  return {
    role: ROLES[(chunk[start]! << 8) | chunk[start + 1]!],
    keepConn: (chunk[start + 2]! & FCGI_KEEP_CONN) !== 0,
  }
}
