import { STATUS_CODES, validateHeaderName, validateHeaderValue } from 'node:http'
import { isUint8Array } from 'node:util/types'
import {
  emitPrefinish,
  type HeaderInput,
  type InternalResponse,
  type NodeEnd,
  nodeEnd,
  outHeaders,
  type SendCallback,
} from '../internals.ts'
import type { ExchangeSocket } from '../socket/exchange-socket.ts'

// The steps of a response's life that Node's code takes by way of the response itself, and its end. Each response has them as
// its own properties: Express gives a response another prototype, and with that drops a subclass's methods.

/** In place of `_storeHeader`: hands status and headers on as they are, where Node's renders HTTP/1.1. */
export function storeHeader(this: InternalResponse, firstLine: string, headers: HeaderInput): void {
  const head = new Head()
  const own = outHeaders(this)
  if (headers === own && own !== null) {
    for (const key in own) {
      const entry = own[key]!
      head.add(key, entry[0], entry[1])
    }
  } else if (headers) {
    head.addUnchecked(headers)
  }
  if (head.length !== undefined) {
    this._contentLength = head.length
    this._removedContLen = false
  } else if (
    this._hasBody &&
    !head.framed &&
    !this._removedContLen &&
    typeof this._contentLength === 'number'
  ) {
    head.length = this._contentLength
    head.list.push('Content-Length', String(head.length))
  }
  // No final answer has a 1xx, and the one that is given instead of it, below a throw, may well have a body.
  if (this.statusCode < 200) this._hasBody = this.req.method !== 'HEAD'
  // How the body ends is FastCGI's to say, whatever the app has set.
  this.chunkedEncoding = false
  // Node has checked the app's statusMessage, of any type, and made text of it: `HTTP/1.1 200 OK\r\n`.
  const reason = this.statusMessage === STATUS_CODES[this.statusCode] ? '' : firstLine.slice(13, -2)
  ;(this.socket as ExchangeSocket | null)?.writeHead(this.statusCode, head.list, reason, head.length)
  // What it says is for those who look whether there is one.
  this._header = firstLine
  this._headerSent = false
}

/** In place of `_send`: body bytes, without the head that Node's puts before the first of them. */
export function send(
  this: InternalResponse,
  data: string | Uint8Array,
  encoding?: BufferEncoding | null | SendCallback,
  callback?: SendCallback | null,
  byteLength?: number,
): boolean {
  this._headerSent = true
  const socket = this.socket as ExchangeSocket | null
  if (socket === null) return false
  return typeof encoding === 'function'
    ? socket.send(data, null, encoding, byteLength)
    : socket.send(data, encoding, callback, byteLength)
}

/** In place of `_writeRaw`, by which only 1xx go out: CGI has no way to say them. They are swallowed. */
export function writeRaw(
  this: InternalResponse,
  _data: string | Uint8Array,
  encoding?: BufferEncoding | null | SendCallback,
  callback?: SendCallback | null,
): boolean {
  const done = typeof encoding === 'function' ? encoding : callback
  if (done) process.nextTick(done, null)
  return true
}

/** In place of `_finish`, with which Node's `end` hands over: the end of the exchange. */
export function finish(this: InternalResponse): void {
  emitPrefinish(this)
  ;(this.socket as ExchangeSocket).sendEnd()
}

/**
 * In front of `end`, whichever the response's prototype has. What is written within it goes out with the end, and a response
 * that is given whole is spared Node's own way of writing it.
 */
export function end(
  this: InternalResponse,
  chunk?: unknown,
  encoding?: unknown,
  callback?: unknown,
): InternalResponse {
  const { end: inherited } = Object.getPrototypeOf(this) as { end: NodeEnd }
  const socket = this.socket as ExchangeSocket | null
  if (socket === null) return inherited.call(this, chunk, encoding, callback)
  socket.beginEnd()
  try {
    return inherited === nodeEnd && sendWhole(this, socket, chunk, encoding, callback)
      ? inherited.call(this)
      : inherited.call(this, chunk, encoding, callback)
  } finally {
    socket.leaveEnd()
  }
}

