import { stringify } from 'node:querystring'
import { type Dispatcher, errors } from 'undici'
import { type Body, toBody } from './body.ts'
import { BufferedSource } from './buffered-source.ts'
import { flattenHeaders } from './headers.ts'
import { buildParams, type FastCgiParams, type FastCgiRequestInfo, type ParamsOptions } from './params.ts'
import type { ScriptMapping } from './script.ts'

/** The options of {@link FastCgiDispatcher.dispatch}, and so of `request`, `stream` and `pipeline`. */
export interface FastCgiDispatchOptions extends Omit<Dispatcher.DispatchOptions, 'body'> {
  /** A string, bytes, a Node or web stream, an iterable or async iterable of pieces, a Blob, or FormData. */
  body?: unknown
  /** Variables to add or replace for this request, after those of the dispatcher's options. */
  params?: FastCgiParams
}

/** A request. It is ready to be sent unless {@link ClientRequest.buffered} is set. */
export interface ClientRequest {
  readonly method: string
  /** Sending it twice has the same effect as sending it once (RFC 9110 section 9.2.2). */
  readonly idempotent: boolean
  /** The requested path and query. */
  readonly target: string
  /** The contents of the PARAMS records, one character per byte. */
  readonly params: readonly string[]
  readonly body: Body | null
  /** The value of CONTENT_LENGTH; undefined when it is not sent. */
  readonly contentLength: number | undefined
  readonly info: FastCgiRequestInfo
  /** Set while the length of the body is unknown: the body has to be buffered before the request can be sent. */
  readonly buffered?: BufferedRequest
}

/** A request whose body has to be read before its params can be built. */
export interface BufferedRequest {
  readonly source: BufferedSource
  /** Returns the request with its whole body. Throws what {@link toRequest} throws. */
  complete(bytes: Uint8Array): ClientRequest
}

// RFC 9110 section 9.2.2.
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/**
 * Reads the options of one `dispatch`. A body without a length is buffered, up to `maxBufferedBody` bytes. If
 * `maxBufferedBody` is undefined, it is sent without a length. Throws undici's errors for invalid options, and {@link
 * FastCgiError} for a request that CGI cannot express.
 */
export function toRequest(
  options: FastCgiDispatchOptions,
  mapping: ScriptMapping,
  params: ParamsOptions['params'],
  maxBufferedBody?: number,
): ClientRequest {
  const info = toRequestInfo(options)
  const body = toBody(options.body)
  try {
    const contentLength = contentLengthOf(info, body)
    const isUnknown = contentLength === undefined && body !== null
    const request = {
      method: info.method,
      idempotent: options.idempotent ?? IDEMPOTENT.has(info.method),
      target: info.path,
      params: [] as readonly string[],
      body,
      contentLength,
      info,
    }
    const paramsInfo = withContentType(info, body)
    if (isUnknown && maxBufferedBody !== undefined) {
      return buffered(request, body, maxBufferedBody, (length) =>
        buildParams(paramsInfo, length, mapping, params, options.params),
      )
    }
    const bodyLength = contentLength ?? (isUnknown ? 'unknown' : 'none')
    request.params = buildParams(paramsInfo, bodyLength, mapping, params, options.params)
    return request
  } catch (error) {
    body?.source?.stop(error as Error)
    throw error
  }
}

function buffered(
  request: ClientRequest,
  body: Body,
  limit: number,
  paramsFor: (length: number) => string[],
): ClientRequest {
  const source = new BufferedSource(body.source!, limit)
  const complete = (bytes: Uint8Array): ClientRequest => {
    const { length } = bytes
    const whole = { ...body, bytes, source: undefined, length }
    return { ...request, params: paramsFor(length), body: whole, contentLength: length }
  }
  return { ...request, body: { ...body, source }, buffered: { source, complete } }
}

function toRequestInfo(options: FastCgiDispatchOptions): FastCgiRequestInfo {
  if (typeof options !== 'object' || options === null)
    throw new errors.InvalidArgumentError('opts must be an object.')
  const { method, query, origin, upgrade } = options
  if (typeof method !== 'string' || !/^[!#$%&'*+\-.^_`|~\w]+$/.test(method)) {
    throw new errors.InvalidArgumentError('invalid request method')
  }
  if (method === 'CONNECT' || upgrade) {
    throw new errors.NotSupportedError('FastCGI cannot upgrade a connection or tunnel')
  }
  let { path } = options
  // The path is sent unchanged, so it must be valid in an HTTP request line.
  if (typeof path !== 'string' || !/^(?:\/[!-\xff]*|\*)$/.test(path)) {
    throw new errors.InvalidArgumentError('path must start with a slash and contain no blanks')
  }
  if (query) {
    if (/[?#]/.test(path)) {
      throw new errors.InvalidArgumentError('query cannot be combined with a path that contains "?" or "#"')
    }
    const text = stringify(query)
    if (text !== '') path += `?${text}`
  }
  return { method, path, origin: origin?.toString(), headers: flattenHeaders(options.headers) }
}

/** Returns the length in the headers or that of the body. Throws if both are known and differ. */
function contentLengthOf(info: FastCgiRequestInfo, body: Body | null): number | undefined {
  let declared: number | undefined
  for (let i = 0; i < info.headers.length; i += 2) {
    const name = info.headers[i]!
    if (name.length !== 14 || name.toLowerCase() !== 'content-length') continue
    const value = info.headers[i + 1]!
    if (!/^\d{1,15}$/.test(value) || declared !== undefined) {
      throw new errors.InvalidArgumentError('invalid content-length header')
    }
    declared = Number(value)
  }
  const known = body === null ? undefined : body.length
  if (declared !== undefined && ((known ?? declared) !== declared || (body === null && declared > 0))) {
    throw new errors.RequestContentLengthMismatchError()
  }
  return known ?? declared
}

function withContentType(info: FastCgiRequestInfo, body: Body | null): FastCgiRequestInfo {
  if (body?.contentType === undefined || hasHeader(info.headers, 'content-type')) return info
  return { ...info, headers: [...info.headers, 'content-type', body.contentType] }
}

function hasHeader(headers: readonly string[], name: string): boolean {
  return headers.some((text, i) => i % 2 === 0 && text.toLowerCase() === name)
}
