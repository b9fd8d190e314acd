import {
  FCGI_GET_VALUES_RESULT,
  FCGI_MAX_CONNS,
  FCGI_MAX_REQS,
  FCGI_MPXS_CONNS,
  FCGI_NULL_REQUEST_ID,
} from '../protocol/constants.ts'
import { encodeRecord } from '../protocol/encoder.ts'
import { decodeNameValues, encodeNameValues } from '../protocol/name-values.ts'

/** The variables that FCGI_GET_VALUES queries (section 4.1). */
export interface ServerValues {
  maxConns: number
  maxReqs: number
  mpxsConns: boolean
}

/**
 * The FCGI_GET_VALUES_RESULT for the names in `chunk[start, end)`: each known name once, without the unknown ones. A query that
 * cannot be decoded gets an empty result, because HAProxy waits for a result before it sends a request.
 */
export function encodeValues(chunk: Buffer, start: number, end: number, values: ServerValues): Buffer {
  const known: Record<string, string> = {
    [FCGI_MAX_CONNS]: decimal(values.maxConns),
    [FCGI_MAX_REQS]: decimal(values.maxReqs),
    [FCGI_MPXS_CONNS]: values.mpxsConns ? '1' : '0',
  }
  const asked = new Set(readNames(chunk, start, end))
  const pairs = Object.entries(known).filter(([name]) => asked.has(name))
  return encodeRecord(FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID, encodeNameValues(pairs))
}

function readNames(chunk: Buffer, start: number, end: number): string[] {
  try {
    return decodeNameValues(chunk, start, end).map(([name]) => name)
  } catch {
    return []
  }
}

// Section 4.1 asks for a decimal number. A limit may be Infinity, and front servers store the value in an int.
function decimal(value: number): string {
  return String(Math.min(Math.trunc(value), 0x7fffffff))
}
