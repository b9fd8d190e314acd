import {
  FCGI_BEGIN_REQUEST,
  FCGI_END_REQUEST,
  FCGI_HEADER_LEN,
  FCGI_MAX_LENGTH,
  FCGI_NULL_REQUEST_ID,
  FCGI_UNKNOWN_TYPE,
  FCGI_VERSION_1,
} from './constants.ts'

/**
 * The largest content that this implementation puts into one record, in bytes. It is a multiple of 8, so that a full record needs no
 * padding (section 3.3 recommends alignment to 8 bytes).
 */
export const RECORD_CONTENT_MAX: number = FCGI_MAX_LENGTH - 7

/** Writes a record header into `into` at `at`. Returns the offset after it. */
export function writeHeader(
  into: Buffer,
  at: number,
  type: number,
  requestId: number,
  contentLength: number,
  paddingLength: number,
): number {
  into[at] = FCGI_VERSION_1
  into[at + 1] = type
  into[at + 2] = requestId >>> 8
  into[at + 3] = requestId & 0xff
  into[at + 4] = contentLength >>> 8
  into[at + 5] = contentLength & 0xff
  into[at + 6] = paddingLength
  into[at + 7] = 0
  return at + FCGI_HEADER_LEN
}

/** Encodes a record header as a new buffer. */
export function encodeHeader(
  type: number,
  requestId: number,
  contentLength: number,
  paddingLength: number,
): Buffer {
  const header = Buffer.allocUnsafe(FCGI_HEADER_LEN)
  writeHeader(header, 0, type, requestId, contentLength, paddingLength)
  return header
}

/** Encodes a record header as a string with one character (latin1) per byte. */
export function encodeHeaderText(
  type: number,
  requestId: number,
  contentLength: number,
  paddingLength: number,
): string {
  return String.fromCharCode(
    FCGI_VERSION_1,
    type,
    requestId >>> 8,
    requestId & 0xff,
    contentLength >>> 8,
    contentLength & 0xff,
    paddingLength,
    0,
  )
}

/** Returns the number of padding bytes that align `contentLength` to a multiple of 8. */
export function paddingFor(contentLength: number): number {
  return -contentLength & 7
}

/** Encodes a record with a copy of `content` (at most 65535 bytes), padded with zeros to a multiple of 8. */
export function encodeRecord(type: number, requestId: number, content: Uint8Array): Buffer {
  const paddingLength = paddingFor(content.length)
  const record = Buffer.allocUnsafe(FCGI_HEADER_LEN + content.length + paddingLength)
  const at = writeHeader(record, 0, type, requestId, content.length, paddingLength)
  record.set(content, at)
  record.fill(0, at + content.length)
  return record
}

// The length of the content of FCGI_BEGIN_REQUEST, FCGI_END_REQUEST and FCGI_UNKNOWN_TYPE (sections 5.1, 5.5 and 4.2).
const BODY_LENGTH = 8

/** The number of bytes that {@link writeEndRequest} writes. */
export const END_REQUEST_LENGTH: number = FCGI_HEADER_LEN + BODY_LENGTH

/** Writes an FCGI_END_REQUEST record (section 5.5). Returns the offset after it. */
export function writeEndRequest(
  into: Buffer,
  at: number,
  requestId: number,
  appStatus: number,
  protocolStatus: number,
): number {
  const body = writeHeader(into, at, FCGI_END_REQUEST, requestId, BODY_LENGTH, 0)
  into[body] = appStatus >>> 24
  into[body + 1] = (appStatus >>> 16) & 0xff
  into[body + 2] = (appStatus >>> 8) & 0xff
  into[body + 3] = appStatus & 0xff
  into[body + 4] = protocolStatus
  into[body + 5] = 0
  into[body + 6] = 0
  into[body + 7] = 0
  return body + BODY_LENGTH
}

/** Encodes an FCGI_END_REQUEST record (section 5.5). */
export function encodeEndRequest(requestId: number, appStatus: number, protocolStatus: number): Buffer {
  const record = Buffer.allocUnsafe(END_REQUEST_LENGTH)
  writeEndRequest(record, 0, requestId, appStatus, protocolStatus)
  return record
}

/** Encodes an FCGI_BEGIN_REQUEST record (section 5.1). */
export function encodeBeginRequest(requestId: number, role: number, flags: number): Buffer {
  return encodeRecord(
    FCGI_BEGIN_REQUEST,
    requestId,
    Uint8Array.of(role >>> 8, role & 0xff, flags, 0, 0, 0, 0, 0),
  )
}

/** Encodes an FCGI_UNKNOWN_TYPE record for `type` (section 4.2). */
export function encodeUnknownType(type: number): Buffer {
  return encodeRecord(FCGI_UNKNOWN_TYPE, FCGI_NULL_REQUEST_ID, Uint8Array.of(type, 0, 0, 0, 0, 0, 0, 0))
}
