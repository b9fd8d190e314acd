import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/**
 * Eight zero bytes: a record header with a version that does not exist. Every front server treats a response as failed when this
 * follows it, also on a Unix socket, which cannot be reset.
 */
export const INVALID_RECORD: Buffer = Buffer.alloc(8)

/**
 * Resets and destroys a TCP socket. Returns false, and does nothing, for any other stream. nginx and lighttpd take a response as
 * complete when the connection ends cleanly, and as failed when it is reset. (H2O 2.2 accepts both, and Caddy 2.6 only logs a reset.)
 */
export function resetTcp(socket: Duplex): boolean {
  if (!('resetAndDestroy' in socket) || (socket as Socket).remoteAddress === undefined) return false
  ;(socket as Socket).resetAndDestroy()
  return true
}
