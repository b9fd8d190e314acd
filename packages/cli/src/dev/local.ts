import type { IncomingMessage } from 'node:http'

/**
 * Whether a request is from this machine, and meant for it. A page elsewhere can have its own name point to 127.0.0.1 (DNS
 * rebinding), so the Host has to be one of this machine's; and a form elsewhere can post to it, so an Origin has
 * to be this very server.
 */
export function isLocal(request: IncomingMessage): boolean {
  const { host = '', origin } = request.headers
  return (
    isLoopback(request.socket.remoteAddress) &&
    /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/i.test(host) &&
    (origin === undefined || origin.toLowerCase() === `http://${host.toLowerCase()}`)
  )
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(::ffff:)?127\.|^::1$/i.test(address)
}
