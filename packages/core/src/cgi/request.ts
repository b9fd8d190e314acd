import type { RequestHead } from './request-head.ts'
import { createWithController } from './request-signal.ts'

/**
 * Creates a `Request` of the global class. `body` is not called for GET and HEAD, because a Request with these methods cannot have a body.
 * Repeated headers are all appended. The Request has the signal of `controller`; see {@link createWithController}. Throws a TypeError, as
 * Request does, for CONNECT, TRACE and TRACK.
 */
export function createRequest(
  head: RequestHead,
  body: () => ReadableStream<Uint8Array> | null,
  controller: AbortController = new AbortController(),
): Request {
  const { method, headers: list } = head
  // GET is the default. Without a member in `init`, the constructor does a tenth less.
  const init: RequestInit = method === 'GET' ? {} : { method }
  if (!/^(?:GET|HEAD)$/i.test(method)) {
    const stream = body()
    if (stream !== null) {
      init.body = stream
      init.duplex = 'half'
    }
  }
  const request = createWithController(head.url, init, controller)
  const { headers } = request
  // The headers are appended here, because the constructor would check and copy those of `init` once more.
  for (let i = 0; i < list.length; i += 2) headers.append(list[i]!, list[i + 1]!)
  return request
}
