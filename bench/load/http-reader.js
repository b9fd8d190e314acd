import { ChunkedBody } from './chunked-body.js'
import { checkBody } from './expected.js'

/** @import { Reader } from './expected.js' */

/**
 * Reads HTTP/1.1 responses with a Content-Length or in chunks. A head that differs from the previous one only in its Date
 * is accepted at once, and any other one is parsed. Each body must have the expected length. If its head was parsed, its
 * content is compared, too.
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
  /** The body in progress, if it is chunked. @type {ChunkedBody | undefined} */
  #chunked
  #total = 0
  #body

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
      if (this.#chunked !== undefined) {
        data = data.subarray(this.#chunked.push(data))
        if (this.#chunked.ended) this.#endChunked(this.#chunked)
        continue
      }
      if (this.#remaining === 0) {
        if (this.#held.length > 0) data = Buffer.concat([this.#held, data])
        const headLength = this.#readHead(data)
        if (headLength === 0) {
          this.#held = Buffer.from(data)
          return
        }
        this.#held = Buffer.alloc(0)
        data = data.subarray(headLength)
        if (this.#chunked !== undefined) continue
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
      if (known.length === undefined) this.#chunked = new ChunkedBody(false)
      return known.bytes.length
    }
    const end = data.indexOf('\r\n\r\n')
    if (end < 0) return 0
    const head = data.toString('latin1', 0, end + 4)
    if (!head.startsWith('HTTP/1.1 200 ')) throw new Error(`A response has the head: ${head}`)
    if (!this.#mayClose && /^connection: close/im.test(head))
      throw new Error(`The server closes the connection: ${head}`)
    const length = /^content-length: (\d+)/im.exec(head)
    if (length === null && !/^transfer-encoding: chunked/im.test(head)) throw new Error(`No length: ${head}`)
    this.#remaining = length === null ? 0 : Number(length[1])
    const date = /^date: .*$/im.exec(head)
    this.#knownHead = {
      bytes: Buffer.from(head, 'latin1'),
      dateStart: date?.index ?? 0,
      dateEnd: date === null ? 0 : date.index + date[0].length,
      length: length === null ? undefined : this.#remaining,
    }
    const keepsBody = this.#expected.body !== undefined
    if (length === null) this.#chunked = new ChunkedBody(keepsBody)
    else this.#body = keepsBody ? '' : undefined
    return head.length
  }

  #endChunked({ length, content }) {
    this.#chunked = undefined
    checkBody(this.#expected, length, content)
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
