import { ServerResponse, STATUS_CODES } from 'node:http'
import type { Exchange, WriteCallback } from '@fcgi-bridge/core'
import type { ClientSocket } from './client-socket.ts'
import type { IncomingRequest } from './incoming-request.ts'

/** The headers that `writeHead` passes to `_storeHeader`: those that were set before, or its own argument. */
type HeaderInput = Readonly<Record<string, unknown>> | readonly unknown[] | null | undefined

// Internal properties of a response (lib/_http_outgoing.js), and two of the methods through which it sends.
interface ResponseInternals {
  _header: string | null
  _hasBody: boolean
  _contentLength: number | null
  _closed: boolean
  socket: ClientSocket | null
  _flush(): void
  _finish(): void
}

/**
 * A ServerResponse that sends through the exchange. The fetch adapter responds through it, so that monitoring tools see status, headers and
 * events. Headers that a tool adds, and a response that a tool sends itself, reach the client.
 */
export class OutgoingResponse extends ServerResponse<IncomingRequest> {
  readonly #exchange: Exchange
  #started = false
  #ending = false
  #lastChunk: string | Uint8Array | undefined
  // The adapter's and Node's callbacks for the end. Two fields, not an array: V8 allocates the arrays of an array literal in the old
  // generation once many of them survive a minor collection. Each then keeps its response alive until the next major collection.
  #onSent: WriteCallback | undefined
  #onFinished: WriteCallback | undefined

  constructor(request: IncomingRequest, exchange: Exchange) {
    super(request)
    this.#exchange = exchange
    // Node treats HTTP/2.0 like a version before HTTP/1.1. FastCGI marks the end of the body, whatever the HTTP version.
    this.useChunkedEncodingByDefault = true
    this.shouldKeepAlive = true
    // The front server reads the body of an authorizer's response, whatever the request method.
    if (exchange.role === 'authorizer') this.#internals._hasBody = true
  }

  /** True if the front server may have received a part of the response. */
  get started(): boolean {
    return this.#started
  }

