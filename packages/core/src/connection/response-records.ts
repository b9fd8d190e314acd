import { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import type { WriteCallback } from '../exchange/exchange.ts'
import { FCGI_HEADER_LEN, FCGI_STDERR, FCGI_STDOUT } from '../protocol/constants.ts'
import { encodeHeaderText, paddingFor, RECORD_CONTENT_MAX, writeHeader } from '../protocol/encoder.ts'
import { type EndRequest, encodeTail, endLength, writeEnd } from './end-request.ts'

// Up to this size (bytes), head and body are copied into one buffer, because that is cheaper than a write of several buffers.
const COPY_MAX = 16 * 1024

// HAProxy 2.6 crashes on STDERR records without padding, and on records much larger than 8000 bytes.
const STDERR_CONTENT_MAX = 8000

// Slices below this size (bytes) are copied, because that is cheaper than writing them as separate buffers. A stream is read in pieces
// of 64 KiB, and the last 8 bytes of each do not fit into the first record.
const SLICE_MIN = 512

// The app can write until the socket buffers this many bytes. With Node's high-water mark, each piece of a large body would cost a
// write and an event loop tick. A Unix socket accepts this many bytes at a time.
const WRITE_BUFFER_MAX = 160 * 1024

/**
 * Writes STDOUT content as records: `head` (latin1) and `body`, then the end of STDOUT if `endStream` is true, then END_REQUEST if `end`
 * is given. A small response is one string or buffer, and one write. A large body is written as slices, without a copy. The head and
 * the beginning of the body share a record, because HAProxy 2.6 crashes on a head in two records. Returns false if the caller should
 * wait for 'drain'.
 */
export function writeStdout(
  socket: Writable,
  requestId: number,
  head: string,
  body: Uint8Array | string,
  endStream: boolean,
  end: EndRequest | undefined,
  callback?: WriteCallback,
): boolean {
  const bodyLength = typeof body === 'string' ? Buffer.byteLength(body) : body.length
  const contentLength = head.length + bodyLength
  if (contentLength > COPY_MAX) {
    return writeSlices(socket, requestId, head, body, endStream, end, callback)
  }
  const text = contentLength > 0 ? textOf(body, bodyLength) : undefined
  return text === undefined
    ? socket.write(encodeCopy(requestId, head, body, bodyLength, endStream, end), callback)
    : socket.write(encodeText(requestId, head, text, endStream, end), 'latin1', callback)
}

// Encodes a small response as a string with one character per byte.
function encodeText(
  requestId: number,
  head: string,
  text: string,
  endStream: boolean,
  end: EndRequest | undefined,
): string {
  const contentLength = head.length + text.length
  const paddingLength = paddingFor(contentLength)
  const header = encodeHeaderText(FCGI_STDOUT, requestId, contentLength, paddingLength)
  const tail = endStream ? encodeTail(requestId, end) : ''
  return `${header}${head}${text}${PADDING[paddingLength]}${tail}`
}

// Encodes a small response as a buffer with a copy of the body.
function encodeCopy(
  requestId: number,
  head: string,
  body: Uint8Array | string,
  bodyLength: number,
  endStream: boolean,
  end: EndRequest | undefined,
): Buffer {
  const contentLength = head.length + bodyLength
  const paddingLength = paddingFor(contentLength)
  const buffer = Buffer.allocUnsafe(
    (contentLength > 0 ? FCGI_HEADER_LEN + contentLength + paddingLength : 0) +
      (endStream ? FCGI_HEADER_LEN : 0) +
      (end !== undefined ? endLength(end) : 0),
  )
  let at = 0
  if (contentLength > 0) {
    at = writeHeader(buffer, at, FCGI_STDOUT, requestId, contentLength, paddingLength)
    if (head.length > 0) at += buffer.write(head, at, 'latin1')
    if (typeof body === 'string') {
      if (bodyLength > 0) at += buffer.write(body, at, 'utf8')
    } else {
      buffer.set(body, at)
      at += bodyLength
    }
    for (let i = 0; i < paddingLength; i++) buffer[at++] = 0
  }
  if (endStream) at = writeHeader(buffer, at, FCGI_STDOUT, requestId, 0, 0)
  if (end !== undefined) writeEnd(buffer, at, requestId, end)
  return buffer
}

/**
 * Writes a response head without a body as a STDOUT record without padding. nginx (1.22 and 1.26, unbuffered) does not forward a head
 * that ends in padding until the next byte arrives, so the browser would not open an event stream until its first event. Padding after
 * body content delays nothing. Returns false if the caller should wait for 'drain'.
 */
export function writeHeadAlone(
  socket: Writable,
  requestId: number,
  head: string,
  callback?: WriteCallback,
): boolean {
  if (head.length > RECORD_CONTENT_MAX) {
    return writeStdout(socket, requestId, head, '', false, undefined, callback)
  }
  const header = encodeHeaderText(FCGI_STDOUT, requestId, head.length, 0)
  return socket.write(header + head, 'latin1', callback)
}

// Up to this size (bytes), converting the body to a string is cheaper than converting the head to a buffer.
const TEXT_MAX = 1024

// Returns the body as a string with one character per byte, which Node writes without another buffer. Undefined if that is not cheaper.
function textOf(body: Uint8Array | string, bodyLength: number): string | undefined {
  if (typeof body === 'string') return bodyLength === body.length ? body : undefined
  return bodyLength <= TEXT_MAX && Buffer.isBuffer(body) ? body.toString('latin1') : undefined
}

const PADDING: readonly string[] = Array.from({ length: 8 }, (_, length) => '\0'.repeat(length))

// Writes a large response as several buffers, without copying the body.
function writeSlices(
  socket: Writable,
  requestId: number,
  head: string,
  body: Uint8Array | string,
  endStream: boolean,
  end: EndRequest | undefined,
  callback: WriteCallback | undefined,
): boolean {
  const buffers = encodeSlices(requestId, head, bytesFor(socket, body), endStream, end)
  const last = buffers.pop()!
  socket.cork()
  for (const buffer of buffers) socket.write(buffer)
  // The last write gets the callback, because it completes after all others.
  const more = socket.write(last, callback)
  socket.uncork()
  return more || socket.writableLength < WRITE_BUFFER_MAX
}

// The app may reuse the body's memory after the callback. A stream that is not a socket may hold the bytes for longer, so copy them.
function bytesFor(socket: Writable, body: Uint8Array | string): Buffer {
  if (typeof body === 'string' || !(socket instanceof Socket)) return Buffer.from(body as string)
  return Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}

// Encodes the records as slices of `body` and, between them, slices of one small buffer with record headers, padding and copied bytes.
// Without a head, the partial record comes first. A stream is read in pieces of 64 KiB, which is 8 bytes more than a record holds, and
// these 8 bytes are then copied next to the record headers. A head larger than one record is split, but no front server accepts a head
// of 64 KiB anyway.
function encodeSlices(
  requestId: number,
  head: string,
  body: Buffer,
  endStream: boolean,
  end: EndRequest | undefined,
): Buffer[] {
  const length = head.length + body.length
  const records = Math.ceil(length / RECORD_CONTENT_MAX)
  const small = Buffer.allocUnsafe(
    head.length +
      records * (FCGI_HEADER_LEN + PADDING.length) +
      2 * SLICE_MIN +
      FCGI_HEADER_LEN +
      (end !== undefined ? endLength(end) : 0),
  )
  const buffers: Buffer[] = []
  let sent = 0
  let at = 0
  let headAt = 0
  let bodyAt = 0
  let contentLength = head === '' ? length % RECORD_CONTENT_MAX || RECORD_CONTENT_MAX : RECORD_CONTENT_MAX
  for (let left = length; left > 0; left -= contentLength, contentLength = RECORD_CONTENT_MAX) {
    contentLength = Math.min(left, contentLength)
    const paddingLength = paddingFor(contentLength)
    at = writeHeader(small, at, FCGI_STDOUT, requestId, contentLength, paddingLength)
    let bodyEnd = bodyAt + contentLength
    if (headAt < head.length) {
      const written = small.write(head.slice(headAt, headAt + contentLength), at, 'latin1')
      at += written
      headAt += written
      bodyEnd -= written
    }
    if (bodyEnd - bodyAt < SLICE_MIN) {
      at += body.copy(small, at, bodyAt, bodyEnd)
    } else {
      buffers.push(small.subarray(sent, at), body.subarray(bodyAt, bodyEnd))
      sent = at
    }
    bodyAt = bodyEnd
    for (let i = 0; i < paddingLength; i++) small[at++] = 0
  }
  if (endStream) at = writeHeader(small, at, FCGI_STDOUT, requestId, 0, 0)
  if (end !== undefined) at = writeEnd(small, at, requestId, end)
  if (sent < at) buffers.push(small.subarray(sent, at))
  return buffers
}

/** Writes STDERR content as records that every front server accepts. Returns false if the caller should wait for 'drain'. */
export function writeStderr(socket: Writable, requestId: number, content: Uint8Array): boolean {
  let more = true
  socket.cork()
  for (let at = 0; at < content.length; at += STDERR_CONTENT_MAX) {
    const piece = content.subarray(at, at + STDERR_CONTENT_MAX)
    // Always add padding: 8 bytes if the length is a multiple of 8.
    const paddingLength = paddingFor(piece.length) || 8
    const record = Buffer.allocUnsafe(FCGI_HEADER_LEN + piece.length + paddingLength)
    const contentAt = writeHeader(record, 0, FCGI_STDERR, requestId, piece.length, paddingLength)
    record.set(piece, contentAt)
    record.fill(0, contentAt + piece.length)
    more = socket.write(record)
  }
  socket.uncork()
  return more
}
