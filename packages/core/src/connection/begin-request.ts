import type { Role } from '../exchange/exchange.ts'
import { FCGI_KEEP_CONN, FCGI_NULL_REQUEST_ID } from '../protocol/constants.ts'
import { ProtocolError } from '../protocol/error.ts'

/** The content of an FCGI_BEGIN_REQUEST (section 5.1). */
export interface BeginRequest {
  /** Undefined for an unknown role. */
  role: Role | undefined
  keepConn: boolean
}

// The length of the content, in bytes (section 5.1).
const CONTENT_LENGTH = 8

// Indexed by the number of the role.
const ROLES: readonly (Role | undefined)[] = [undefined, 'responder', 'authorizer', 'filter']

/** Decodes the content `chunk[start, end)`. Throws a {@link ProtocolError} for a wrong length and for the request id 0. */
export function readBeginRequest(requestId: number, chunk: Buffer, start: number, end: number): BeginRequest {
  if (requestId === FCGI_NULL_REQUEST_ID) {
    throw new ProtocolError(
      'FCGI_ERR_NULL_REQUEST_ID',
      'FCGI_BEGIN_REQUEST has the request id 0, which is reserved for management records.',
    )
  }
  if (end - start !== CONTENT_LENGTH) {
    throw new ProtocolError(
      'FCGI_ERR_BODY_LENGTH',
      `FCGI_BEGIN_REQUEST has ${end - start} bytes of content instead of ${CONTENT_LENGTH}.`,
    )
  }
  return {
    role: ROLES[(chunk[start]! << 8) | chunk[start + 1]!],
    keepConn: (chunk[start + 2]! & FCGI_KEEP_CONN) !== 0,
  }
}
