import { stringify } from 'node:querystring'
import { type Dispatcher, errors } from 'undici'
import { type Body, toBody } from './body.ts'
import { BufferedSource } from './buffered-source.ts'
import { flattenHeaders } from './headers.ts'
import { buildParams, type FastCgiParams, type FastCgiRequestInfo, type ParamsOptions } from './params.ts'
import type { ScriptMapping } from './script.ts'

/** What {@link FastCgiDispatcher.dispatch} (and so `request`, `stream`, `pipeline`) takes. */
export interface FastCgiDispatchOptions extends Omit<Dispatcher.DispatchOptions, 'body'> {
  /** A string, bytes, a Node or web stream, an iterable or async iterable of pieces, a Blob, or FormData. */
  body?: unknown
  /** Variables to add or replace for this request, after those of the dispatcher's options. */
  params?: FastCgiParams
}

/** One request, ready to be sent unless it is {@link ClientRequest.buffered}. */
export interface ClientRequest {
  readonly method: string
  /** Sending it twice has the same effect as sending it once (RFC 9110 section 9.2.2). */
  readonly idempotent: boolean
  /** Path and query that were asked for. */
  readonly target: string
  /** The contents of the PARAMS records, one character a byte. */
  readonly params: readonly string[]
  readonly body: Body | null
  /** The value of CONTENT_LENGTH; undefined when it is not sent. */
  readonly contentLength: number | undefined
  readonly info: FastCgiRequestInfo
  /** The length of the body is not known yet. */
  readonly buffered?: BufferedRequest
}

/** A request whose body has to be read before its params can be made. */
export interface BufferedRequest {
  readonly source: BufferedSource
  /** The request with its whole body. Throws what {@link toRequest} throws. */
  complete(bytes: Uint8Array): ClientRequest
}

// RFC 9110 section 9.2.2.
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/**
 * Reads the options of one `dispatch`. `maxBufferedBody`: a body without a length is buffered up to so many bytes; undefined: it is
 * sent without a length. Throws undici's errors for options that are no request, {@link FastCgiError} for what CGI cannot express.
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
    throw new errors.NotSupportedError('FastCGI has no way to upgrade a connection, nor to tunnel')
  }
  let { path } = options
  // As it stands is how it goes out, so it must be something that an HTTP request line could hold.
  if (typeof path !== 'string' || !/^(?:\/[!-\xff]*|\*)$/.test(path)) {
    throw new errors.InvalidArgumentError('path must start with a slash and hold no blanks')
  }
  if (query) {
    if (/[?#]/.test(path)) {
      throw new errors.InvalidArgumentError('query can not be passed when the path holds "?" or "#" already')
    }
    const text = stringify(query)
    if (text !== '') path += `?${text}`
  }
  return { method, path, origin: origin?.toString(), headers: flattenHeaders(options.headers) }
}

/** What the headers say, or the body itself. Throws where both speak and differ. */
function contentLengthOf(info: FastCgiRequestInfo, body: Body | null): number | undefined {
  let said: number | undefined
  for (let i = 0; i < info.headers.length; i += 2) {
    const name = info.headers[i]!
    if (name.length !== 14 || name.toLowerCase() !== 'content-length') continue
    const value = info.headers[i + 1]!
    if (!/^\d{1,15}$/.test(value) || said !== undefined) {
      throw new errors.InvalidArgumentError('invalid content-length header')
    }
    said = Number(value)
  }
  const known = body === null ? undefined : body.length
  if (said !== undefined && ((known ?? said) !== said || (body === null && said > 0))) {
    throw new errors.RequestContentLengthMismatchError()
  }
  return known ?? said
}

function withContentType(info: FastCgiRequestInfo, body: Body | null): FastCgiRequestInfo {
  if (body?.contentType === undefined || hasHeader(info.headers, 'content-type')) return info
  return { ...info, headers: [...info.headers, 'content-type', body.contentType] }
}

function hasHeader(headers: readonly string[], name: string): boolean {
  return headers.some((text, i) => i % 2 === 0 && text.toLowerCase() === name)
}
