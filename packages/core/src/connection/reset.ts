import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { FCGI_HEADER_LEN } from '../protocol/constants.ts'

/**
 * A record header of zeros. Its version, 0, does not exist, so every front server treats the response before it as failed. It also works
 * on a Unix socket, which cannot be reset.
 */
export const INVALID_RECORD: Buffer = Buffer.alloc(FCGI_HEADER_LEN)

/**
 * Resets and destroys a TCP socket. Returns false, and does nothing, for any other stream. nginx and lighttpd treat a response as
 * complete if the connection ends cleanly, and as failed if it is reset. (H2O 2.2 accepts both, and Caddy 2.6 only logs a reset.)
 */
export function resetTcp(socket: Duplex): boolean {
  if (!('resetAndDestroy' in socket) || (socket as Socket).remoteAddress === undefined) return false
  ;(socket as Socket).resetAndDestroy()
  return true
}
