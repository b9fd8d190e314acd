import type { RequestHead } from './request-head.ts'

/**
 * Creates a `Request` of the global class. `body` is not called for GET and HEAD, because a Request with these methods cannot have a body.
 * Repeated headers are all appended. Throws a TypeError, as Request does, for CONNECT, TRACE and TRACK.
 */
export function createRequest(
  head: RequestHead,
  body: () => ReadableStream<Uint8Array> | null,
  signal?: AbortSignal,
): Request {
  const { method, headers: list } = head
  const headers = new Headers()
  for (let i = 0; i < list.length; i += 2) headers.append(list[i]!, list[i + 1]!)

  const init: RequestInit = { method, headers }
  if (signal !== undefined) init.signal = signal
  if (!/^(?:GET|HEAD)$/i.test(method)) {
    const stream = body()
    if (stream !== null) {
      init.body = stream
      init.duplex = 'half'
    }
  }
  return new Request(head.url, init)
}
