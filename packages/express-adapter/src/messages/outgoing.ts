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

// Replacements for the methods through which Node's code sends a response. Each response has them as own properties, because Express
// replaces the prototype of a response, and with it the methods of a subclass.

/** Replaces `_storeHeader`, which renders an HTTP/1.1 head. Passes status and headers on as a list. */
export function storeHeader(this: InternalResponse, firstLine: string, headers: HeaderInput): void {
  const head = new HeadBuilder()
  const setHeaders = outHeaders(this)
  if (headers === setHeaders && setHeaders !== null) {
    // Cheaper than `for … in`, because Node's object has no prototype.
    for (const key of Object.keys(setHeaders)) {
      const entry = setHeaders[key]!
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
  // A final response cannot be a 1xx, so `writeHead` below throws. The error response that is sent instead may have a body.
  if (this.statusCode < 200) this._hasBody = this.req.method !== 'HEAD'
  // FastCGI marks the end of the body, whatever the app has set.
  this.chunkedEncoding = false
  // Node has checked the app's statusMessage and put it into the status line as text: `HTTP/1.1 200 OK\r\n`.
  const reason = this.statusMessage === STATUS_CODES[this.statusCode] ? '' : firstLine.slice(13, -2)
  ;(this.socket as ExchangeSocket | null)?.writeHead(this.statusCode, head.list, reason, head.length)
  // `headersSent` is true once `_header` is not empty. Node does not read the text of `_header`.
  this._header = firstLine
  this._headerSent = false
}

/** Replaces `_send`, which puts the head before the first bytes of the body. Sends body bytes only. */
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

/** Replaces `_writeRaw`, which sends 1xx responses. Drops them, because CGI cannot send them. The other caller, `_send`, is replaced, too. */
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

/** Replaces `_finish`, the last call of Node's `end`. Ends the exchange. */
export function finish(this: InternalResponse): void {
  emitPrefinish(this)
  ;(this.socket as ExchangeSocket).sendEnd()
}

/**
 * Wraps the `end` of the response's prototype. What `end` writes is sent together with the end of the response. A body that the
 * app passes to `end` as a whole skips Node's slower code for writing.
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
  // Make Node's `end` call `_send('')` and emit 'finish' when the output has been sent, instead of on the next tick.
  if (this._headerSent && socket.endSendsBytes) this._headerSent = false
  try {
    return inherited === nodeEnd && sendWhole(this, socket, chunk, encoding, callback)
      ? inherited.call(this)
      : inherited.call(this, chunk, encoding, callback)
  } finally {
    socket.leaveEnd()
  }
}

// Does what Node's `end` does with a chunk that is the whole body. Returns false if the chunk needs Node's own code.
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
  // This calls `writeHead`, which the app may have replaced. It may do anything, so the response is checked again.
  response._implicitHeader()
  if (!response._header || response.finished || response.socket !== socket) return false
  if (response._hasBody) socket.send(chunk, null, null, length)
  return true
}

/** Builds the flat list of headers, and notes the headers that determine the length of the body. */
class HeadBuilder {
  /** Name, value, name, value … */
  readonly list: string[] = []
  /** The Content-Length in the list, in bytes. */
  length: number | undefined
  /** The list has a Transfer-Encoding or Trailer header. Node then adds no Content-Length. */
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

  /** Adds headers that were passed to `writeHead`, in any form that it accepts. Node has not validated them. */
  addUnchecked(headers: NonNullable<HeaderInput>): void {
    if (!Array.isArray(headers)) {
      const record = headers as Readonly<Record<string, unknown>>
      for (const name of Object.keys(record)) this.#check(name, record[name])
    } else if (Array.isArray(headers[0])) {
      for (const [name, value] of headers as [string, unknown][]) this.#check(name, value)
    } else {
      if (headers.length % 2 !== 0) {
        throw Object.assign(
          new TypeError('The last header name in the list has no value. Pass names and values in turn.'),
          {
            code: 'ERR_INVALID_ARG_VALUE',
          },
        )
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

  // A Content-Length that is not a number, or two that differ, would break the client's connection (RFC 9110 section 8.6). Neither is
  // sent.
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

// Undefined if the value is not a number of bytes.
function readLength(value: string): number | undefined {
  const digits = value.trim()
  const length = Number(digits)
  // The comparison is nearly always true, and cheaper than the expression.
  const isDecimal = String(length) === digits || /^\d+$/.test(digits)
  return isDecimal && length >= 0 && Number.isSafeInteger(length) ? length : undefined
}
