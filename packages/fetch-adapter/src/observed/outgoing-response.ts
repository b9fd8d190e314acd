import { ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Exchange, WriteCallback } from '@fcgi-bridge/core'
import type { ClientSocket } from './client-socket.ts'
import type { IncomingRequest } from './incoming-request.ts'

/** What `writeHead` hands to `_storeHeader`: the headers set before, or those that only `writeHead` was given, in its forms. */
type HeaderInput = Readonly<Record<string, unknown>> | readonly unknown[] | null | undefined

// What lib/_http_outgoing.js keeps on a response, and one of the methods through which its output goes.
interface ResponseInternals {
  _header: string | null
  _hasBody: boolean
  _contentLength: number | null
  _closed: boolean
  _finish(): void
}

/**
 * A ServerResponse that is sent with the exchange. The fetch adapter answers through it, so that monitoring tools see status, headers
 * and events, and so that what they add or send instead reaches the client.
 */
export class OutgoingResponse extends ServerResponse<IncomingRequest> {
  readonly #exchange: Exchange
  #started = false
  #ending = false
  #last: string | Uint8Array | undefined
  // The callbacks of the end: the adapter's, and Node's own. In two fields, because V8 allocates the arrays of a literal in the old
  // generation once many survive a minor collection. Each then keeps its response alive until the next major collection.
  #onSent: WriteCallback | undefined
  #onFinished: WriteCallback | undefined

  constructor(request: IncomingRequest, exchange: Exchange) {
    super(request)
    this.#exchange = exchange
    // Node takes HTTP/2.0 for older than HTTP/1.1. How the body ends is FastCGI's to say.
    this.useChunkedEncodingByDefault = true
    this.shouldKeepAlive = true
    // The front server reads the body of an authorizer's response whatever the method is.
    if (exchange.role === 'authorizer') this.#internals._hasBody = true
  }

  /** The front server may have received a part of it. */
  get started(): boolean {
    return this.#started
  }

  /** Sends the head, and small writes that wait for the end of the turn. */
  flushHead(): void {
    if (this.#exchange.headSent) this.#started = true
    this.#exchange.flush()
  }

  /** `end`, and in one write with it the last chunk. `callback` runs once the bytes are with the operating system, or with an error. */
  endWith(chunk: string | Uint8Array | undefined, callback: WriteCallback | undefined): void {
    if (callback !== undefined) this.#onSent = callback
    this.end(chunk)
  }

  override end(...args: unknown[]): this {
    this.#ending = true
    try {
      // Looked up for each call: tools replace it.
      return Reflect.apply(
        ServerResponse.prototype.end as (...args: unknown[]) => unknown,
        this,
        args,
      ) as this
    } finally {
      this.#ending = false
      // A tool's `end` may have ended nothing.
      if (this.#last !== undefined) this._send('')
    }
  }

  /** Emits 'close', once, as Node does on the tick after 'finish' or with the socket's 'close'. */
  close(): void {
    const internals = this.#internals
    if (internals._closed) return
    this.destroyed = true
    internals._closed = true
    this.emit('close')
  }

  /** In place of Node's, which renders HTTP/1.1: hands status and headers on as they are. */
  _storeHeader(firstLine: string, headers: HeaderInput): void {
    const internals = this.#internals
    const list = this.getHeaderNames().length > 0 ? listSet(this) : listGiven(headers)
    // `end(chunk)` measured the body before.
    const length = internals._contentLength
    if (internals._hasBody && length !== null && !isFramed(list)) list.push('content-length', String(length))
    this.chunkedEncoding = false
    // Node's own phrase is not the app's. Node calls a status that it does not know 'unknown'.
    const isDefault = this.statusMessage === (STATUS_CODES[this.statusCode] ?? 'unknown')
    this.#exchange.writeHead(this.statusCode, list, isDefault ? '' : this.statusMessage)
    internals._header = render(firstLine, list)
  }

  /** In place of Node's: body bytes; `''` only asks for `callback`. */
  _send(
    data: string | Uint8Array,
    encoding?: BufferEncoding | null | WriteCallback,
    callback?: WriteCallback | null,
  ): boolean {
    const done = typeof encoding === 'function' ? encoding : callback
    if (this.#ending) {
      if (done) this.#onFinished = done
      if (data.length > 0) this.#last = toBytes(data, encoding)
      return true
    }
    const last = this.#last
    this.#last = undefined
    this.#started = true
    if (last !== undefined) this.#exchange.write(last)
    return this.#exchange.write(toBytes(data, encoding), done ?? undefined)
  }

  /** In place of Node's, through which only 1xx go out: CGI cannot say them. */
  _writeRaw(_data: unknown, encoding?: unknown, callback?: unknown): boolean {
    const done = typeof encoding === 'function' ? encoding : callback
    if (typeof done === 'function') process.nextTick(done as () => void)
    return true
  }

  /** Node's `end` is done: ends the exchange. */
  _finish(): void {
    finishOfNode.call(this)
    const last = this.#last
    const onSent = this.#onSent
    const onFinished = this.#onFinished
    this.#last = undefined
    const done: WriteCallback = (error) => {
      onSent?.(error)
      onFinished?.(error)
    }
    // The exchange has failed, and core sent the response in its place.
    if (this.#exchange.ended) process.nextTick(done)
    else this.#exchange.end(last, done)
  }

  get #internals(): ResponseInternals {
    return this as unknown as ResponseInternals
  }
}

/** Gives a response its socket, as Node does after `http.server.request.start`. */
export function assignSocket(response: OutgoingResponse, socket: ClientSocket): void {
  response.assignSocket(socket as unknown as Socket)
}

/** Takes a response that was sent off its socket. */
export function detachSocket(response: OutgoingResponse, socket: ClientSocket): void {
  response.detachSocket(socket as unknown as Socket)
}

// 'prefinish', and the end of the performance entry.
const finishOfNode = (ServerResponse.prototype as unknown as ResponseInternals)._finish

function toBytes(data: string | Uint8Array, encoding: unknown): string | Uint8Array {
  return typeof data === 'string' && typeof encoding === 'string' && !/^utf-?8$/i.test(encoding)
    ? Buffer.from(data, encoding as BufferEncoding)
    : data
}

function listSet(response: ServerResponse): string[] {
  const list: string[] = []
  // The names as they were set: those of an authorizer's variables are in upper case.
  const { getRawHeaderNames } = response as unknown as { getRawHeaderNames(): string[] }
  for (const name of getRawHeaderNames.call(response)) push(list, name, response.getHeader(name))
  return list
}

function listGiven(headers: HeaderInput): string[] {
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

// Elastic reads the headers from the text that Node renders for HTTP/1.1.
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
