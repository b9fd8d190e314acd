import type { Exchange } from '@fcgi-bridge/core'
import type { FetchContext } from './context.ts'

/**
 * Gives a Request what srvx gives its own beside the standard's members, where h3, Nitro and TanStack Start look:
 * `ip`, the client's address (REMOTE_ADDR); `runtime`, whose `fastcgi` is the context; `waitUntil`.
 *
 * They are data properties of each Request: that costs 60 ns, nearly all of it for the address; three accessors cost 220 ns. A
 * prototype of their own would cost less, but a Request must have the platform's.
 */
export function addServerMembers(request: Request, exchange: Exchange, context: FetchContext): Request {
  const members = request as Request & {
    ip: string | undefined
    runtime: { readonly name: 'fastcgi'; readonly fastcgi: FetchContext }
    waitUntil: FetchContext['waitUntil']
  }
  members.ip = exchange.remoteAddress
  members.runtime = new Runtime(context)
  // Create the closure separately: V8 pretenures closures assigned straight to a property, and each one would keep its request
  // alive until the next major collection.
  const waitUntil: FetchContext['waitUntil'] = (promise) => exchange.waitUntil(promise)
  members.waitUntil = waitUntil
  return request
}

// A class, not an object literal: V8 allocates the objects of a literal in the old generation once many survive a minor
// collection. Each then keeps its request alive until the next major collection.
class Runtime {
  readonly name = 'fastcgi'
  readonly fastcgi: FetchContext

  constructor(context: FetchContext) {
    this.fastcgi = context
  }
}