// Does what Node's `end` does about its chunk, where that is the whole body. False where Node has to see to it.
function sendWhole(
  response: InternalResponse,
  socket: ExchangeSocket,
  chunk: unknown,
  encoding: unknown,
  callback: unknown,
): boolean {
  if (
    !chunk ||
    callback !== undefined ||
    response._header ||
    response.finished ||
    response.destroyed ||
    response.writableCorked > 0 ||
    response.strictContentLength
  )
    return false
  let length: number
  if (typeof chunk === 'string') {
    if (encoding && encoding !== 'utf8') return false
    length = Buffer.byteLength(chunk)
  } else if (isUint8Array(chunk) && typeof encoding !== 'function') {
    length = chunk.byteLength
  } else return false
  response._contentLength = length
  // By way of writeHead, which may be an app's own, and may do anything.
  response._implicitHeader()
  if (!response._header || response.finished || response.socket !== socket) return false
  if (response._hasBody) socket.send(chunk, null, null, length)
  return true
}

/** Headers on their way into a flat list, and what Node would have noticed of them. */
class Head {
  readonly list: string[] = []
  /** What a Content-Length among them says. */
  length: number | undefined
  /** Transfer-Encoding or Trailer is among them: Node then adds no Content-Length. */
  framed = false
  #badLength = false
  #lengthAt = 0

  add(key: string, name: string, value: unknown): void {
    if (Array.isArray(value)) {
      if (value.length < 2 || key !== 'cookie') {
        for (const item of value) this.#push(key, name, String(item))
        return
      }
      this.#push(key, name, value.join('; '))
    } else {
      this.#push(key, name, String(value))
    }
  }

  /** Takes headers that went to `writeHead` alone, in each of the forms that it takes. */
  addUnchecked(headers: NonNullable<HeaderInput>): void {
    if (!Array.isArray(headers)) {
      const record = headers as Readonly<Record<string, unknown>>
      for (const name of Object.keys(record)) this.#check(name, record[name])
    } else if (Array.isArray(headers[0])) {
      for (const [name, value] of headers as [string, unknown][]) this.#check(name, value)
    } else {
      if (headers.length % 2 !== 0) {
        throw Object.assign(new TypeError('The list of headers has a name without a value.'), {
          code: 'ERR_INVALID_ARG_VALUE',
        })
      }
      for (let i = 0; i < headers.length; i += 2) this.#check(headers[i] as string, headers[i + 1])
    }
  }

  #check(name: string, value: unknown): void {
    validateHeaderName(name)
    for (const item of Array.isArray(value) ? value : [value]) validateHeaderValue(name, item)
    this.add(name.toLowerCase(), name, value)
  }

  #push(key: string, name: string, value: string): void {
    if (key === 'content-length') {
      this.#pushLength(name, value)
      return
    }
    this.list.push(name, value)
    if (key === 'transfer-encoding' || key === 'trailer') this.framed = true
  }

  // A length that is no number, or two that differ, would break the client's connection (RFC 9110 section 8.6).
  #pushLength(name: string, value: string): void {
    if (this.#badLength) return
    const length = readLength(value)
    if (length === undefined || (this.length !== undefined && this.length !== length)) {
      this.#badLength = true
      if (this.length !== undefined) this.list.splice(this.#lengthAt, 2)
      this.length = undefined
    } else if (this.length === undefined) {
      this.length = length
      this.#lengthAt = this.list.length
      this.list.push(name, String(length))
    }
  }
}

// The number in a Content-Length, or undefined.
function readLength(value: string): number | undefined {
  const digits = value.trim()
  const length = Number(digits)
  return /^\d+$/.test(digits) && Number.isSafeInteger(length) ? length : undefined
}
