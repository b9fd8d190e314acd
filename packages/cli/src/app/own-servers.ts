import { Server as HttpServer } from 'node:http'
import { Server as HttpsServer } from 'node:https'
import { type AddressInfo, Server as NetServer } from 'node:net'

/** HTTP servers that an app starts itself, in addition to FastCGI. */
export interface OwnServers {
  /** Whether the app has called `listen()` of an HTTP server. The server may not listen yet. */
  listens(): boolean
}

/**
 * Watches the app's own calls of `listen()` of HTTP and HTTPS servers from now on. `onListen` gets the address of each server
 * once it listens. Requests there reach the app without the front server, and its access rules.
 */
export function watchOwnServers(onListen: (address: string) => void): OwnServers {
  let listens = false
  for (const { prototype } of [HttpServer, HttpsServer]) {
    // Both inherit it. A later change of the inherited method, such as that of a tracing library, still takes effect.
    const listen = function (this: NetServer, ...args: unknown[]): NetServer {
      listens = true
      this.once('listening', () => onListen(addressOf(this.address())))
      return Reflect.apply(NetServer.prototype.listen, this, args)
    }
    Object.defineProperty(prototype, 'listen', { value: listen, configurable: true, writable: true })
  }
  return { listens: () => listens }
}

function addressOf(address: AddressInfo | string | null): string {
  if (address === null || typeof address === 'string') return address ?? 'a closed socket'
  return address.family === 'IPv6'
    ? `[${address.address}]:${address.port}`
    : `${address.address}:${address.port}`
}
