import {
  encodeBeginRequest,
  encodeHeader,
  FCGI_HEADER_LEN,
  FCGI_KEEP_CONN,
  FCGI_PARAMS,
  FCGI_RESPONDER,
  FCGI_STDIN,
  paddingFor,
  RECORD_CONTENT_MAX,
} from '@fcgi-bridge/core'

/** The most body bytes that are copied so as to go out in one piece with what is before them. */
export const COPY_MAX = 16_384

/**
 * A request from BEGIN_REQUEST to the end of PARAMS as one buffer; with `stdin`, its bytes and the end of STDIN as
 * well. Params and their values are one character a byte.
 */
export function encodeRequest(
  requestId: number,
  keepConn: boolean,
  params: ReadonlyMap<string, string>,
  stdin: Uint8Array | undefined,
): Buffer {
  const begin = encodeBeginRequest(requestId, FCGI_RESPONDER, keepConn ? FCGI_KEEP_CONN : 0)
  const contents = encodeParams(params)
  let length = begin.length + FCGI_HEADER_LEN
  for (const content of contents) length += recordLength(content.length)
  if (stdin !== undefined) length += FCGI_HEADER_LEN + (stdin.length === 0 ? 0 : recordLength(stdin.length))

  const message = Buffer.allocUnsafe(length)
  let at = begin.copy(message)
  for (const content of contents) {
    const padding = paddingFor(content.length)
    at += encodeHeader(FCGI_PARAMS, requestId, content.length, padding).copy(message, at)
    at += message.write(content, at, 'latin1')
    message.fill(0, at, at + padding)
    at += padding
  }
  at += encodeHeader(FCGI_PARAMS, requestId, 0, 0).copy(message, at)
  if (stdin !== undefined) {
    if (stdin.length > 0) {
      const padding = paddingFor(stdin.length)
      at += encodeHeader(FCGI_STDIN, requestId, stdin.length, padding).copy(message, at)
      message.set(stdin, at)
      at += stdin.length
      message.fill(0, at, at + padding)
      at += padding
    }
    encodeHeader(FCGI_STDIN, requestId, 0, 0).copy(message, at)
  }
  return message
}

// The name-value pairs (section 3.4) as the contents of PARAMS records, nearly always one. A pair is cut only where it
// does not fit a record of its own: PHP-FPM refuses pairs that go on in the next one.
function encodeParams(params: ReadonlyMap<string, string>): string[] {
  const contents: string[] = []
  let content = ''
  for (const [name, value] of params) {
    let pair = encodeLength(name.length) + encodeLength(value.length) + name + value
    if (content.length + pair.length > RECORD_CONTENT_MAX) {
      contents.push(content)
      for (; pair.length > RECORD_CONTENT_MAX; pair = pair.slice(RECORD_CONTENT_MAX)) {
        contents.push(pair.slice(0, RECORD_CONTENT_MAX))
      }
      content = ''
    }
    content += pair
  }
  contents.push(content)
  return contents.filter((one) => one !== '')
}

function encodeLength(length: number): string {
  if (length < 0x80) return String.fromCharCode(length)
  return String.fromCharCode(
    (length >>> 24) | 0x80,
    (length >>> 16) & 0xff,
    (length >>> 8) & 0xff,
    length & 0xff,
  )
}

function recordLength(contentLength: number): number {
  return FCGI_HEADER_LEN + contentLength + paddingFor(contentLength)
}
