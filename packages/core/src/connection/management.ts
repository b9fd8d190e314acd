import {
  FCGI_GET_VALUES_RESULT,
  FCGI_MAX_CONNS,
  FCGI_MAX_REQS,
  FCGI_MPXS_CONNS,
  FCGI_NULL_REQUEST_ID,
} from '../protocol/constants.ts'
import { encodeRecord } from '../protocol/encoder.ts'
import { decodeNameValues, encodeNameValues } from '../protocol/name-values.ts'

/** The variables that a front server can query with FCGI_GET_VALUES (section 4.1). */
export interface ServerValues {
  maxConns: number
  maxReqs: number
  mpxsConns: boolean
}

/**
 * Encodes the FCGI_GET_VALUES_RESULT for the names in `chunk[start, end)`. Each known name is included once, and unknown names are
 * omitted. If the query cannot be decoded, the result is empty, because HAProxy waits for a result before it sends a request.
 */
export function encodeValues(chunk: Buffer, start: number, end: number, values: ServerValues): Buffer {
  const known: Record<string, string> = {
    [FCGI_MAX_CONNS]: decimal(values.maxConns),
    [FCGI_MAX_REQS]: decimal(values.maxReqs),
    [FCGI_MPXS_CONNS]: values.mpxsConns ? '1' : '0',
  }
  const queried = new Set(readNames(chunk, start, end))
  const pairs = Object.entries(known).filter(([name]) => queried.has(name))
  return encodeRecord(FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID, encodeNameValues(pairs))
}

function readNames(chunk: Buffer, start: number, end: number): string[] {
  try {
    return decodeNameValues(chunk, start, end).map(([name]) => name)
  } catch {
    return []
  }
}

// Section 4.1 requires a decimal number. A limit can be Infinity, and front servers store the value in an int.
function decimal(value: number): string {
  return String(Math.min(Math.trunc(value), 0x7fffffff))
}
