import type { Exchange } from '@fcgi-bridge/core'
import type { FetchContext } from './context.ts'

/**
 * Adds the members that srvx adds to its requests. h3, Nitro and TanStack Start read them: `ip` is the client's address (REMOTE_ADDR),
 * `runtime.fastcgi` is the context, and `waitUntil` is the context's.
 *
 * They are data properties of each Request, which costs 60 ns, nearly all of it for the address. Three accessors cost 220 ns. A separate
 * prototype would cost less, but a Request must have the platform's prototype.
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
