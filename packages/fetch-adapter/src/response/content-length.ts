import { usesSendfile } from '@fcgi-bridge/core'
import { hasHeader } from '../header-list.ts'

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

/**
 * The error for a whole response body of `sent` bytes whose Content-Length is `declared`, if it is too short. An empty body is not, if
 * the front server replaces it with a file.
 */
export function shortBodyError(
  headers: readonly string[],
  sent: number,
  declared: number | undefined,
): Error | undefined {
  if (declared === undefined || sent >= declared || (sent === 0 && usesSendfile(headers))) return undefined
  return wrongLength(headers, sent, declared)
}

/** The error for a response body of `sent` bytes, or of more than `sent` if that exceeds the Content-Length `declared`. */
export function wrongLength(headers: readonly string[], sent: number, declared: number): Error {
  const found = sent > declared ? `at least ${sent} bytes` : `${sent} bytes`
  const advice = hasHeader(headers, 'content-encoding')
    ? 'fetch() has decoded the body of a response that it returns: delete both Content-Length and Content-Encoding from a copy of its headers. `const headers = new Headers(upstream.headers); headers.delete("content-length"); headers.delete("content-encoding"); return new Response(upstream.body, { status: upstream.status, headers })`'
    : 'Delete the Content-Length header: the adapter sets it where the length is known.'
  return new Error(`The response body has ${found}, but the Content-Length is ${declared}. ${advice}`)
}
