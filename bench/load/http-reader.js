import { checkBody } from './expected.js'

/** @import { Reader } from './expected.js' */

/**
 * Reads HTTP/1.1 responses with a Content-Length or in chunks. A head that differs from the previous one only in its Date
 * is accepted at once, and any other one is parsed. A body with a Content-Length must have the expected length. If
 * its head was parsed, its content is compared, too. Chunked bodies are not checked.
 * @implements {Reader}
 */
export class HttpReader {
  #expected
  #onResponse
  #mayClose
  /** @type {{ bytes: Buffer, dateStart: number, dateEnd: number, length: number | undefined } | undefined} */
  #knownHead
  #held = Buffer.alloc(0)
  #remaining = 0
  #chunked = false
  #total = 0
  #body
  #tail = Buffer.alloc(0)

  /**
   * @param {import('./expected.js').Expected} expected
   * @param {import('./expected.js').OnResponse} onResponse
   * @param {boolean} [mayClose] The server may close the connection after a response.
   */
  constructor(expected, onResponse, mayClose = false) {
    this.#expected = expected
    this.#onResponse = onResponse
    this.#mayClose = mayClose
  }

  push(chunk) {
    let data = chunk
    while (data.length > 0) {
      if (this.#chunked) return this.#pushChunked(data)
      if (this.#remaining === 0) {
        if (this.#held.length > 0) data = Buffer.concat([this.#held, data])
        const headLength = this.#readHead(data)
        if (headLength === 0) {
          this.#held = Buffer.from(data)
          return
        }
        this.#held = Buffer.alloc(0)
        data = data.subarray(headLength)
        if (this.#chunked) continue
        this.#total = this.#remaining
        if (this.#remaining === 0) {
          this.#end()
          continue
        }
      }
      const length = Math.min(this.#remaining, data.length)
      if (this.#body !== undefined) this.#body += data.toString('latin1', 0, length)
      this.#remaining -= length
      if (this.#remaining === 0) this.#end()
      data = data.subarray(length)
    }
  }

  #readHead(data) {
    const known = this.#knownHead
    if (known !== undefined && isKnown(known, data)) {
      this.#remaining = known.length ?? 0
      this.#chunked = known.length === undefined
      return known.bytes.length
    }
    const end = data.indexOf('\r\n\r\n')
    if (end < 0) return 0
    const head = data.toString('latin1', 0, end + 4)
    if (!head.startsWith('HTTP/1.1 200 ')) throw new Error(`A response has the head: ${head}`)
    if (!this.#mayClose && /^connection: close/im.test(head))
      throw new Error(`The server closes the connection: ${head}`)
    const length = /^content-length: (\d+)/im.exec(head)
    this.#chunked = length === null
    if (this.#chunked && !/^transfer-encoding: chunked/im.test(head)) throw new Error(`No length: ${head}`)
    this.#remaining = length === null ? 0 : Number(length[1])
    const date = /^date: .*$/im.exec(head)
    this.#knownHead = {
      bytes: Buffer.from(head, 'latin1'),
      dateStart: date?.index ?? 0,
      dateEnd: date === null ? 0 : date.index + date[0].length,
      length: length === null ? undefined : this.#remaining,
    }
    this.#body = this.#expected.body === undefined || this.#chunked ? undefined : ''
    return head.length
  }

  // The chunks are not parsed: no body here contains the bytes of the last, empty chunk.
  #pushChunked(data) {
    this.#total += data.length
    this.#tail = Buffer.concat([this.#tail, data.subarray(-5)]).subarray(-5)
    if (this.#tail.toString('latin1') !== '0\r\n\r\n') return
    this.#chunked = false
    this.#tail = Buffer.alloc(0)
    this.#total = 0
    this.#onResponse(1)
  }

  #end() {
    checkBody(this.#expected, this.#total, this.#body)
    this.#body = undefined
    this.#total = 0
    this.#onResponse(1)
  }
}

function isKnown({ bytes, dateStart, dateEnd }, data) {
  return (
    data.length >= bytes.length &&
    data.compare(bytes, 0, dateStart, 0, dateStart) === 0 &&
    data.compare(bytes, dateEnd, bytes.length, dateEnd, bytes.length) === 0
  )
}
