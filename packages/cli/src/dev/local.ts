import type { IncomingMessage } from 'node:http'

// Headers that proxies and tunnels add. These connect from this machine and may set Host to its name.
const OF_PROXIES = /^(?:forwarded|via|x-forwarded-.*|x-real-ip)$/

/**
 * Whether a request was sent from this machine, and not by a page of another site.
 *
 * - The peer has to be a loopback address, and no proxy may have passed the request on.
 * - Host has to name this machine: a site elsewhere can let its own name point to 127.0.0.1 (DNS rebinding).
 * - An Origin has to be this server, and Sec-Fetch-Site must not name another one: pages of other sites can send
 *   requests here (https://www.w3.org/TR/fetch-metadata/).
 */
export function isLocal(request: IncomingMessage): boolean {
  const { host = '', origin, 'sec-fetch-site': site } = request.headers
  return (
    isLoopback(request.socket.remoteAddress) &&
    !Object.keys(request.headers).some((name) => OF_PROXIES.test(name)) &&
    /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/i.test(host) &&
    (origin === undefined || origin.toLowerCase() === `http://${host.toLowerCase()}`) &&
    (site === undefined || site === 'same-origin' || site === 'none')
  )
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(::ffff:)?127\.|^::1$/i.test(address)
}
