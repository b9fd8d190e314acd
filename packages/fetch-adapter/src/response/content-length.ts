import { usesSendfile } from '@fcgi-bridge/core'
import { hasHeader } from '../header-list.ts'

/**
 * Returns the Content-Length that the app set, in bytes, or undefined. Throws a TypeError if it is not one number, because clients could not
 * find the end of the body.
 */
export function declaredLength(headers: readonly string[]): number | undefined {
  let declared: number | undefined
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'content-length') continue
    const value = headers[i + 1]!
    const length = /^\d{1,15}$/.test(value) ? Number(value) : undefined
    if (length === undefined || (declared !== undefined && declared !== length)) {
      throw new TypeError(
        `The Content-Length of the response is ${JSON.stringify(value)}, which is not one number of bytes. Remove the header: the adapter sets it if the length is known.`,
      )
    }
    declared = length
  }
  return declared
}

/**
 * Returns the error for a response body that has ended after `sent` bytes, if its Content-Length is larger. An empty body is correct if the
 * front server replaces it with a file.
 */
export function shortBodyError(
  headers: readonly string[],
  sent: number,
  declared: number | undefined,
): Error | undefined {
  if (declared === undefined || sent >= declared || (sent === 0 && usesSendfile(headers))) return undefined
  return wrongLengthError(headers, sent, declared)
}

/** The error for a response body of `sent` bytes. If that is more than the Content-Length, the body may be even longer. */
export function wrongLengthError(headers: readonly string[], sent: number, declared: number): Error {
  const found = sent > declared ? `at least ${sent} bytes` : `${sent} bytes`
  const advice = hasHeader(headers, 'content-encoding')
    ? 'If the body comes from fetch(), it has been decoded. Delete both Content-Length and Content-Encoding from a copy of the headers: `const headers = new Headers(upstream.headers); headers.delete("content-length"); headers.delete("content-encoding"); return new Response(upstream.body, { status: upstream.status, headers })`'
    : 'Delete the Content-Length header: the adapter sets it if the length is known.'
  return new Error(`The response body has ${found}, but the Content-Length is ${declared}. ${advice}`)
}
