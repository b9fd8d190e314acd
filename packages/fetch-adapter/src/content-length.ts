import { hasHeader } from './header-list.ts'

/**
 * The Content-Length that the app gave, in bytes; undefined if it gave none. Throws a TypeError if the value is not one
 * number: clients could not tell where the body ends.
 */
export function declaredLength(headers: readonly string[]): number | undefined {
  let declared: number | undefined
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'content-length') continue
    const value = headers[i + 1]!
    const length = /^\d{1,15}$/.test(value) ? Number(value) : undefined
    if (length === undefined || (declared !== undefined && declared !== length)) {
      throw new TypeError(
        `The response has the Content-Length ${JSON.stringify(value)}, which is not one number of bytes. Remove the header: the adapter sets it where the length is known.`,
      )
    }
    declared = length
  }
  return declared
}

// With one of these the front server replaces the body by a file or by another response.
const REPLACED_BY_FRONT = [
  'x-sendfile',
  'x-sendfile2',
  'x-lighttpd-send-file',
  'x-accel-redirect',
  'x-reproxy-url',
]

/** Whether the front server itself sends the body that the Content-Length is about. */
export function isReplacedByFront(headers: readonly string[]): boolean {
  return REPLACED_BY_FRONT.some((name) => hasHeader(headers, name))
}

/** The error for a body of `sent` bytes, or of more than `sent`, whose Content-Length is `declared`. */
export function wrongLength(headers: readonly string[], sent: number, declared: number): Error {
  const found = sent > declared ? `at least ${sent} bytes` : `${sent} bytes`
  const advice = hasHeader(headers, 'content-encoding')
    ? 'fetch() has decoded the body of a response that it returns: delete both Content-Length and Content-Encoding from a copy of its headers. `const headers = new Headers(upstream.headers); headers.delete("content-length"); headers.delete("content-encoding"); return new Response(upstream.body, { status: upstream.status, headers })`'
    : 'Delete the Content-Length header: the adapter sets it where the length is known.'
  return new Error(`The response body has ${found}, but the Content-Length is ${declared}. ${advice}`)
}
