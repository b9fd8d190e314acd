import { FastCgiError } from '../error.ts'

/** The head of a CGI response (RFC 3875 section 6). */
export interface ResponseHead {
  readonly status: number
  /** Empty if the application sent none. */
  readonly reason: string
  /** [name, value, name, value…] as received, including repeated headers, without `Status`. */
  readonly headers: readonly string[]
  readonly contentLength: number | undefined
  /** The path and query of a local redirect (RFC 3875 section 6.2.2): a Location with a path that is the only header. */
  readonly localLocation: string | undefined
}

// A field name is a token (RFC 9110 section 5.1).
const TOKEN = /^[!#$%&'*+\-.^_`|~\w]+$/
const STATUS = /^(\d{3})(?:[ \t]+(.*))?$/
// The values that node:http can write. Refuse all others here, because node:http would throw only when the gateway sends the response.
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

const LF = 0x0a
const CR = 0x0d

/** Parses a CGI response head from a byte stream that arrives in pieces of any size. */
export class ResponseHeadParser {
  readonly #maxSize: number
  // The bytes of an incomplete head, and their number. The buffer may be larger.
  #gathered: Buffer | undefined
  #length = 0
  // Offsets in #gathered: where the current line begins, and which byte to search next.
  #lineStart = 0
  #scanned = 0
  #head: ResponseHead | undefined

  /** `maxSize` is in bytes, and includes the blank line. */
  constructor(maxSize: number) {
    this.#maxSize = maxSize
  }

  /** The head, once {@link push} has found its end. */
  get head(): ResponseHead {
    return this.#head!
  }

  /**
   * Reads `chunk[start, end)`. Returns where in `chunk` the body begins, or -1 while the head is incomplete.
   * Throws {@link FastCgiError} for a malformed head, or one longer than the limit.
   */
  push(chunk: Buffer, start: number, end: number): number {
    if (start === end) return -1
    if (this.#gathered === undefined) {
      const bodyStart = endOfHead(chunk, start, end)
      if (bodyStart !== -1) {
        this.#checkSize(bodyStart - start)
        this.#head = parseHead(chunk.toString('latin1', start, bodyStart))
        return bodyStart
      }
    }
    // Buffer at most one byte more than the limit. That byte proves that the head is too long.
    const taken = Math.min(end - start, this.#maxSize + 1 - this.#length)
    const before = this.#length
    const gathered = this.#gather(chunk, start, start + taken)
    const bodyStart = this.#endOfGathered(gathered)
    this.#checkSize(bodyStart === -1 ? this.#length : bodyStart)
    if (bodyStart === -1) return -1
    this.#head = parseHead(gathered.toString('latin1', 0, bodyStart))
    return start + bodyStart - before
  }

  // Scans each byte only once. An application may send a long line in one-byte records. Searching the line again for each record would
  // take quadratic time.
  #endOfGathered(gathered: Buffer): number {
    for (; this.#scanned < this.#length; this.#scanned++) {
      if (gathered[this.#scanned] !== LF) continue
      const lineLength = this.#scanned - this.#lineStart
      if (lineLength === 0 || (lineLength === 1 && gathered[this.#lineStart] === CR)) return this.#scanned + 1
      this.#lineStart = this.#scanned + 1
    }
    return -1
  }

  #gather(chunk: Buffer, start: number, end: number): Buffer {
    const needed = this.#length + end - start
    let gathered = this.#gathered
    if (gathered === undefined || gathered.length < needed) {
      const grown = Buffer.allocUnsafe(Math.max(1024, needed * 2))
      gathered?.copy(grown, 0, 0, this.#length)
      gathered = this.#gathered = grown
    }
    chunk.copy(gathered, this.#length, start, end)
    this.#length = needed
    return gathered
  }

  #checkSize(size: number): void {
    if (size > this.#maxSize) {
      throw new FastCgiError(
        'FCGI_ERR_RESPONSE_HEAD_SIZE',
        `The head of the application's response exceeds ${this.#maxSize} bytes. Raise maxHeaderSize if the application needs such a long head.`,
      )
    }
  }
}

// Lines end in LF or CRLF (the newline of RFC 3875 section 7.2). `start` is the start of a line. Returns the position after the
// blank line, or -1.
function endOfHead(chunk: Buffer, start: number, end: number): number {
  for (;;) {
    const lineEnd = chunk.indexOf(LF, start)
    if (lineEnd === -1 || lineEnd >= end) return -1
    if (lineEnd === start || (lineEnd === start + 1 && chunk[start] === CR)) return lineEnd + 1
    start = lineEnd + 1
  }
}

function parseHead(text: string): ResponseHead {
  const headers: string[] = []
  let statusLine: string | undefined
  let location = false
  let contentLength: string | undefined
  for (let start = 0; ; ) {
    const newline = text.indexOf('\n', start)
    const end = text[newline - 1] === '\r' ? newline - 1 : newline
    if (end <= start) break
    const line = text.slice(start, end)
    start = newline + 1

    const colon = line.indexOf(':')
    if (colon < 0) throw badHead('This line is not a header', line)
    const name = line.slice(0, colon)
    const value = line.slice(colon + 1).trim()
    if (!TOKEN.test(name)) throw badHead('This is not a valid header name', name)
    if (!FIELD_VALUE.test(value)) {
      throw badHead(`The value of the header ${name} contains a character that HTTP does not allow`, value)
    }
    switch (name.toLowerCase()) {
      case 'status':
        statusLine ??= value
        continue
      case 'location':
        location = true
        break
      case 'content-length':
        // Two different lengths allow response smuggling (RFC 9110 section 8.6).
        if (!/^\d{1,15}$/.test(value)) {
          throw badHead('Content-Length must be a decimal number of at most 15 digits', value)
        }
        if ((contentLength ?? value) !== value) {
          throw badHead(`Content-Length is repeated with another value than ${contentLength}`, value)
        }
        if (contentLength !== undefined) continue
        contentLength = value
        break
    }
    headers.push(name, value)
  }

  // A Location without a Status is a redirect (RFC 3875 section 6.2.3). A local redirect (6.2.2) that is not followed is a
  // redirect for the client, too.
  const [, status, reason] = STATUS.exec(statusLine ?? (location ? '302 Found' : '200 OK')) ?? []
  if (status === undefined || status < '100') {
    throw badHead('Status must be a number from 100 to 999, and may have a reason', statusLine!)
  }
  return {
    status: Number(status),
    reason: reason ?? '',
    headers,
    contentLength: contentLength === undefined ? undefined : Number(contentLength),
    localLocation: statusLine === undefined && headers.length === 2 ? localPath(headers) : undefined,
  }
}

// `//host/path` names another host to a browser.
function localPath([name, value]: readonly string[]): string | undefined {
  return name!.toLowerCase() === 'location' && /^\/(?!\/)[!-"$-~\x80-\xff]*$/.test(value!) ? value : undefined
}

function badHead(problem: string, text: string): FastCgiError {
  return new FastCgiError(
    'FCGI_ERR_RESPONSE_HEAD',
    `The application's response does not begin with a valid CGI head. ${problem}: ${JSON.stringify(text.slice(0, 120))}`,
  )
}
