/**
 * The response headers with which an app asks the front server to send a file, or another resource, in place of the response body.
 * nginx reads X-Accel-Redirect, and Caddy can be configured to. lighttpd and Apache's mod_xsendfile read the X-Sendfile and
 * X-LIGHTTPD names. H2O reads X-Reproxy-URL.
 */
const SENDFILE_HEADERS: ReadonlySet<string> = new Set([
  'x-accel-redirect',
  'x-lighttpd-send-file',
  'x-lighttpd-send-tempfile',
  'x-reproxy-url',
  'x-sendfile',
  'x-sendfile2',
  'x-sendfile-temporary',
])

/**
 * Returns whether a response head asks the front server to send a file in place of the body (X-Sendfile, X-Accel-Redirect and
 * similar headers). The response body is then empty, whatever its Content-Length says. `headers` is name, value, name, value …;
 * the case of names does not matter.
 */
export function usesSendfile(headers: readonly string[]): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    if (SENDFILE_HEADERS.has(headers[i]!.toLowerCase())) return true
  }
  return false
}
