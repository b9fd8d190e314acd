import type { IncomingMessage } from 'node:http'

// Headers that proxies and tunnels add. A proxy on this machine has a loopback address and may rewrite Host.
const PROXY_HEADERS = /^(?:forwarded|via|x-forwarded-.*|x-real-ip)$/

/**
 * Whether a request was sent from this machine, and not by a page of another site.
 *
 * - The peer's address must be a loopback address, and there must be no headers of a proxy.
 * - Host must name this machine: another site can resolve its own name to 127.0.0.1 (DNS rebinding).
 * - Origin, if there is one, must be this server, and Sec-Fetch-Site must not be another site: pages of other sites can send requests
 *   here (https://www.w3.org/TR/fetch-metadata/).
 */
export function isLocal(request: IncomingMessage): boolean {
  const { host = '', origin, 'sec-fetch-site': site } = request.headers
  return (
    isLoopback(request.socket.remoteAddress) &&
    !Object.keys(request.headers).some((name) => PROXY_HEADERS.test(name)) &&
    /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/i.test(host) &&
    (origin === undefined || origin.toLowerCase() === `http://${host.toLowerCase()}`) &&
    (site === undefined || site === 'same-origin' || site === 'none')
  )
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(::ffff:)?127\.|^::1$/i.test(address)
}
