import {
  encodeHeaderText,
  FCGI_BEGIN_REQUEST,
  FCGI_HEADER_LEN,
  FCGI_KEEP_CONN,
  FCGI_PARAMS,
  FCGI_RESPONDER,
  FCGI_STDIN,
  paddingFor,
} from '@fcgi-bridge/core'

/** The most body bytes that are copied to be sent in one write with the records before them. */
export const COPY_MAX = 16_384

const PADDING = Array.from({ length: FCGI_HEADER_LEN }, (_, length) => '\0'.repeat(length))

/**
 * Encodes a request from BEGIN_REQUEST to the end of PARAMS as one string. `params` are the contents of the PARAMS
 * records. With `stdin`, its bytes and the end of STDIN are included. The result has one character per byte: Node
 * writes such a string to a socket without allocating a buffer for it.
 */
export function encodeRequest(
  requestId: number,
  keepConn: boolean,
  params: readonly string[],
  stdin: Uint8Array | undefined,
): string {
  const flags = keepConn ? FCGI_KEEP_CONN : 0
  let message = `${encodeHeaderText(FCGI_BEGIN_REQUEST, requestId, 8, 0)}${String.fromCharCode(0, FCGI_RESPONDER, flags, 0, 0, 0, 0, 0)}`
  for (const content of params) message += encodeText(FCGI_PARAMS, requestId, content)
  message += encodeHeaderText(FCGI_PARAMS, requestId, 0, 0)
  if (stdin === undefined) return message
  if (stdin.length > 0) {
    const content = Buffer.from(stdin.buffer, stdin.byteOffset, stdin.length).toString('latin1')
    message += encodeText(FCGI_STDIN, requestId, content)
  }
  return message + encodeHeaderText(FCGI_STDIN, requestId, 0, 0)
}

function encodeText(type: number, requestId: number, content: string): string {
  const paddingLength = paddingFor(content.length)
  return encodeHeaderText(type, requestId, content.length, paddingLength) + content + PADDING[paddingLength]
}