  /** Sends the head, and small writes that wait for the end of this turn of the event loop. */
  flushHead(): void {
    if (this.#exchange.headSent) this.#started = true
    this.#exchange.flush()
  }

  /**
   * Does what Node does after `http.server.request.start`, except that the socket gets no 'close' listener: {@link ClientSocket.destroy}
   * closes the response itself.
   */
  attach(socket: ClientSocket): void {
    socket._httpMessage = this
    this.#internals.socket = socket
    this.emit('socket', socket)
    this.#internals._flush()
  }

  /** Does what Node does after 'finish'. */
  detach(socket: ClientSocket): void {
    socket._httpMessage = null
    this.#internals.socket = null
  }

  /**
   * Sets the head of the adapter's response. `headers` is name, value, name, value … with names in lower case. Skips Node's `writeHead`,
   * unless a tool replaced it or has set headers.
   */
  setHead(status: number, headers: readonly string[], reason: string): void {
    const internals = this.#internals
    if (this.writeHead !== nodeWriteHead || internals._header !== null || this.getHeaderNames().length > 0) {
      if (reason === '') this.writeHead(status, headers as string[])
      else this.writeHead(status, reason, headers as string[])
      return
    }
    this.statusCode = status
    const standard = STATUS_CODES[status] ?? 'unknown'
    if (reason !== '') this.statusMessage = reason
    else if (!this.statusMessage) this.statusMessage = standard
    const message = this.statusMessage
    if (status === 204 || status === 304) internals._hasBody = false
    this.#exchange.writeHead(status, headers, message === standard ? '' : message)
    internals._header = render(`HTTP/1.1 ${status} ${message}\r\n`, headers)
  }

  /**
   * Sends the last chunk and the end in one write. `callback` runs when the operating system has the bytes, or with an error. Node's `end`
   * gets the chunk only if a tool may look at it there, because writing it through Node's code costs more than the rest of `end`.
   */
  endWith(chunk: string | Uint8Array | undefined, callback: WriteCallback | undefined): void {
    if (callback !== undefined) this.#onSent = callback
    const isOwn = this.end === OutgoingResponse.prototype.end && ServerResponse.prototype.end === nodeEnd
    if (!isOwn || this.strictContentLength || this.destroyed || this.#internals._header === null) {
      this.end(chunk)
      return
    }
    this.#lastChunk = chunk
    this.end()
  }

  override end(...args: unknown[]): this {
    this.#ending = true
    try {
      // Look the method up for each call, because tools replace it.
      return Reflect.apply(
        ServerResponse.prototype.end as (...args: unknown[]) => unknown,
        this,
        args,
      ) as this
    } finally {
      this.#ending = false
      // The `end` of a tool may not have ended the response. Then send the last chunk now.
      if (this.#lastChunk !== undefined) this._send('')
    }
  }

  /** Emits 'close' once. Node does so on the tick after 'finish', or when the socket closes. */
  close(): void {
    const internals = this.#internals
    if (internals._closed) return
    this.destroyed = true
    internals._closed = true
    this.emit('close')
  }

  /** Replaces Node's method, which renders an HTTP/1.1 head. Passes status and headers on as a list. */
  _storeHeader(firstLine: string, headers: HeaderInput): void {
    const internals = this.#internals
    const list = this.getHeaderNames().length > 0 ? listSetHeaders(this) : listPassedHeaders(headers)
    // `end(chunk)` has already measured the body.
    const length = internals._contentLength
    if (internals._hasBody && length !== null && !isFramed(list)) list.push('content-length', String(length))
    this.chunkedEncoding = false
    // Node fills in a reason phrase that the app did not set: the standard one, or 'unknown' for an unknown status.
    const isDefault = this.statusMessage === (STATUS_CODES[this.statusCode] ?? 'unknown')
    this.#exchange.writeHead(this.statusCode, list, isDefault ? '' : this.statusMessage)
    internals._header = render(firstLine, list)
  }

  /**
   * Replaces Node's method. Sends the head, unless it was sent before, and body bytes. While `end` runs, it keeps the bytes and the callback:
   * `_finish` sends the bytes together with the end of the response.
   */
  _send(
    data: string | Uint8Array,
    encoding?: BufferEncoding | null | WriteCallback,
    callback?: WriteCallback | null,
  ): boolean {
    const done = typeof encoding === 'function' ? encoding : callback
    if (this.#ending) {
      if (done) this.#onFinished = done
      if (data.length > 0) this.#lastChunk = toBytes(data, encoding)
      return true
    }
    const last = this.#lastChunk
    this.#lastChunk = undefined
    this.#started = true
    if (last !== undefined) this.#exchange.write(last)
    return this.#exchange.write(toBytes(data, encoding), done ?? undefined)
  }

  /** Replaces Node's method, which only sends 1xx responses. Drops them, because CGI has no way to send them. */
  _writeRaw(_data: unknown, encoding?: unknown, callback?: unknown): boolean {
    const done = typeof encoding === 'function' ? encoding : callback
    if (typeof done === 'function') process.nextTick(done as () => void)
    return true
  }

  /** The last step of Node's `end`. Ends the exchange. */
  _finish(): void {
    finishOfNode.call(this)
    const last = this.#lastChunk
    const onSent = this.#onSent
    const onFinished = this.#onFinished
    this.#lastChunk = undefined
    const done: WriteCallback = (error) => {
      onSent?.(error)
      onFinished?.(error)
    }
    // The exchange has failed, and core has sent its own response.
    if (this.#exchange.ended) process.nextTick(done)
    else this.#exchange.end(last, done)
  }

  get #internals(): ResponseInternals {
    return this as unknown as ResponseInternals
  }
}

// Node's own methods. Undefined if a tool replaced them before this module was loaded.
const nodeWriteHead = nodeMethod('writeHead', 'ERR_HTTP_INVALID_STATUS_CODE')
const nodeEnd = nodeMethod('end', '_implicitHeader')

function nodeMethod<Name extends 'writeHead' | 'end'>(
  name: Name,
  contained: string,
): ServerResponse[Name] | undefined {
  const method = ServerResponse.prototype[name]
  return Function.prototype.toString.call(method).includes(contained) ? method : undefined
}

// Emits 'prefinish' and ends the performance entry.
const finishOfNode = (ServerResponse.prototype as unknown as ResponseInternals)._finish

function toBytes(data: string | Uint8Array, encoding: unknown): string | Uint8Array {
  return typeof data === 'string' && typeof encoding === 'string' && !/^utf-?8$/i.test(encoding)
    ? Buffer.from(data, encoding as BufferEncoding)
    : data
}

function listSetHeaders(response: ServerResponse): string[] {
  const list: string[] = []
  // Keeps the case of the names, because the names of an authorizer's variables are in upper case.
  const { getRawHeaderNames } = response as unknown as { getRawHeaderNames(): string[] }
  for (const name of getRawHeaderNames.call(response)) push(list, name, response.getHeader(name))
  return list
}

function listPassedHeaders(headers: HeaderInput): string[] {
  const list: string[] = []
  if (!headers) return list
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers)) push(list, name, value)
  } else if (Array.isArray(headers[0])) {
    for (const [name, value] of headers as [string, unknown][]) push(list, name, value)
  } else {
    for (let i = 0; i < headers.length; i += 2) push(list, String(headers[i]), headers[i + 1])
  }
  return list
}

function push(list: string[], name: string, value: unknown): void {
  if (typeof value === 'string') list.push(name, value)
  else for (const item of Array.isArray(value) ? value : [value]) list.push(name, String(item))
}

// Elastic reads the headers from the HTTP/1.1 head that Node renders.
function render(firstLine: string, list: readonly string[]): string {
  let text = firstLine
  for (let i = 0; i < list.length; i += 2) text += `${list[i]}: ${list[i + 1]}\r\n`
  return `${text}\r\n`
}

function isFramed(list: readonly string[]): boolean {
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i]!.toLowerCase()
    if (name === 'content-length' || name === 'transfer-encoding') return true
  }
  return false
}
