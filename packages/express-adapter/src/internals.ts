// The undocumented parts of Node's http module that this package uses. lib/_http_outgoing.js, lib/_http_server.js and
// lib/_http_incoming.js of Node 20 to 26 read a request, and build, send and end a response, in the way described here. The package checks
// this when it is loaded.

import { IncomingMessage, ServerResponse } from 'node:http'

/** Headers in every form that `writeHead` passes to `_storeHeader`. */
export type HeaderInput =
  | Readonly<Record<string, unknown>>
  | readonly (readonly [string, unknown])[]
  | readonly unknown[]
  | null
  | undefined

/** Called when the operating system has the bytes, or with the error. */
export type SendCallback = (error?: Error | null) => void

/** The internal properties of a response, and the four methods through which Node's code sends all output. */
export interface ResponseInternals {
  /** The rendered head, or null. `headersSent` is true if it is not empty. */
  _header: string | null
  _headerSent: boolean
  _hasBody: boolean
  /** The length of the chunk passed to `end`, or the app's Content-Length, in bytes. */
  _contentLength: number | null
  _removedContLen: boolean
  chunkedEncoding: boolean
  _closed: boolean
  destroyed: boolean
  /** The last step of `writeHead`: renders the status line and headers into `_header`. */
  _storeHeader(firstLine: string, headers: HeaderInput): void
  /** Sends body bytes. `''` sends the head at once, or marks the end. */
  _send(
    data: string | Uint8Array,
    encoding?: BufferEncoding | null | SendCallback,
    callback?: SendCallback | null,
    byteLength?: number,
  ): boolean
  /** Sends bytes that do not belong to the final response: 1xx responses. */
  _writeRaw(
    data: string | Uint8Array,
    encoding?: BufferEncoding | null | SendCallback,
    callback?: SendCallback | null,
  ): boolean
  /** The last step of `end`: all output was passed on. */
  _finish(): void
  /** Calls `writeHead` with the status and headers that were set. */
  _implicitHeader(): void
  end: NodeEnd
  socket: object | null
}

/** A response with its internals. */
export type InternalResponse = Omit<ServerResponse, keyof ResponseInternals> & ResponseInternals

/** The internal properties of a request. */
export interface RequestInternals {
  /** The app has begun to read. */
  readonly _consuming: boolean
  /** Nobody will read. The body is dropped as it arrives. */
  readonly _dumped: boolean
  readonly _readableState: {
    readonly resumeScheduled: boolean
    /** There is a 'readable' listener. */
    readonly readableListening: boolean
    errored: Error | null
  }
  upgrade: boolean | null
  /** Adds one raw header to `headers` while Node builds them. */
  _addHeaderLine(field: string, value: string, headers: Record<string, unknown>): void
  /** Sets the raw headers. Node builds `headers` from them on first use. */
  _addHeaderLines(headers: readonly string[], length: number): void
  /** Reads the rest of the body and drops it. */
  _dump(): void
  _destroy(error: Error | null, callback: (error?: Error | null) => void): void
}

/** A request with its internals. */
export type InternalRequest = IncomingMessage & RequestInternals

/** The internal properties of a socket while a response is written to it. */
export interface SocketInternals {
  _httpMessage: InternalResponse | null
  /** The socket has failed. On Node 20 and 22 its response then does not emit 'finish'. */
  _hadError: boolean
}

type Constructor<T> = (this: object, ...args: unknown[]) => T

/** Turns an existing object into a request. Node's constructors are functions, so they can be called on any object. */
export const initIncomingMessage: Constructor<void> = IncomingMessage as unknown as Constructor<void>

/** Turns an existing object into a response. */
export const initServerResponse: Constructor<void> = ServerResponse as unknown as Constructor<void>

/** Node's own `_addHeaderLine`, which joins repeated headers. */
export const addNodeHeaderLine: RequestInternals['_addHeaderLine'] = (
  IncomingMessage.prototype as unknown as RequestInternals
)._addHeaderLine

const { _finish } = ServerResponse.prototype as unknown as ResponseInternals

/** The `end` method of a response. */
export type NodeEnd = (
  this: InternalResponse,
  chunk?: unknown,
  encoding?: unknown,
  callback?: unknown,
) => InternalResponse

const { end } = ServerResponse.prototype as unknown as { end: NodeEnd }

/** Node's own `end`. Undefined if other code replaced it before this package was loaded. */
export const nodeEnd: NodeEnd | undefined = Function.prototype.toString.call(end).includes('_implicitHeader')
  ? end
  : undefined

/** Calls Node's own `_finish`, which sets performance marks and emits 'prefinish'. */
export function emitPrefinish(response: InternalResponse): void {
  _finish.call(response)
}

/** The headers set with `setHeader`, as `{ lowerCaseName: [name, value] }`, or null. */
export function outHeaders(response: InternalResponse): Record<string, [string, unknown]> | null {
  return (response as unknown as Record<symbol, Record<string, [string, unknown]> | null>)[kOutHeaders]!
}

/** Returns whether a `write` has returned false since the last call, and resets that flag. */
export function takeNeedDrain(response: InternalResponse): boolean {
  const flags = response as unknown as Record<symbol, boolean>
  if (!flags[kNeedDrain]) return false
  flags[kNeedDrain] = false
  return true
}

