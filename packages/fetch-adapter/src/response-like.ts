/** The members of a Response that the adapter reads. It may be the global Response, undici's own, node-fetch's or another realm's. */
export interface ResponseLike {
  readonly status: number
  readonly statusText?: string
  readonly headers: HeadersLike
  readonly body?: unknown
  readonly bodyUsed?: boolean
}

interface HeadersLike extends Iterable<readonly [name: string, value: string]> {
  getSetCookie?(): string[]
  /** The repeated headers of node-fetch, as lists. */
  raw?(): Record<string, string[]>
}

/**
 * A response that gives its parts without building a Response: srvx's FastResponse, which h3 returns. `body` is the value that the app
 * passed (string, bytes, ReadableStream, Node stream). `_toNodeResponse` removes it from the object.
 */
export interface RawResponse {
  _toNodeResponse(): {
    readonly status: number
    readonly statusText: string | undefined
    /** Name, value, name, value … The values are not validated, and not always strings. */
    readonly headers: readonly unknown[]
    readonly body: unknown
  }
}

/** Returns whether `value` has the members of a {@link ResponseLike}. */
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

/** Returns whether `value` is a {@link RawResponse}. */
export function isRawResponse(value: unknown): value is RawResponse {
  return typeof (value as Partial<RawResponse> | null | undefined)?._toNodeResponse === 'function'
}

/** Returns headers as a flat list: name, value, name, value … Each Set-Cookie has its own entry. */
export function listHeaders(headers: HeadersLike): string[] {
  const list: string[] = []
  if (headers instanceof Headers) {
    // Iterating over standard Headers yields every Set-Cookie by itself.
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
