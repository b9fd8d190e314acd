// Headers that are not forwarded, in lower case. Most are hop-by-hop (RFC 9110 section 7.6.1): Node sets its own. The last two are
// instructions for the front server.
const NOT_FORWARDED = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-accel-redirect',
  'x-sendfile',
])

/** Returns the headers of an application's response that the gateway forwards to its client. Names and values alternate in both lists. */
export function forwardedHeaders(headers: readonly string[], status: number): string[] {
  const forwarded: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    const lowerName = name.toLowerCase()
    if (NOT_FORWARDED.has(lowerName)) continue
    // A 204 must not have a Content-Length (RFC 9110 section 8.6). A 205 has no body (15.3.6): a client would wait for
    // one, and take the head of the next response for it.
    if ((status === 204 || status === 205) && lowerName === 'content-length') continue
    forwarded.push(name, headers[i + 1]!)
  }
  return forwarded
}