/** The app reads the request, or has called `resume`. */
export function isRead(request: InternalRequest): boolean {
  return request._consuming || request._readableState.resumeScheduled
}

/** Keeps a socket that closes after the response from aborting `request.signal`, which exists since Node 24. */
export function detachSignal(request: InternalRequest): void {
  if (kDetachAbortSignal !== undefined) {
    ;(request as unknown as Record<symbol, () => void>)[kDetachAbortSignal]!()
  }
}

/** Closes a response as Node does on the tick after 'finish', or when its socket closes. */
export function emitClose(response: InternalResponse): void {
  if (response._closed) return
  response.destroyed = true
  response._closed = true
  response.emit('close')
}

/** The error of a request whose client disconnected. */
export function abortedError(): Error {
  return Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
}

/** The error for the callbacks of writes that a destroyed stream has dropped. */
export function destroyedError(): Error {
  return Object.assign(new Error('Cannot call write after a stream was destroyed'), {
    code: 'ERR_STREAM_DESTROYED',
  })
}

/**
 * Lists the parts described above that this version of Node lacks: names of members, and steps of a response that differ. Empty if Node
 * has all of them.
 */
export function missingInternals(
  Incoming: typeof IncomingMessage = IncomingMessage,
  Response: typeof ServerResponse = ServerResponse,
): string[] {
  const missing: string[] = []
  const requireMethods = (prototype: object, names: readonly string[]): void => {
    for (const name of names) {
      if (typeof (prototype as Record<string, unknown>)[name] !== 'function') missing.push(name)
    }
  }
  requireMethods(Incoming.prototype, ['_addHeaderLine', '_addHeaderLines', '_dump', '_destroy', '_read'])
  requireMethods(Response.prototype, ['_storeHeader', '_send', '_writeRaw', '_finish', '_implicitHeader'])

  const request = new Incoming(null as never) as InternalRequest
  requireMembers(request, ['_consuming', '_dumped', 'upgrade', 'complete', 'aborted'], missing)
  for (const name of ['resumeScheduled', 'readableListening', 'errored'] as const) {
    if (request._readableState?.[name] === undefined) missing.push(name)
  }

  // Bun has the signal without this: it then also aborts after a complete response.
  const isBun = process.versions.bun !== undefined
  if (!isBun && 'signal' in Incoming.prototype && kDetachAbortSignal === undefined) {
    missing.push('kDetachAbortSignal')
  }

  const response = new Response(request) as unknown as InternalResponse
  requireMembers(
    response,
    ['_header', '_headerSent', '_hasBody', '_contentLength', '_removedContLen', 'chunkedEncoding', '_closed'],
    missing,
  )
  for (const name of ['kOutHeaders', 'kNeedDrain']) {
    if (findSymbol(response, name) === undefined) missing.push(name)
  }
  if (missing.length === 0) tryResponse(response, missing)
  return missing
}

function requireMembers(object: object, names: readonly string[], missing: string[]): void {
  for (const name of names) {
    if (!(name in object)) missing.push(name)
  }
}

// Sends one response, and notes the steps that differ from those that this package replaces.
function tryResponse(response: InternalResponse, missing: string[]): void {
  const steps: string[] = []
  const socket = {
    _httpMessage: response,
    _writableState: { corked: 0 },
    writable: true,
    writableCorked: 1,
    writableLength: 0,
    writableHighWaterMark: 1,
    cork: () => {},
    uncork: () => {},
  }
  response.socket = socket
  response._storeHeader = (firstLine, headers) => {
    steps.push('_storeHeader')
    response._header = firstLine
    if (headers !== outHeaders(response)) missing.push('the headers of _storeHeader')
  }
  response._send = () => {
    steps.push('_send')
    response._headerSent = true
    return false
  }
  response._finish = () => {
    steps.push('_finish')
  }
  response.setHeader('x', 'y')
  ;(response as unknown as ServerResponse).write('x')
  if (!takeNeedDrain(response)) missing.push('kNeedDrain after write')
  ;(response as unknown as ServerResponse).end('x')
  const order = [...new Set(steps)].join(' ')
  if (order !== '_storeHeader _send _finish') missing.push(`the steps of a response (${order})`)
}

function findSymbol(object: object, description: string): symbol | undefined {
  return Object.getOwnPropertySymbols(object).find((symbol) => symbol.description === description)
}

// Node 20 and 22 have neither `request.signal` nor this symbol.
const kDetachAbortSignal: symbol | undefined = findSymbol(IncomingMessage.prototype, 'kDetachAbortSignal')
const probe = new ServerResponse(new IncomingMessage(null as never))
const kOutHeaders: symbol = findSymbol(probe, 'kOutHeaders') ?? Symbol('kOutHeaders')
const kNeedDrain: symbol = findSymbol(probe, 'kNeedDrain') ?? Symbol('kNeedDrain')

/** Throws an Error that names the version of Node and the missing parts, unless `missing` is empty. */
export function requireInternals(missing: readonly string[]): void {
  if (missing.length === 0) return
  throw new Error(
    `@fcgi-bridge/express-adapter cannot run on Node ${process.version}, whose http module lacks internals that the adapter ` +
      `needs: ${missing.join(', ')}. Use a version of the adapter that was tested with this version of Node, ` +
      'or Node 20, 22, 24 or 26.',
  )
}

requireInternals(missingInternals())
