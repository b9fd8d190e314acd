import type { ListenOptions } from '@fcgi-bridge/core'
import { findInherited } from '@fcgi-bridge/core/manager'

/**
 * Where a pool without the option `listen` listens: the sockets that systemd or a front server passed to this process, or the
 * address in FCGI_BRIDGE_LISTEN. Throws an Error that says what was looked for if there is none.
 */
export function inheritedSockets(): readonly ListenOptions[] {
  const inherited = findInherited()
  if ('cgi' in inherited) throw new Error('A pool cannot serve a CGI request. Serve the app without workers.')
  return inherited.listen
}
