import { FCGI_REQUEST_COMPLETE, FCGI_STDERR, FCGI_STDOUT } from '../protocol/constants.ts'
import {
  END_REQUEST_LENGTH,
  encodeEndRequest,
  encodeHeader,
  encodeHeaderText,
  writeEndRequest,
} from '../protocol/encoder.ts'

/** How a response ends: the two fields of FCGI_END_REQUEST (section 5.5), and whether a record follows it. */
export interface EndRequest {
  appStatus: number
  protocolStatus: number
  /** {@link GO_AWAY} follows END_REQUEST in the same write. Default false. */
  goAway?: boolean
}

/**
 * Makes nginx (1.22 and 1.26) stop using a connection: an empty STDERR record of request 1 (section 5.3), the only id that nginx uses. nginx
 * does not keep a connection on which anything follows END_REQUEST, and closes an idle one on which anything arrives. If it has just sent a
 * request on an idle connection, the record arrives before the response, where an empty STDERR record has no effect. So no request
 * is lost, whenever the record is sent. Use it only for nginx: mod_proxy_fcgi responds with a 503 to the next request on such a connection.
 */
export const GO_AWAY: Buffer = encodeHeader(FCGI_STDERR, 1, 0, 0)
const GO_AWAY_TEXT = GO_AWAY.toString('latin1')

// Front servers that do not multiplex use the id 1 for every request.
const COMMON_TAIL: string =
  encodeHeaderText(FCGI_STDOUT, 1, 0, 0) + encodeEndRequest(1, 0, FCGI_REQUEST_COMPLETE).toString('latin1')

/** Encodes the end of STDOUT and, if `end` is given, the records of {@link writeEnd}, as a string with one character per byte. */
export function encodeTail(requestId: number, end: EndRequest | undefined): string {
  const isCommon = end?.appStatus === 0 && end.protocolStatus === FCGI_REQUEST_COMPLETE
  if (isCommon && requestId === 1 && !end.goAway) return COMMON_TAIL
  const eof = encodeHeaderText(FCGI_STDOUT, requestId, 0, 0)
  if (end === undefined) return eof
  const record = encodeEndRequest(requestId, end.appStatus, end.protocolStatus).toString('latin1')
  return eof + record + (end.goAway ? GO_AWAY_TEXT : '')
}

/** Writes END_REQUEST and, if requested, {@link GO_AWAY}. Returns the offset after them. */
export function writeEnd(buffer: Buffer, at: number, requestId: number, end: EndRequest): number {
  const after = writeEndRequest(buffer, at, requestId, end.appStatus, end.protocolStatus)
  return end.goAway ? after + GO_AWAY.copy(buffer, after) : after
}

/** The number of bytes that {@link writeEnd} writes. */
export function endLength({ goAway }: EndRequest): number {
  return END_REQUEST_LENGTH + (goAway ? GO_AWAY.length : 0)
}
