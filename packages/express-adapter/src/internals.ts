// All that this package knows of Node's http module beyond its documented face is in this file: how
// lib/_http_outgoing.js, lib/_http_server.js and lib/_http_incoming.js of Node 20 to 26 build, send and end a
// response, and read a request. It is checked when the package is loaded.

import { IncomingMessage, ServerResponse } from 'node:http'

/** Headers in every form in which `writeHead` hands them to `_storeHeader`. */
export type HeaderInput =
  | Readonly<Record<string, unknown>>
  | readonly (readonly [string, unknown])[]
  | readonly unknown[]
  | null
  | undefined

/** Calls back when bytes are out of the process, or with what went wrong. */
export type SendCallback = (error?: Error | null) => void

/** What Node's own code keeps on a response, and the four methods through which all output goes. */
export interface ResponseInternals {
  /** The rendered head, or null; `headersSent` is whether it is truthy. */
  _header: string | null
  _headerSent: boolean
  _hasBody: boolean
  /** What `end(chunk)` has measured, or what the app's Content-Length says. */
  _contentLength: number | null
  _removedContLen: boolean
  chunkedEncoding: boolean
  _closed: boolean
  destroyed: boolean
  /** `writeHead` ends here: status line and headers become `_header`. */
  _storeHeader(firstLine: string, headers: HeaderInput): void
  /** Body bytes, and `''` for "the head, now" or "the end". */
  _send(
    data: string | Uint8Array,
    encoding?: BufferEncoding | null | SendCallback,
    callback?: SendCallback | null,
    byteLength?: number,
  ): boolean
  /** Bytes that are no part of the response: 1xx. */
  _writeRaw(
    data: string | Uint8Array,
    encoding?: BufferEncoding | null | SendCallback,
    callback?: SendCallback | null,
  ): boolean
  /** `end` has handed everything over. */
  _finish(): void
  /** Calls `writeHead` with what has been set. */
  _implicitHeader(): void
  end: NodeEnd
  socket: object | null
}

/** A response with its internals. */
export type InternalResponse = Omit<ServerResponse, keyof ResponseInternals> & ResponseInternals

/** What Node's own code keeps on a request. */
export interface RequestInternals {
  /** Somebody has begun to read. */
  readonly _consuming: boolean
  /** Nobody will read: what comes is dropped. */
  readonly _dumped: boolean
  readonly _readableState: {
    readonly resumeScheduled: boolean
    /** There is a 'readable' listener. */
    readonly readableListening: boolean
    errored: Error | null
  }
  upgrade: boolean | null
  /** Puts one raw header into `headers`, when those are made. */
  _addHeaderLine(field: string, value: string, headers: Record<string, unknown>): void
  /** The raw headers, of which `headers` is made when it is asked for. */
  _addHeaderLines(headers: readonly string[], length: number): void
  /** Reads and drops the rest. */
  _dump(): void
  _destroy(error: Error | null, callback: (error?: Error | null) => void): void
}

/** A request with its internals. */
export type InternalRequest = IncomingMessage & RequestInternals

/** What Node's own code keeps on a socket while a response is written to it. */
export interface SocketInternals {
  _httpMessage: InternalResponse | null
  /** Node 20 and 22: a response on a socket that failed does not emit 'finish'. */
  _hadError: boolean
}

type Constructor<T> = (this: object, ...args: unknown[]) => T

/** Makes a request of an object that exists: Node's constructors are functions. */
export const initIncomingMessage: Constructor<void> = IncomingMessage as unknown as Constructor<void>

/** Makes a response of an object that exists. */
export const initServerResponse: Constructor<void> = ServerResponse as unknown as Constructor<void>

/** Node's own `_addHeaderLine`: it joins what is repeated. */
export const addNodeHeaderLine: RequestInternals['_addHeaderLine'] = (
  IncomingMessage.prototype as unknown as RequestInternals
)._addHeaderLine

