// What reads answers off a connection: as little work as finds out whether each is the right one.

import { Buffer } from 'node:buffer'

const FCGI_END_REQUEST = 3
const FCGI_STDOUT = 6
const HEADER_LENGTH = 8

/**
 * @typedef {object} Reader
 * @property {(chunk: Buffer) => void} push Takes bytes; the chunk is not kept.
 *
 * @callback OnAnswer Called at the end of each answer.
 * @param {number} requestId 1 over HTTP.
 *
 * @typedef {object} Expected
 * @property {string} [body] The whole body.
 * @property {number} [length] Or how many bytes it has.
 */

/**
 * Reads FastCGI records. The first answer on a connection is read in full; one that has the very same bytes is
 * right without a second look, any other is read in full as well.
 * @implements {Reader}
 */
export class FastCgiReader {
  #onAnswer
  #expected
  #head = Buffer.alloc(HEADER_LENGTH)
  #headLength = 0
  #type = 0
  #requestId = 0
  #content = 0
  #padding = 0
  #known
  /** @type {Map<number, Answer>} */
  #answers = new Map()
  #endContent = []

  /** @param {Expected} expected @param {OnAnswer} onAnswer */
  constructor(expected, onAnswer) {
    this.#expected = expected
    this.#onAnswer = onAnswer
  }

  push(chunk) {
    if (this.#atStart && this.#known?.length === chunk.length && this.#known.equals(chunk)) {
      this.#onAnswer(1)
      return
    }
    const whole = this.#atStart && chunk.length < 64 * 1024
    const answers = this.#walk(chunk)
    // One answer and nothing else, with the id that all requests but multiplexed ones have.
    if (whole && answers === 1 && this.#atStart && this.#requestId === 1) this.#known = Buffer.from(chunk)
  }

  get #atStart() {
    return this.#headLength === 0 && this.#answers.size === 0
  }

  #walk(chunk) {
    let ends = 0
    let at = 0
    while (at < chunk.length) {
      if (this.#headLength < HEADER_LENGTH) {
        const end = Math.min(chunk.length, at + HEADER_LENGTH - this.#headLength)
        this.#headLength += chunk.copy(this.#head, this.#headLength, at, end)
        at = end
        if (this.#headLength < HEADER_LENGTH) break
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
      let answer = this.#answers.get(this.#requestId)
      if (answer === undefined) {
        answer = new Answer(this.#expected)
        this.#answers.set(this.#requestId, answer)
      }
      answer.take(chunk, start, end)
    } else if (this.#type === FCGI_END_REQUEST) {
      this.#endContent.push(...chunk.subarray(start, end))
    } else {
      throw new Error(`A record of type ${this.#type}: ${chunk.toString('latin1', start, end)}`)
    }
  }

  #end() {
    const id = this.#requestId
    const answer = this.#answers.get(id)
    if (answer === undefined) throw new Error('END_REQUEST came without an answer.')
    if (this.#endContent[4] !== 0) throw new Error(`END_REQUEST has protocolStatus ${this.#endContent[4]}.`)
    this.#endContent.length = 0
    this.#answers.delete(id)
    answer.check()
    this.#onAnswer(id)
  }
}

/** The head of a CGI response and its body, as STDOUT carries them. */
class Answer {
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
    if (!/^status: 200\b/im.test(this.#head)) throw new Error(`An answer has the head: ${this.#head}`)
    checkBody(this.#expected, this.#length, this.#body)
  }
}

/**
 * Reads HTTP/1.1 answers that have a Content-Length or come in chunks. A head that differs from the one before in nothing
 * but its Date is known; any other is read in full. The body of the first answer is read, of the others its length.
 * @implements {Reader}
 */
export class HttpReader {
  #expected
  #onAnswer
  /** @type {{ bytes: Buffer, dateStart: number, dateEnd: number, length: number | undefined } | undefined} */
  #known
  #held = Buffer.alloc(0)
  #left = 0
  #chunked = false
  #total = 0
  #body
  #tail = Buffer.alloc(0)

  /** @param {Expected} expected @param {OnAnswer} onAnswer */
  constructor(expected, onAnswer) {
    this.#expected = expected
    this.#onAnswer = onAnswer
  }

  push(chunk) {
    let data = chunk
    while (data.length > 0) {
      if (this.#chunked) return this.#pushChunked(data)
      if (this.#left === 0) {
        if (this.#held.length > 0) data = Buffer.concat([this.#held, data])
        const headLength = this.#readHead(data)
        if (headLength === 0) {
          this.#held = Buffer.from(data)
          return
        }
        this.#held = Buffer.alloc(0)
        data = data.subarray(headLength)
        if (this.#chunked) continue
        this.#total = this.#left
        if (this.#left === 0) {
          this.#end()
          continue
        }
      }
      const length = Math.min(this.#left, data.length)
      if (this.#body !== undefined) this.#body += data.toString('latin1', 0, length)
      this.#left -= length
      if (this.#left === 0) this.#end()
      data = data.subarray(length)
    }
  }

  #readHead(data) {
    const known = this.#known
    if (known !== undefined && isKnown(known, data)) {
      this.#left = known.length ?? 0
      this.#chunked = known.length === undefined
      return known.bytes.length
    }
    const end = data.indexOf('\r\n\r\n')
    if (end < 0) return 0
    const head = data.toString('latin1', 0, end + 4)
    if (!head.startsWith('HTTP/1.1 200 ')) throw new Error(`An answer has the head: ${head}`)
    if (/^connection: close/im.test(head)) throw new Error(`The server closes the connection: ${head}`)
    const length = /^content-length: (\d+)/im.exec(head)
    this.#chunked = length === null
    if (this.#chunked && !/^transfer-encoding: chunked/im.test(head)) throw new Error(`No length: ${head}`)
    this.#left = length === null ? 0 : Number(length[1])
    const date = /^date: .*$/im.exec(head)
    this.#known = {
      bytes: Buffer.from(head, 'latin1'),
      dateStart: date?.index ?? 0,
      dateEnd: date === null ? 0 : date.index + date[0].length,
      length: length === null ? undefined : this.#left,
    }
    this.#body = this.#expected.body === undefined || this.#chunked ? undefined : ''
    return head.length
  }

  // Chunks are not taken apart: no body here has the bytes of the last, empty one.
  #pushChunked(data) {
    this.#total += data.length
    this.#tail = Buffer.concat([this.#tail, data.subarray(-5)]).subarray(-5)
    if (this.#tail.toString('latin1') !== '0\r\n\r\n') return
    this.#chunked = false
    this.#tail = Buffer.alloc(0)
    this.#total = 0
    this.#onAnswer(1)
  }

  #end() {
    checkBody(this.#expected, this.#total, this.#body)
    this.#body = undefined
    this.#total = 0
    this.#onAnswer(1)
  }
}

function isKnown({ bytes, dateStart, dateEnd }, data) {
  return (
    data.length >= bytes.length &&
    data.compare(bytes, 0, dateStart, 0, dateStart) === 0 &&
    data.compare(bytes, dateEnd, bytes.length, dateEnd, bytes.length) === 0
  )
}

function checkBody(expected, length, body) {
  if (body !== undefined && Buffer.from(body, 'latin1').toString() !== expected.body) {
    throw new Error(`An answer has the body ${JSON.stringify(body.slice(0, 200))}.`)
  }
  const wanted = expected.length ?? Buffer.byteLength(expected.body ?? '')
  if (length !== wanted) throw new Error(`An answer has ${length} bytes, not ${wanted}.`)
}
