import { type Bytes, bytes } from './bytes.ts'

/** Record types by the names in section 8 of the FastCGI specification. */
export const TYPES = {
  BEGIN_REQUEST: 1,
  ABORT_REQUEST: 2,
  END_REQUEST: 3,
  PARAMS: 4,
  STDIN: 5,
  STDOUT: 6,
  STDERR: 7,
  DATA: 8,
  GET_VALUES: 9,
  GET_VALUES_RESULT: 10,
  UNKNOWN_TYPE: 11,
} as const

/** Roles of a request (section 8). */
export const ROLES = { responder: 1, authorizer: 2, filter: 3 } as const

/** FCGI_KEEP_CONN, a flag of BEGIN_REQUEST (section 8). */
export const KEEP_CONN = 1

/** The maximum content of a record, in bytes (section 3.3: `contentLength` has 16 bits). */
const CONTENT_MAX = 65535

/**
 * One record (section 3.3). The padding bytes are not zero: the specification tells receivers to ignore them, and zeros would hide a
 * receiver that reads them.
 */
export function record(type: number, requestId: number, content: Bytes = '', padding = 0): Buffer {
  const body = bytes(content)
  const header = [1, type, requestId >> 8, requestId % 256, body.length >> 8, body.length % 256, padding, 0]
  return bytes(header, body, Buffer.alloc(padding, 0xaa))
}

/** The body of a BEGIN_REQUEST. `role` defaults to 1 (responder); `flags` takes precedence over `keepConn`. */
export interface BeginOptions {
  role?: number
  keepConn?: boolean
  flags?: number
}

/** A BEGIN_REQUEST record (section 5.1). */
export function begin(
  id: number,
  { role = ROLES.responder, keepConn = false, flags = keepConn ? KEEP_CONN : 0 }: BeginOptions = {},
): Buffer {
  return record(TYPES.BEGIN_REQUEST, id, [role >> 8, role % 256, flags, 0, 0, 0, 0, 0])
}

/** An END_REQUEST record (section 5.5). */
export function endRequest(id: number, appStatus = 0, protocolStatus = 0): Buffer {
  const content = Buffer.alloc(8)
  content.writeUInt32BE(appStatus)
  content[4] = protocolStatus
  return record(TYPES.END_REQUEST, id, content)
}

/** Stream records with `content`, without the empty record that ends the stream. Empty content gives no record. */
export function stream(type: number, id: number, content: Bytes): Buffer {
  return Buffer.concat(pieces(content).map((piece) => record(type, id, piece)))
}

/**
 * The same as {@link stream}, but one buffer per record, and with padding to a multiple of 8 bytes, which section 3.3 recommends.
 */
export function alignedRecords(type: number, id: number, content: Bytes): Buffer[] {
  return pieces(content).map((piece) => record(type, id, piece, (8 - (piece.length % 8)) % 8))
}

function pieces(content: Bytes): Buffer[] {
  const all = bytes(content)
  const list: Buffer[] = []
  for (let at = 0; at < all.length; at += CONTENT_MAX) list.push(all.subarray(at, at + CONTENT_MAX))
  return list
}