const { _finish } = ServerResponse.prototype as unknown as ResponseInternals

/** `end` of a response. */
export type NodeEnd = (
  this: InternalResponse,
  chunk?: unknown,
  encoding?: unknown,
  callback?: unknown,
) => InternalResponse

const { end } = ServerResponse.prototype as unknown as { end: NodeEnd }

/** Node's own `end`; undefined where something else had been put in its place before this package was loaded. */
export const nodeEnd: NodeEnd | undefined = Function.prototype.toString.call(end).includes('_implicitHeader')
  ? end
  : undefined

/** Node's own `_finish`: performance marks, and 'prefinish'. */
export function emitPrefinish(response: InternalResponse): void {
  _finish.call(response)
}

/** The headers set with `setHeader`, as `{ lowerCaseName: [name, value] }`, or null. */
export function outHeaders(response: InternalResponse): Record<string, [string, unknown]> | null {
  return (response as unknown as Record<symbol, Record<string, [string, unknown]> | null>)[kOutHeaders]!
}

/** Whether a `write` has returned false since the last call; says from then on that the app may write. */
export function takeNeedDrain(response: InternalResponse): boolean {
  const flags = response as unknown as Record<symbol, boolean>
  if (!flags[kNeedDrain]) return false
  flags[kNeedDrain] = false
  return true
}

/** Somebody reads the request, or has said that they will. */
export function isRead(request: InternalRequest): boolean {
  return request._consuming || request._readableState.resumeScheduled
}

/** From the end of its response on, the closing of the socket is no abort of the request (`request.signal`, Node 24). */
export function detachSignal(request: InternalRequest): void {
  if (kDetachAbortSignal !== undefined) {
    ;(request as unknown as Record<symbol, () => void>)[kDetachAbortSignal]!()
  }
}

/** Node's end of a response's life, on the tick after 'finish' or with the socket's 'close'. */
export function emitClose(response: InternalResponse): void {
  if (response._closed) return
  response.destroyed = true
  response._closed = true
  response.emit('close')
}

/** The error that a request ends with when its client goes away. */
export function abortedError(): Error {
  return Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
}

/** What the callbacks of writes get that a destroyed stream has dropped. */
export function destroyedError(): Error {
  return Object.assign(new Error('Cannot call write after a stream was destroyed'), {
    code: 'ERR_STREAM_DESTROYED',
  })
}

/**
 * What of the above this Node has not: names of members, and of the steps of a response's life that go another way.
 * Empty where all is well.
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

  if ('signal' in Incoming.prototype && kDetachAbortSignal === undefined) {
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

// Lives through one response, and takes note of where the steps are not those that this package replaces.
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
  if (order !== '_storeHeader _send _finish') missing.push(`the way of a response (${order})`)
}

function findSymbol(object: object, description: string): symbol | undefined {
  return Object.getOwnPropertySymbols(object).find((symbol) => symbol.description === description)
}

// Node 20 and 22 have neither the signal nor this.
const kDetachAbortSignal: symbol | undefined = findSymbol(IncomingMessage.prototype, 'kDetachAbortSignal')
const probe = new ServerResponse(new IncomingMessage(null as never))
const kOutHeaders: symbol = findSymbol(probe, 'kOutHeaders') ?? Symbol('kOutHeaders')
const kNeedDrain: symbol = findSymbol(probe, 'kNeedDrain') ?? Symbol('kNeedDrain')

/** Throws an Error that names this Node and what it lacks, unless `missing` is empty. */
export function requireInternals(missing: readonly string[]): void {
  if (missing.length === 0) return
  throw new Error(
    `@fcgi-bridge/express-adapter can not run on Node ${process.version}: its http module has changed where the adapter ` +
      `takes its place (${missing.join(', ')}). Use a version of the adapter that was tested with this Node, ` +
      'or Node 20, 22, 24 or 26.',
  )
}

requireInternals(missingInternals())
