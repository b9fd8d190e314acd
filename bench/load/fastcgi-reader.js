import { FCGI_END_REQUEST, FCGI_HEADER_LEN, FCGI_STDOUT } from '@fcgi-bridge/core'
import { checkBody } from './expected.js'

/** @import { Reader } from './expected.js' */

/**
 * Reads FastCGI records. The first response on a connection is parsed. A later one with exactly the same bytes is
 * accepted at once, and any other one is parsed.
 * @implements {Reader}
 */
export class FastCgiReader {
  #onResponse
  #expected
  #head = Buffer.alloc(FCGI_HEADER_LEN)
  #headLength = 0
  #type = 0
  #requestId = 0
  #content = 0
  #padding = 0
  #knownResponse
  /** @type {Map<number, CgiResponse>} */
  #responses = new Map()
  #endContent = []

  /** @param {import('./expected.js').Expected} expected @param {import('./expected.js').OnResponse} onResponse */
  constructor(expected, onResponse) {
    this.#expected = expected
    this.#onResponse = onResponse
  }

  push(chunk) {
    if (this.#atStart && this.#knownResponse?.length === chunk.length && this.#knownResponse.equals(chunk)) {
      this.#onResponse(1)
      return
    }
    const startsWithHeader = this.#atStart && chunk.length < 64 * 1024
    const responses = this.#readRecords(chunk)
    // The chunk is one whole response, and its request id is 1. `push` reports the same bytes as a response to request 1.
    if (startsWithHeader && responses === 1 && this.#atStart && this.#requestId === 1)
      this.#knownResponse = Buffer.from(chunk)
  }

  get #atStart() {
    return this.#headLength === 0 && this.#responses.size === 0
  }

  #readRecords(chunk) {
    let ends = 0
    let at = 0
    while (at < chunk.length) {
      if (this.#headLength < FCGI_HEADER_LEN) {
        const end = Math.min(chunk.length, at + FCGI_HEADER_LEN - this.#headLength)
        this.#headLength += chunk.copy(this.#head, this.#headLength, at, end)
        at = end
        if (this.#headLength < FCGI_HEADER_LEN) break
        this.#readHeader()
      }
      const content = Math.min(this.#content, chunk.length - at)
      if (content > 0) {
        this.#take(chunk, at, at + content)
        this.#content -= content
        at += content
      }
      if (this.#content > 0) break
      const padding = Math.min(this.#padding, chunk.length - at)
      this.#padding -= padding
      at += padding
      if (this.#padding > 0) break
      this.#headLength = 0
      if (this.#type === FCGI_END_REQUEST) {
        ends++
        this.#end()
      }
    }
    return ends
  }

  #readHeader() {
    const head = this.#head
    if (head[0] !== 1) throw new Error(`A record has version ${head[0]}.`)
    this.#type = head[1]
    this.#requestId = head.readUInt16BE(2)
    this.#content = head.readUInt16BE(4)
    this.#padding = head[6]
  }

  #take(chunk, start, end) {
    if (this.#type === FCGI_STDOUT) {
      let response = this.#responses.get(this.#requestId)
      if (response === undefined) {
        response = new CgiResponse(this.#expected)
        this.#responses.set(this.#requestId, response)
      }
      response.take(chunk, start, end)
    } else if (this.#type === FCGI_END_REQUEST) {
      this.#endContent.push(...chunk.subarray(start, end))
    } else {
      throw new Error(`A record of type ${this.#type}: ${chunk.toString('latin1', start, end)}`)
    }
  }

  #end() {
    const id = this.#requestId
    const response = this.#responses.get(id)
    if (response === undefined) throw new Error('END_REQUEST arrived without a response.')
    if (this.#endContent[4] !== 0) throw new Error(`END_REQUEST has protocolStatus ${this.#endContent[4]}.`)
    this.#endContent.length = 0
    this.#responses.delete(id)
    response.check()
    this.#onResponse(id)
  }
}

/** The head and the body of a CGI response on STDOUT. */
class CgiResponse {
  #expected
  #head = ''
  #body
  #length = 0
  #headEnded = false

  constructor(expected) {
    this.#expected = expected
    this.#body = expected.body === undefined ? undefined : ''
  }

  take(chunk, start, end) {
    if (!this.#headEnded) {
      const before = this.#head.length
      this.#head += chunk.toString('latin1', start, Math.min(end, start + 4096))
      const headEnd = this.#head.indexOf('\r\n\r\n')
      if (headEnd < 0) return
      this.#headEnded = true
      this.#head = this.#head.slice(0, headEnd + 4)
      start += this.#head.length - before
    }
    this.#length += end - start
    if (this.#body !== undefined) this.#body += chunk.toString('latin1', start, end)
  }

  check() {
    if (!/^status: 200\b/im.test(this.#head)) throw new Error(`A response has the head: ${this.#head}`)
    checkBody(this.#expected, this.#length, this.#body)
  }
}
