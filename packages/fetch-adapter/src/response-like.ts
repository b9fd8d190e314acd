/** What of a Response is read: the global one, undici's own, node-fetch's, another realm's. */
export interface ResponseLike {
  readonly status: number
  readonly statusText?: string
  readonly headers: HeadersLike
  readonly body?: unknown
  readonly bodyUsed?: boolean
}

interface HeadersLike extends Iterable<readonly [name: string, value: string]> {
  getSetCookie?(): string[]
  /** node-fetch's own way to tell repeated headers apart. */
  raw?(): Record<string, string[]>
}

/**
 * A response that can tell its parts without building a Response: srvx's FastResponse, which h3 answers with.
 * `body` is what the app gave (string, bytes, ReadableStream, Node stream), and the call takes it out of the object.
 */
export interface RawResponse {
  _toNodeResponse(): {
    readonly status: number
    readonly statusText: string | undefined
    /** Name, value, name, value …; not checked, not always strings. */
    readonly headers: readonly unknown[]
    readonly body: unknown
  }
}

/** Whether `value` can be read as a {@link ResponseLike}. */
export function isResponseLike(value: unknown): value is ResponseLike {
  if (value instanceof Response) return true
  if (typeof value !== 'object' || value === null) return false
  const { status, headers } = value as Partial<ResponseLike>
  return (
    typeof status === 'number' &&
    typeof headers === 'object' &&
    headers !== null &&
    typeof headers[Symbol.iterator] === 'function'
  )
}

/** Whether `value` is a {@link RawResponse}. */
export function isRawResponse(value: unknown): value is RawResponse {
  return typeof (value as Partial<RawResponse> | null | undefined)?._toNodeResponse === 'function'
}

/** The headers as a flat list: name, value, name, value …, each Set-Cookie apart. */
export function listHeaders(headers: HeadersLike): string[] {
  const list: string[] = []
  if (headers instanceof Headers) {
    // The standard's iteration gives every Set-Cookie by itself.
    for (const [name, value] of headers) list.push(name, value)
    return list
  }
  if (typeof headers.raw === 'function') {
    for (const [name, values] of Object.entries(headers.raw())) {
      for (const value of values) list.push(name.toLowerCase(), value)
    }
    return list
  }
  const cookies = headers.getSetCookie?.()
  for (const [name, value] of headers) {
    if (cookies === undefined || name.toLowerCase() !== 'set-cookie') list.push(name.toLowerCase(), value)
  }
  for (const cookie of cookies ?? []) list.push('set-cookie', cookie)
  return list
}
