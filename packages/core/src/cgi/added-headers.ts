// Detects headers that the front server added and the client did not send. CONTENT_LENGTH and CONTENT_TYPE describe the request body, and
// some front servers set them for requests without a body or without a type. Measured with nginx 1.22, Apache 2.4 (mod_proxy_fcgi,
// mod_fcgid 2.3.9), lighttpd 1.4.69, Caddy 2.6, H2O 2.2 and HAProxy 2.6.

import type { Params } from './params.ts'

/**
 * Whether the front server added a CONTENT_LENGTH of 0. lighttpd, Caddy, HAProxy and mod_fcgid add it to every request that has no body.
 * The other servers send it only if the client sent the header or an empty chunked body.
 *
 * lighttpd, Caddy and nginx repeat the client's own header as HTTP_CONTENT_LENGTH. HAProxy and mod_fcgid do not, so the method decides:
 * clients send `Content-Length: 0` with POST, PUT and PATCH (RFC 9110 section 8.6), and rarely with other methods.
 */
export function addsZeroLength(params: Params): boolean {
  if (params.get('HTTP_CONTENT_LENGTH') !== undefined) return false
  if (params.get('HTTP_TRANSFER_ENCODING') !== undefined) return false
  const software = params.get('SERVER_SOFTWARE') ?? ''
  if (/^(?:lighttpd|Caddy)\//.test(software)) return true
  // H2O, and the gateway of @fcgi-bridge/client.
  if (/^(?:h2o\/|fcgi-bridge)/.test(software)) return false
  // mod_proxy_fcgi adds this prefix, except with `ProxyFCGIBackendType GENERIC`.
  if (params.get('SCRIPT_FILENAME')?.startsWith('proxy:')) return false
  return !/^(?:POST|PUT|PATCH)$/.test(params.method)
}

/**
 * Whether Caddy added CONTENT_TYPE. It adds `application/x-www-form-urlencoded` to a POST or PUT without a type. Caddy repeats the
 * client's own header as HTTP_CONTENT_TYPE, with an empty value if the client sent an empty one.
 */
export function addsContentType(params: Params): boolean {
  return (
    params.contentType === 'application/x-www-form-urlencoded' &&
    !params.get('HTTP_CONTENT_TYPE') &&
    isCaddy(params)
  )
}

/** Whether the front server is Caddy. It sends an empty HTTP_USER_AGENT for clients that sent no User-Agent. */
export function isCaddy(params: Params): boolean {
  return params.get('SERVER_SOFTWARE')?.startsWith('Caddy/') === true
}
