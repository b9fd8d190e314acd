import { stringify } from 'node:querystring'
import { type Dispatcher, errors } from 'undici'
import { type Body, toBody } from './body.ts'
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

/** One request, ready to be sent. */
export interface ClientRequest {
  readonly method: string
  /** To send it twice does no more than to send it once (RFC 9110 section 9.2.2). */
  readonly idempotent: boolean
  /** Path and query that were asked for. */
  readonly target: string
  /** The contents of the PARAMS records, one character a byte. */
  readonly params: readonly string[]
  readonly body: Body | null
  /** What CONTENT_LENGTH says; undefined when it says nothing. */
  readonly contentLength: number | undefined
  readonly info: FastCgiRequestInfo
}

// RFC 9110 section 9.2.2.
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/** Reads what a dispatcher is given. Throws undici's errors for what is no request, {@link FastCgiError} for what CGI can not say. */
export function toRequest(
  options: FastCgiDispatchOptions,
  mapping: ScriptMapping,
  params: ParamsOptions['params'],
): ClientRequest {
  const info = toRequestInfo(options)
  const body = toBody(options.body)
  try {
    const contentLength = contentLengthOf(info, body)
    const bodyLength = contentLength ?? (body === null ? 'none' : 'unknown')
    return {
      method: info.method,
      idempotent: options.idempotent ?? IDEMPOTENT.has(info.method),
      target: info.path,
      params: buildParams(withContentType(info, body), bodyLength, mapping, params, options.params),
      body,
      contentLength,
      info,
    }
  } catch (error) {
    body?.source?.stop(error as Error)
    throw error
  }
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
