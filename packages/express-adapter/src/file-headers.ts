/**
 * The headers with which an app names a file that the front server sends in place of the body: X-Accel-Redirect for nginx, and for
 * Caddy if it is configured so; the X-Sendfile and X-LIGHTTPD names for lighttpd and Apache's mod_xsendfile; X-Reproxy-URL for H2O.
 */
const FILE_HEADERS: ReadonlySet<string> = new Set([
  'x-accel-redirect',
  'x-lighttpd-send-file',
  'x-lighttpd-send-tempfile',
  'x-reproxy-url',
  'x-sendfile',
  'x-sendfile2',
  'x-sendfile-temporary',
])

/** Whether the front server sends a file in place of the body. `headers` is name, value, name, value … */
export function namesFile(headers: readonly string[]): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    if (FILE_HEADERS.has(headers[i]!.toLowerCase())) return true
  }
  return false
}
